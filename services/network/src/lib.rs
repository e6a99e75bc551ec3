// SPDX-License-Identifier: Apache-2.0
//! Network: Neutron's API v2.0 over real OVN.
//!
//! Handlers write desired state and its event to the tables, and mark in the same transaction which keys OVN must be told
//! about ([`keys`]). [`northbound`] makes OVN so and reports back. Nothing that a user asks for waits for OVN, and nothing
//! is lost while OVN cannot be reached.
//!
//! One drawer a noun: [`network`], [`subnet`], [`port`], [`router`], [`floating_ip`], [`security_group`] (with its rules);
//! beside them [`ipam`], which hands out addresses, and [`door`], what compute asks of this room.

mod agent;
mod availability;
mod door;
mod error;
mod extension;
mod floating_ip;
mod input;
mod ipam;
mod keys;
mod listing;
mod network;
mod northbound;
mod pick;
mod port;
mod quota;
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

use access::{InForce, Policy};
use api::{FaultStyle, Routes, Service};
use contracts::{
    BoxFuture, Refusal,
    audit::{Audit, Finding},
};
use ovn::{northbound::Northbound, southbound::Southbound};
use store::{Migrations, Step, Store};
use tokio::task::JoinHandle;
use work::Tasks;

pub(crate) use error::{Error, Result};
pub(crate) use room::Room;
pub use settings::Settings;

pub const MIGRATIONS: Migrations = Migrations {
    room: "network",
    steps: &[
        Step { number: 1, name: "networks", sql: include_str!("../migrations/0001_networks.sql") },
        Step { number: 2, name: "subnet pools", sql: include_str!("../migrations/0002_subnet_pools.sql") },
        Step { number: 3, name: "normalized prefixes", sql: include_str!("../migrations/0003_normalized_prefixes.sql") },
        Step { number: 4, name: "tombstones", sql: include_str!("../migrations/0004_tombstones.sql") },
    ],
};

pub static POLICIES: &[&Policy] = &[
    &network::api::GET,
    &network::api::GET_PROVIDER,
    &network::api::CREATE,
    &network::api::CREATE_SHARED,
    &network::api::CREATE_EXTERNAL,
    &network::api::CREATE_PROVIDER,
    &network::api::UPDATE,
    &network::api::UPDATE_SHARED,
    &network::api::UPDATE_EXTERNAL,
    &network::api::DELETE,
    &subnet::api::GET,
    &subnet::api::CREATE,
    &subnet::api::UPDATE,
    &subnet::api::DELETE,
    &port::api::GET,
    &port::api::GET_BINDING,
    &port::api::CREATE,
    &port::api::CREATE_DEVICE_OWNER,
    &port::api::CREATE_MAC,
    &port::api::CREATE_FIXED_IP,
    &port::api::CREATE_PORT_SECURITY,
    &port::api::CREATE_PAIRS,
    &port::api::CREATE_BINDING,
    &port::api::UPDATE,
    &port::api::DELETE,
    &router::api::GET,
    &router::api::CREATE,
    &router::api::UPDATE,
    &router::api::SNAT,
    &router::api::EXTERNAL_FIXED_IPS,
    &router::api::DELETE,
    &router::api::ADD_INTERFACE,
    &router::api::REMOVE_INTERFACE,
    &router::api::INTERFACE_ON,
    &floating_ip::api::GET,
    &floating_ip::api::CREATE,
    &floating_ip::api::CREATE_ADDRESS,
    &floating_ip::api::UPDATE,
    &floating_ip::api::DELETE,
    &security_group::api::GET,
    &security_group::api::CREATE,
    &security_group::api::UPDATE,
    &security_group::api::DELETE,
    &security_group::rule::api::GET,
    &security_group::rule::api::CREATE,
    &security_group::rule::api::DELETE,
    &quota::api::GET,
    &quota::api::UPDATE,
    &quota::api::DELETE,
    &agent::GET,
    &agent::ZONES,
    &availability::GET,
    &availability::GET_POOL,
    &availability::GET_PROVIDER,
    &subnet_pool::api::GET,
    &subnet_pool::api::CREATE,
    &subnet_pool::api::CREATE_SHARED,
    &subnet_pool::api::UPDATE,
    &subnet_pool::api::DELETE,
];

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
        let room = &self.room;
        let routes = Routes::new(room.clone())
            .join(version::routes(room))
            .join(extension::routes(room))
            .join(network::api::routes(room))
            .join(subnet::api::routes(room))
            .join(subnet_pool::api::routes(room))
            .join(port::api::routes(room))
            .join(router::api::routes(room))
            .join(floating_ip::api::routes(room))
            .join(security_group::api::routes(room))
            .join(security_group::rule::api::routes(room))
            .join(tag::api::routes(room))
            .join(quota::api::routes(room))
            .join(agent::routes(room))
            .join(availability::routes(room));
        Service { name: "network", prefix: "/network", faults: FaultStyle::Neutron, versions: None, routes: routes.into_list() }
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
        let room = &self.room;
        tasks.reconcile(northbound::Reconciler::new(room.clone()), room.bell.clone());
        tasks.spawn(heed_other_controllers(room.clone()));
        tasks.spawn(northbound::Observer::new(room.clone()).run());
        tasks.spawn(northbound::Sweep::new(room.clone()).run());
        tasks.spawn(northbound::Heartbeat::new(room.clone()).run());
    }

    /// Puts everything right that differs in OVN, now instead of by the clock; answers how much did.
    pub async fn sweep(&self) -> Result<usize, Refusal> {
        let swept = northbound::Sweep::new(self.room.clone()).repair().await;
        swept.map_err(|error| Refusal::unavailable(error.to_string()))
    }
}

/// Looks for what must be told to OVN when another controller recorded a change of anything.
async fn heed_other_controllers(room: Arc<Room>) {
    let mut wake = room.store.watch_others(&["*"]);
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
