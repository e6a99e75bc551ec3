// SPDX-License-Identifier: Apache-2.0
//! Network: Neutron's API v2.0 over real OVN.
//!
//! Handlers write desired state and its event to the tables, and mark in the same transaction which keys OVN must be told
//! about ([`keys`]). [`northbound`] makes OVN so and reports back. Nothing that a user asks for waits for OVN, and nothing
//! is lost while OVN cannot be reached.
//!
//! One drawer a noun: [`network`], [`subnet`], [`port`], [`router`], [`floating_ip`], [`security_group`] (with its rules);
//! beside them [`ipam`], which hands out the addresses of [`range`]s, and [`neighbour`], what compute asks of this room.

mod address_group;
mod agent;
mod availability;
mod balancer;
mod error;
mod extension;
mod floating_ip;
mod input;
mod ipam;
mod keys;
mod listing;
mod neighbour;
mod network;
mod northbound;
mod pick;
mod port;
mod quota;
mod range;
mod reach;
mod resource;
mod room;
mod router;
mod security_group;
mod settings;
mod subnet;
mod subnet_pool;
mod tag;
#[cfg(test)]
mod tests;
mod version;
mod who;

use std::sync::Arc;

use access::InForce;
use api::{FaultStyle, Service};
use contracts::{
    BoxFuture, Refusal,
    audit::{Audit, Finding},
};
use ovn::{northbound::Northbound, southbound::Southbound};
use store::{Step, Store};
use tokio::task::JoinHandle;
use work::Tasks;

pub(crate) use error::{Error, Result};
pub(crate) use room::Room;
pub use settings::Settings;

/// What the room is made of.
pub static ROOM: api::Room<Room, Own> = api::Room {
    name: "network",
    prefix: "/network",
    faults: FaultStyle::Neutron,
    versions: None,
    steps: &[
        Step { number: 1, name: "networks", sql: include_str!("../migrations/0001_networks.sql") },
        Step { number: 4, name: "tombstones", sql: include_str!("../migrations/0004_tombstones.sql") },
        Step { number: 5, name: "scale", sql: include_str!("../migrations/0005_scale.sql") },
    ],
    drawers: &[
        version::DRAWER,
        extension::DRAWER,
        network::DRAWER,
        subnet::DRAWER,
        subnet_pool::DRAWER,
        port::DRAWER,
        router::DRAWER,
        floating_ip::DRAWER,
        balancer::DRAWER,
        address_group::DRAWER,
        security_group::DRAWER,
        security_group::rule::DRAWER,
        quota::DRAWER,
        agent::DRAWER,
        availability::DRAWER,
    ],
};

pub(crate) type Drawer = api::Drawer<Room, Own>;

/// What this room asks of a drawer beyond what all do.
#[derive(Clone, Copy)]
pub struct Own {
    /// The kinds of keys under which its things stand in OVN.
    pub(crate) keys: &'static [keys::Kind],
    /// What projects may have a limited number of.
    pub(crate) quotas: &'static [quota::Quota],
    /// What it makes of the API beyond Neutron's core.
    pub(crate) extensions: &'static [extension::Extension],
}

impl Own {
    pub(crate) const NOTHING: Self = Self { keys: &[], quotas: &[], extensions: &[] };
}

/// The room. It implements `contracts::ports::Ports` and `contracts::audit::Audit`.
#[derive(Clone)]
pub struct Network {
    room: Arc<Room>,
}

impl Network {
    /// The databases need not be reachable; see [`Network::spawn`].
    pub fn new(store: Store, northbound: Northbound, southbound: Southbound, settings: Settings, policies: InForce) -> Self {
        Self { room: Arc::new(Room::new(store, northbound, southbound, settings, policies)) }
    }

    pub fn service(&self) -> Service {
        ROOM.service(&self.room)
    }

    /// The same room, doing the work of the lead that this store is bound to.
    #[must_use]
    pub fn led(&self, store: Store) -> Self {
        Self { room: Arc::new(self.room.led(store)) }
    }

    /// What every controller does: it knows the hosts that OVN works on. Ends when the handle is aborted.
    pub fn watch_hosts(&self) -> JoinHandle<()> {
        tokio::spawn(northbound::watch_hosts(self.room.clone()))
    }

    /// Starts the loops that keep OVN and the tables together, beside [`Self::watch_hosts`]: the business of the one
    /// controller that leads.
    pub fn spawn(&self, tasks: &mut Tasks) {
        self.spawn_writers(tasks);
        tasks.spawn(northbound::Sweep::new(self.room.clone()).run());
    }

    /// All of them but the one that looks whether OVN is as it should be.
    fn spawn_writers(&self, tasks: &mut Tasks) {
        let room = &self.room;
        tasks.reconcile(northbound::Reconciler::new(room.clone()), room.bell.clone());
        tasks.spawn(heed_other_controllers(room.clone()));
        tasks.spawn(northbound::Observer::new(room.clone()).run());
        tasks.spawn(northbound::Heartbeat::new(room.clone()).run());
    }

    /// Puts everything right that differs in OVN, now instead of by the clock; answers how much did.
    pub async fn sweep(&self) -> Result<usize, Refusal> {
        let swept = northbound::Sweep::new(self.room.clone()).repair().await;
        swept.map_err(|error| Refusal::unavailable(error.to_string()))
    }
}

/// What has rows in OVN, or changes those of others.
const TOLD_TO_OVN: [&str; 8] =
    ["address_group", "network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule"];

/// Looks for what must be told to OVN when another controller recorded a change of it.
async fn heed_other_controllers(room: Arc<Room>) {
    let mut wake = room.store.watch_others(&TOLD_TO_OVN);
    loop {
        wake.wait().await;
        room.bell.ring();
    }
}

impl Audit for Network {
    fn audit(&self) -> BoxFuture<'_, Result<Vec<Finding>, Refusal>> {
        Box::pin(async move {
            let unavailable = |error: northbound::ConvergeError| Refusal::unavailable(error.to_string());
            let differences = self.room.differences().await.map_err(unavailable)?;
            let misplaced = self.room.misplaced().await.map_err(unavailable)?;
            Ok(differences.into_iter().map(|difference| difference.finding).chain(misplaced).collect())
        })
    }

    fn remove_stray<'a>(&'a self, stray: &'a Finding) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move { self.room.release_stray(&stray.id).await })
    }
}
