// SPDX-License-Identifier: Apache-2.0
//! Nodes are told once more, soon, of whatever was committed here.
//!
//! A request tells the node right after its commit. If its client hangs up at that very moment, nobody is there to tell any
//! more, and the node would learn of it by the clock of its session, minutes later. A node that knows already is not told twice.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use contracts::node::ThingId;
use store::{Select, Touched};
use tokio::time::{Instant, sleep_until, timeout_at};
use types::{NodeId, ServerId};

use crate::{Compute, error::Result};

/// A server that is built is changed several times within it; all of that is one look.
const GATHER: Duration = Duration::from_secs(2);

impl Compute {
    pub(crate) async fn remind_nodes(self: Arc<Self>) {
        let mut wake = self.store.watch(&["server"]);
        loop {
            let mut touched = wake.wait().await;
            let until = Instant::now() + GATHER;
            while let Ok(more) = timeout_at(until, wake.wait()).await {
                touched = both(touched, more);
            }
            sleep_until(until).await;
            // All of them the sessions look at by themselves now and then.
            let Some(servers) = touched.ids::<ServerId>("server") else { continue };
            match self.nodes_of(servers).await {
                Ok(nodes) => nodes.iter().for_each(|(node, things)| self.nodes.tell(node, things)),
                Err(error) => tracing::warn!(%error, "nodes are not reminded of what was wanted of them"),
            }
        }
    }

    /// The servers' nodes, with what each of them has of these.
    async fn nodes_of(&self, servers: Vec<ServerId>) -> Result<HashMap<NodeId, Vec<ThingId>>> {
        let rows = self.store.list(move |tx| {
            let select = Select::new("server_claims", "node_id, server_id").filter("kind = ", "machine");
            let rows = select.filter_in("server_id", &servers).rows(tx)?;
            rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<store::Result<HashSet<(NodeId, ServerId)>>>()
        });
        let mut nodes: HashMap<NodeId, Vec<ThingId>> = HashMap::new();
        for (node, server) in rows.await? {
            nodes.entry(node).or_default().push(ThingId::machine(&server));
        }
        Ok(nodes)
    }
}

fn both(one: Touched, other: Touched) -> Touched {
    match (one, other) {
        (Touched::These(mut these), Touched::These(others)) => {
            these.extend(others);
            Touched::These(these)
        }
        _ => Touched::All,
    }
}
