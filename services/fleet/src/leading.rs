// SPDX-License-Identifier: Apache-2.0
//! What of the fleet only the controller that has the lead does: it holds the sessions, and what comes of them is
//! written through tables and rooms that are bound to the lead.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use contracts::{Refusal, nodes::NodeFacts, nodes::NodeNeighbours, placement::Placement};
use store::{Store, Tx};
use tokio::{sync::mpsc, time::Instant};
use types::{DatabaseMark, NodeId, Timestamp};

use crate::{Error, Fleet, Result, node, room::RETRY, session::BEAT};

/// What hosts remember of the tables may be older by so much than what they were told.
const A_MOMENT: Duration = Duration::from_millis(250);

/// The tables and rooms as the lead's work uses them.
pub struct Leading {
    pub store: Store,
    pub placement: Arc<dyn Placement>,
    pub neighbours: NodeNeighbours,
}

pub(crate) struct Led {
    pub store: Store,
    pub neighbours: NodeNeighbours,
    placement: Arc<dyn Placement>,
    /// When it began. What an earlier lead granted, it granted before.
    pub since: Timestamp,
    /// When the tables last agreed that this lead is the one.
    certain: Mutex<Instant>,
    /// How far the tables had come, a moment ago.
    mark: tokio::sync::Mutex<Option<(Instant, DatabaseMark)>>,
    /// Nodes that connected, were lost or changed, to be told to the neighbours.
    changed: mpsc::UnboundedSender<NodeId>,
}

impl Fleet {
    /// Takes in sessions until it is dropped; they end with it.
    pub async fn lead(self, leading: Leading) {
        let Leading { store, placement, neighbours } = leading;
        let (changed, to_announce) = mpsc::unbounded_channel();
        let (since, certain) = (Timestamp::now(), Mutex::new(first_certain(&store).await));
        let led = Arc::new(Led { store, neighbours, placement, since, certain, mark: Default::default(), changed });
        *self.inner.led.write().unwrap_or_else(PoisonError::into_inner) = Some(led.clone());
        let _over = Over { fleet: self.clone(), led: led.clone() };
        tokio::join!(led.announce(&self, to_announce), self.heed_other_controllers(&led), led.make_certain());
    }

    /// What sessions need, while this controller has the lead.
    pub(crate) fn led(&self) -> Result<Arc<Led>> {
        let led = self.inner.led.read().unwrap_or_else(PoisonError::into_inner).clone();
        led.ok_or_else(|| Refusal::unavailable("this controller does not have the lead now: try another").into())
    }

    /// Tells the neighbours, soon, that this node changed. Another controller that leads hears of it by the event.
    pub(crate) fn changed(&self, node: NodeId) {
        if let Ok(led) = self.led() {
            led.changed(node);
        }
    }

    /// Nodes that were changed or removed by way of another controller.
    async fn heed_other_controllers(&self, led: &Led) {
        let mut wake = led.store.watch_others(&["node"]);
        loop {
            let touched = wake.wait().await.ids::<NodeId>("node");
            match led.store.list(node::all).await {
                Ok(rows) => {
                    let known = |id: &NodeId| rows.iter().any(|row| row.id == *id);
                    self.inner.sessions.end_those(|id| !known(id));
                    let changed = |id: &NodeId| touched.as_ref().is_none_or(|touched| touched.contains(id));
                    rows.into_iter().filter(|row| changed(&row.id)).for_each(|row| led.changed(row.id));
                }
                Err(error) => tracing::warn!(%error, "changes of nodes by other controllers are heeded with the next one"),
            }
        }
    }
}

impl Led {
    /// The instant at which this lead was the one for sure.
    pub fn was_certain(&self) -> Instant {
        *self.certain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the tables have come at least: read for all who look within a moment.
    pub async fn mark(&self) -> store::Result<DatabaseMark> {
        let mut mark = self.mark.lock().await;
        if let Some((_, known)) = mark.as_ref().filter(|(at, _)| at.elapsed() < A_MOMENT) {
            return Ok(known.clone());
        }
        let at = Instant::now();
        let known = self.store.mark().await?;
        *mark = Some((at, known.clone()));
        Ok(known)
    }

    /// A write is refused once the lead is lost, even one that changes nothing.
    async fn make_certain(&self) {
        loop {
            tokio::time::sleep(BEAT).await;
            match certain(&self.store).await {
                Ok(instant) => *self.certain.lock().unwrap_or_else(PoisonError::into_inner) = instant,
                Err(error) => tracing::warn!(%error, "no lease is granted to nodes now"),
            }
        }
    }

    pub fn changed(&self, node: NodeId) {
        let _ = self.changed.send(node);
    }

    /// Says what is now, not what happened: so it may be said late, twice or once for several changes.
    async fn announce(&self, fleet: &Fleet, mut to_announce: mpsc::UnboundedReceiver<NodeId>) {
        while let Some(id) = to_announce.recv().await {
            if let Err(error) = self.announce_one(fleet, &id).await {
                if matches!(&error, Error::Refused(refusal) if !refusal.is_transient()) {
                    continue;
                }
                tracing::warn!(node = %id, error = &error as &dyn std::error::Error, "a node's change is announced later");
                let changed = self.changed.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(RETRY).await;
                    let _ = changed.send(id);
                });
            }
        }
    }

    async fn announce_one(&self, fleet: &Fleet, id: &NodeId) -> Result<()> {
        let id = id.clone();
        let facts = fleet.facts(self.store.read(move |tx: &mut Tx| node::get(tx, &id)).await?);
        self.ensure_provider(fleet, &facts).await?;
        for room in &self.neighbours.observed {
            room.node_changed(&facts).await?;
        }
        Ok(())
    }

    /// Makes placement know what the node offers, once the node has said it.
    async fn ensure_provider(&self, fleet: &Fleet, facts: &NodeFacts) -> Result<()> {
        let Some(hello) = &facts.hello else { return Ok(()) };
        let inventories = node::inventories(hello, fleet.inner.config.vcpu_ratio);
        let traits = node::traits(hello, facts.disabled);
        Ok(self.placement.ensure_provider(&facts.id, &facts.hostname, &inventories, &traits).await?)
    }
}

/// An instant at which the tables agreed that this lead is the one.
async fn certain(store: &Store) -> store::Result<Instant> {
    let asked = Instant::now();
    store.write(|_: &mut Tx| Ok::<_, store::Error>(())).await?;
    Ok(asked)
}

/// Before it, no session begins: its first word would be a lease.
async fn first_certain(store: &Store) -> Instant {
    loop {
        match certain(store).await {
            Ok(instant) => return instant,
            Err(error) => tracing::warn!(%error, "the tables do not say yet that this controller has the lead"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// The end of a lead, however it comes.
struct Over {
    fleet: Fleet,
    led: Arc<Led>,
}

impl Drop for Over {
    fn drop(&mut self) {
        let mut led = self.fleet.inner.led.write().unwrap_or_else(PoisonError::into_inner);
        if led.as_ref().is_some_and(|led| Arc::ptr_eq(led, &self.led)) {
            *led = None;
            self.fleet.inner.sessions.end_those(|_| true);
        }
    }
}
