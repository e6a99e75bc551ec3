// SPDX-License-Identifier: Apache-2.0
//! Nodes are told, soon, of what was committed here and nobody told them.
//!
//! A request tells the node right after its commit. If its client hangs up at that very moment, nobody is there to tell any
//! more, and the node would learn of it by the clock of its session, minutes later. Of what was told it is noted up to which
//! revision: nothing is read for it once more.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use contracts::node::ThingId;
use store::{Select, Touched};
use tokio::time::{Instant, sleep_until, timeout_at};
use types::{NodeId, ServerId};

use super::Server;
use crate::{Compute, error::Result};

/// A server that is built is changed several times within it; all of that is one look.
const GATHER: Duration = Duration::from_secs(2);
/// Where nobody reminds, as on a controller that does not lead, no more is noted than this. What is not noted is told again.
const NOTED: usize = 8192;

/// Up to which revision of a server its nodes were told what follows from it.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<HashMap<ServerId, i64>>);

impl Told {
    pub(crate) fn note(&self, server: &Server) {
        let mut noted = self.lock();
        if noted.len() < NOTED || noted.contains_key(&server.id) {
            let revision = noted.entry(server.id.clone()).or_default();
            *revision = server.revision.max(*revision);
        }
    }

    fn take(&self) -> HashMap<ServerId, i64> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServerId, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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
            let told = self.told.take();
            // All of them the sessions look at by themselves now and then.
            let Some(servers) = touched.ids::<ServerId>("server") else { continue };
            match self.nodes_of(servers, told).await {
                Ok(nodes) => nodes.iter().for_each(|(node, things)| self.nodes.tell(node, things)),
                Err(error) => tracing::warn!(%error, "nodes are not reminded of what was wanted of them"),
            }
        }
    }

    /// The nodes of servers that have come further than was told, with what each of them has of these.
    async fn nodes_of(&self, servers: Vec<ServerId>, told: HashMap<ServerId, i64>) -> Result<HashMap<NodeId, Vec<ThingId>>> {
        const COLUMNS: &str = "node_id, server_id, (SELECT revision FROM servers WHERE id = server_id)";
        let rows = self.store.list(move |tx| {
            let select = Select::new("server_claims", COLUMNS).filter("kind = ", "machine").filter_in("server_id", &servers);
            let rows = select.rows(tx)?;
            rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect::<store::Result<Vec<_>>>()
        });
        let mut nodes: HashMap<NodeId, Vec<ThingId>> = HashMap::new();
        let untold = |(_, server, revision): &(NodeId, ServerId, i64)| told.get(server).is_none_or(|told| told < revision);
        for (node, server, _) in rows.await?.into_iter().filter(untold) {
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
