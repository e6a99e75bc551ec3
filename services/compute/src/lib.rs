// SPDX-License-Identifier: Apache-2.0
//! The compute room: Nova's API v2.1, and the life of servers across image, placement, network and the nodes.
//!
//! A drawer for each noun. [`server`] has a life of its own: what is wanted is written down by the API, brought about
//! by its reconciler, and told by the nodes. Neighbours are known by their contracts only.

mod availability_zone;
mod discovery;
mod error;
mod flavor;
mod hypervisor;
mod input;
mod instance_action;
mod keypair;
mod limits;
mod links;
mod policy;
mod query;
mod quota;
mod server;
mod service;
#[cfg(test)]
mod tests;
mod versions;

use std::{sync::Arc, time::Duration};

use api::{FaultStyle, Room, Service};
use bounds::Places;
use contracts::{
    Refusal,
    caller::Authenticator,
    images::Images,
    nodes::{NodeFacts, Nodes},
    placement::Placement,
    ports::Ports,
    volumes::Volumes,
};
use server::{reminder::Told, schedule::Hosts};
use store::{Step, Store};
use types::Timestamp;
use work::{Bell, Tasks};

pub use server::reconcile::CRASH_POINTS;
pub use versions::HISTORY;

/// What the room is made of.
pub static ROOM: Room<Compute> = Room {
    name: "compute",
    prefix: "/compute",
    faults: FaultStyle::Nova,
    versions: Some(versions::MICROVERSIONS),
    steps: &[Step { number: 1, name: "compute", sql: include_str!("../migrations/0001_compute.sql") }],
    drawers: &[
        server::DRAWER,
        flavor::DRAWER,
        keypair::DRAWER,
        hypervisor::DRAWER,
        service::DRAWER,
        availability_zone::DRAWER,
        instance_action::DRAWER,
        quota::DRAWER,
        limits::DRAWER,
        discovery::DRAWER,
    ],
};

pub(crate) type Drawer = api::Drawer<Compute>;

/// The rooms that compute leans on.
#[derive(Clone)]
pub struct Neighbours {
    pub images: Arc<dyn Images>,
    pub placement: Arc<dyn Placement>,
    pub ports: Arc<dyn Ports>,
    pub volumes: Arc<dyn Volumes>,
    pub nodes: Arc<dyn Nodes>,
    /// Who a token's bearer is, and whether he still is: asked of those who have a console open.
    pub callers: Arc<dyn Authenticator>,
}

/// Consoles that are open at once, and those of one project.
const CONSOLES: usize = 128;
const CONSOLES_OF_A_PROJECT: usize = 16;

/// How long things are waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A node that was away for so long is not asked any more whether a machine is gone.
    pub dead_node: Duration,
    /// A node that was away for less may be about to come back: after a restart of the controller all of them are.
    pub returning_node: Duration,
    /// How long a host may take to do what it was told: start, stop, reboot.
    pub node: Duration,
    /// How long a guest may take to let go of a device.
    pub guest: Duration,
    /// How long a server may take to be built.
    pub build: Duration,
    /// How long a disk may be on its way.
    pub transfer: Duration,
    /// How long deleted servers can still be read, by the operator.
    pub shadow: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            dead_node: Duration::from_secs(300),
            returning_node: Duration::from_secs(30),
            node: Duration::from_secs(600),
            guest: Duration::from_secs(160),
            build: Duration::from_secs(3600),
            transfer: Duration::from_secs(6 * 3600),
            shadow: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

pub struct Compute {
    store: Store,
    images: Arc<dyn Images>,
    placement: Arc<dyn Placement>,
    ports: Arc<dyn Ports>,
    volumes: Arc<dyn Volumes>,
    nodes: Arc<dyn Nodes>,
    callers: Arc<dyn Authenticator>,
    consoles: Places<String>,
    bell: Bell,
    patience: Patience,
    hosts: Hosts,
    told: Arc<Told>,
    /// Since when nodes could connect.
    started: Timestamp,
}

impl Compute {
    pub fn new(store: Store, neighbours: Neighbours) -> Arc<Self> {
        Self::with_patience(store, neighbours, Patience::default())
    }

    pub fn with_patience(store: Store, neighbours: Neighbours, patience: Patience) -> Arc<Self> {
        let Neighbours { images, placement, ports, volumes, nodes, callers } = neighbours;
        Arc::new(Self {
            store,
            images,
            placement,
            ports,
            volumes,
            nodes,
            callers,
            consoles: Places::new(CONSOLES, CONSOLES_OF_A_PROJECT),
            bell: Bell::new(),
            patience,
            hosts: Hosts::default(),
            told: Arc::default(),
            started: Timestamp::now(),
        })
    }

    /// The same room, doing the work of the lead that this store and these neighbours are bound to.
    pub fn led(&self, store: Store, neighbours: Neighbours) -> Arc<Self> {
        let Neighbours { images, placement, ports, volumes, nodes, callers } = neighbours;
        let (bell, told) = (self.bell.clone(), self.told.clone());
        Arc::new(Self {
            store,
            images,
            placement,
            ports,
            volumes,
            nodes,
            callers,
            consoles: self.consoles.clone(),
            bell,
            patience: self.patience,
            hosts: Hosts::default(),
            told,
            started: Timestamp::now(),
        })
    }

    /// The API, for the door.
    pub fn service(self: &Arc<Self>) -> Service {
        ROOM.service(self)
    }

    /// Where consoles are opened, for the door: no API, and no part of the catalog.
    pub fn consoles(self: &Arc<Self>) -> Service {
        let routes = server::console::door().of(self);
        Service { name: "console", prefix: "/console", faults: FaultStyle::Nova, versions: None, routes }
    }

    /// Starts what works on without being asked: the business of the one controller that leads.
    pub fn spawn_reconcilers(self: &Arc<Self>, tasks: &mut Tasks) {
        let reconciler = server::reconcile::ServerReconciler { room: self.clone() };
        tasks.reconcile(reconciler, self.bell.clone());
        tasks.spawn(forget_shadows(self.clone()));
        tasks.spawn(self.clone().heed_floating_ips());
        tasks.spawn(self.clone().heed_other_controllers());
        tasks.spawn(self.clone().heed_images());
        tasks.spawn(self.clone().remind_nodes());
    }

    /// Whether a node is not connected and was not for so long, as far as this process can know.
    fn is_away(&self, node: &NodeFacts, time: Duration) -> bool {
        let since = node.seen_at.max(self.started);
        !node.up && since.plus(time) < Timestamp::now()
    }

    /// Makes the customary flavors where there are none yet.
    pub async fn ensure_standard_flavors(&self) -> Result<(), Refusal> {
        self.store.write(flavor::table::seed).await?;
        Ok(())
    }
}

/// Removes the rows of servers that were deleted long ago, and of what was done to any long ago.
async fn forget_shadows(room: Arc<Compute>) {
    const AT_ONCE: i64 = 500;
    // More are over in an hour only where somebody does nothing else.
    const MOST_OPERATIONS: i64 = 20_000;
    loop {
        let long_ago =
            Timestamp(Timestamp::now().0.saturating_sub(i64::try_from(room.patience.shadow.as_micros()).unwrap_or(i64::MAX)));
        let forgotten = room
            .store
            .write(move |tx| -> store::Result<_> {
                let old = "SELECT id FROM servers WHERE deleted_at < $1 ORDER BY deleted_at LIMIT $2";
                tx.execute(
                    &format!("DELETE FROM server_actions WHERE server_id IN ({old})"),
                    &store::params![long_ago, AT_ONCE],
                )?;
                let over = "SELECT id FROM server_operations WHERE finished_at < $1 ORDER BY finished_at LIMIT $2";
                tx.execute(
                    &format!("DELETE FROM server_operations WHERE id IN ({over})"),
                    &store::params![long_ago, MOST_OPERATIONS],
                )?;
                tx.execute(&format!("DELETE FROM servers WHERE id IN ({old})"), &store::params![long_ago, AT_ONCE])
            })
            .await;
        if let Err(error) = forgotten {
            tracing::warn!(%error, "servers deleted long ago could not be forgotten");
        }
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
}
