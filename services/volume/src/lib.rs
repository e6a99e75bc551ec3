// SPDX-License-Identifier: Apache-2.0
//! The volume room: Cinder's API v3, and the life of volumes and snapshots on the nodes that keep them.
//!
//! A drawer for each noun. What is wanted of a volume is written down by the API or by compute, brought about by its node, and
//! told by it; [`life`] is what passes between. Neighbours are known by their contracts only.

mod attachment;
mod discovery;
mod error;
mod filter;
mod group;
mod group_snapshot;
mod group_type;
mod host;
mod input;
mod life;
mod limits;
mod links;
mod message;
mod neighbour;
mod policy;
mod qos;
mod query;
mod quota;
mod resource_filter;
mod snapshot;
#[cfg(test)]
mod tests;
mod transfer;
mod versions;
mod volume;
mod volume_type;
mod zone;

use std::{
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use access::InForce;
use api::{Cx, Fault, FaultStyle, Room, Service};
use contracts::{Refusal, images::Images, node::ThingId, nodes::Nodes, volumes::Servers};
use store::{Step, Store, Tx};
use types::{ServerId, VolumeId};
use work::{Bell, Tasks};

use error::Result;
use volume::Volume;

pub use life::reconcile::CRASH_POINTS;
pub use versions::HISTORY;

/// What the room is made of.
pub static ROOM: Room<BlockStorage> = Room {
    name: "volume",
    prefix: "/volume",
    faults: FaultStyle::Cinder,
    versions: Some(versions::MICROVERSIONS),
    steps: &[Step { number: 1, name: "volumes", sql: include_str!("../migrations/0001_volumes.sql") }],
    drawers: &[
        volume::DRAWER,
        snapshot::DRAWER,
        attachment::DRAWER,
        volume_type::DRAWER,
        qos::DRAWER,
        group_type::DRAWER,
        group::DRAWER,
        group_snapshot::DRAWER,
        quota::DRAWER,
        limits::DRAWER,
        host::DRAWER,
        transfer::DRAWER,
        message::DRAWER,
        zone::DRAWER,
        resource_filter::DRAWER,
        discovery::DRAWER,
        life::DRAWER,
    ],
};

pub(crate) type Drawer = api::Drawer<BlockStorage>;

/// The rooms that this one leans on.
#[derive(Clone)]
pub struct Neighbours {
    pub images: Arc<dyn Images>,
    pub nodes: Arc<dyn Nodes>,
}

/// How long things are waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long a volume may take to be made, with its image on the way.
    pub making: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { making: Duration::from_secs(3600) }
    }
}

pub struct BlockStorage {
    store: Store,
    images: Arc<dyn Images>,
    nodes: Arc<dyn Nodes>,
    policies: InForce,
    bell: Bell,
    patience: Patience,
    /// Compute leans on this room, so that it is known only after both stand.
    servers: OnceLock<Weak<dyn Servers>>,
}

impl BlockStorage {
    pub fn new(store: Store, neighbours: Neighbours, policies: InForce) -> Arc<Self> {
        Self::with_patience(store, neighbours, policies, Patience::default())
    }

    pub fn with_patience(store: Store, neighbours: Neighbours, policies: InForce, patience: Patience) -> Arc<Self> {
        let Neighbours { images, nodes } = neighbours;
        Arc::new(Self { store, images, nodes, policies, bell: Bell::new(), patience, servers: OnceLock::new() })
    }

    /// The same room, doing the work of the lead that this store and these neighbours are bound to.
    pub fn led(&self, store: Store, neighbours: Neighbours) -> Arc<Self> {
        let Neighbours { images, nodes } = neighbours;
        let (policies, bell, patience) = (self.policies.clone(), self.bell.clone(), self.patience);
        Arc::new(Self { store, images, nodes, policies, bell, patience, servers: OnceLock::new() })
    }

    /// Whom to tell of what concerns servers. Said once, by the wiring.
    pub fn serves(&self, servers: Weak<dyn Servers>) {
        let _ = self.servers.set(servers);
    }

    /// The API, for the door.
    pub fn service(self: &Arc<Self>) -> Service {
        ROOM.service(self)
    }

    /// Starts what works on without being asked: the business of the one controller that leads.
    pub fn spawn_reconcilers(self: &Arc<Self>, tasks: &mut Tasks) {
        tasks.reconcile(life::VolumeReconciler { room: self.clone() }, self.bell.clone());
        tasks.spawn(self.clone().heed_other_controllers());
        tasks.spawn(self.clone().heed_images());
    }

    /// Makes the first volume type where there is none yet.
    pub async fn ensure_default_type(&self) -> Result<(), Refusal> {
        Ok(self.store.write(volume_type::table::seed).await?)
    }

    /// Something else is wanted of this volume: its node hears of it, and whoever brings it further.
    fn tell(&self, volume: &Volume) {
        self.bell.ring_for([volume.id.as_str()]);
        if let Some(node) = &volume.node_id {
            self.nodes.tell(node, &[ThingId::volume(&volume.id)]);
        }
    }

    /// The volume that the path names.
    async fn volume(&self, cx: &Cx) -> Result<Volume, Fault> {
        let (allowed, id) = (cx.allowed()?.clone(), VolumeId::new(cx.param("id")));
        Ok(self.store.read(move |tx| volume::table::get(tx, &allowed, &id)).await?)
    }

    /// Changes the volume that the path names, as it is now, and has it known.
    async fn change(
        &self,
        cx: &Cx,
        verb: &'static str,
        edit: impl Fn(&mut Tx, Volume) -> Result<Volume> + Send + Sync + 'static,
    ) -> Result<Volume, Fault> {
        let (allowed, id, actor) = (cx.allowed()?.clone(), VolumeId::new(cx.param("id")), cx.actor());
        let changed = self.store.write(move |tx| -> Result<Volume> {
            let before = volume::table::get(tx, &allowed, &id)?;
            let after = edit(tx, before.clone())?;
            volume::table::save(tx, &actor, verb, &before, after)
        });
        let changed = changed.await?;
        self.tell(&changed);
        Ok(changed)
    }

    async fn ring_servers_of(&self, volume: &VolumeId) {
        self.ring_servers_of_all(vec![volume.clone()]).await;
    }

    /// Servers that have these volumes, or wait for them, are looked at again.
    async fn ring_servers_of_all(&self, volumes: Vec<VolumeId>) {
        let Some(servers) = self.servers.get().and_then(Weak::upgrade) else { return };
        let read = self.store.list(move |tx| attachment::table::of_volumes(tx, &volumes));
        match read.await {
            Ok(attachments) => {
                let held = attachments.into_values().flatten().filter(|attachment| attachment.by_compute);
                let ids: Vec<ServerId> = held.filter_map(|attachment| attachment.server_id.map(ServerId::new)).collect();
                if !ids.is_empty() {
                    servers.volumes_changed(&ids);
                }
            }
            Err(error) => tracing::warn!(%error, "servers learn of their volumes by the clock"),
        }
    }

    /// What other controllers changed is told to nodes from here.
    async fn heed_other_controllers(self: Arc<Self>) {
        let mut wake = self.store.watch_others(&["volume"]);
        loop {
            let ids = wake.wait().await.ids::<VolumeId>("volume");
            let Some(ids) = ids else {
                self.bell.ring();
                continue;
            };
            self.bell.ring_for(ids.iter().map(VolumeId::as_str));
            let read = self.store.list(move |tx| volume::table::rows(tx, &volume::table::select().filter_in("id", &ids)));
            match read.await {
                Ok(volumes) => volumes.iter().for_each(|volume| self.tell(volume)),
                Err(error) => tracing::warn!(%error, "nodes learn of changes with the next one, or by the clock"),
            }
        }
    }

    /// An image that is deleted ends the copy that it was to become; one that got its data, too.
    async fn heed_images(self: Arc<Self>) {
        let mut wake = self.store.watch(&["image"]);
        loop {
            wake.wait().await;
            self.bell.ring();
        }
    }
}
