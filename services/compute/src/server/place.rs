// SPDX-License-Identifier: Apache-2.0
//! Room for a server on a host: the one where an attempt that was cut short got it, or the best that grants it.

use contracts::{nodes::NodeFacts, placement::Resources};
use types::{AllocationConsumer, NodeId};

pub(crate) use super::schedule::resources;
use super::{
    FaultNote, Server,
    schedule::{Candidate, Placed, Reason, Refused, Sought},
};
use crate::{Compute, error::Result};

impl Compute {
    pub(crate) async fn allocate(
        &self,
        server: &Server,
        needs: Resources,
        has_volumes: bool,
        not_on: &[(NodeId, Reason)],
    ) -> Result<Placed> {
        self.allocate_and(server, needs, has_volumes, not_on, async |_| ()).await
    }

    /// Room for it, and at once with the claim whatever else is needed of the host: they wait for one commit together. What was
    /// done for a host that has no room after all is done again for the next one.
    pub(crate) async fn allocate_and<F: Future>(
        &self,
        server: &Server,
        needs: Resources,
        has_volumes: bool,
        not_on: &[(NodeId, Reason)],
        beside: impl Fn(NodeId) -> F,
    ) -> Result<Placed<F::Output>> {
        let consumer = AllocationConsumer::new(server.id.as_str());
        if let Some(host) = self.held_node(server, &consumer, not_on).await? {
            let done = beside(host.node.clone()).await;
            return Ok(Placed::On(host, done));
        }
        self.hosts.find_room(self, &Sought { server, needs, has_volumes, consumer, not_on }, beside).await
    }

    /// Where room is held already: only if that host would still do.
    async fn held_node(
        &self,
        server: &Server,
        consumer: &AllocationConsumer,
        not_on: &[(NodeId, Reason)],
    ) -> Result<Option<Candidate>> {
        // A first attempt that was not cut short holds nothing; asking costs a read only.
        let Some(provider) = self.placement.held(consumer).await? else { return Ok(None) };
        let node = self.nodes.get(&NodeId::new(provider.as_str())).await?;
        let fits = |node: &NodeFacts| node.up && !server.tried.contains(&node.id) && not_on.iter().all(|(id, _)| *id != node.id);
        Ok(node.filter(fits).map(|node| Candidate { node: node.id.clone(), host: node.hostname.clone(), provider }))
    }
}

pub(crate) fn no_valid_host(server: &Server, refused: &Refused) -> FaultNote {
    let mut message = format!("No valid host was found. There are not enough hosts available. {}", sentence(&refused.counts()));
    if let Some(last) = server.fault.as_ref().filter(|_| !server.tried.is_empty()) {
        message = format!("{message} The last attempt failed: {}", last.message);
    }
    FaultNote::new(message, Some(refused.by_host()))
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), characters.as_str()))
}
