// SPDX-License-Identifier: Apache-2.0
//! Conversations with the room over its real route table, and lives of servers from create to delete.
#![allow(clippy::unwrap_used, clippy::panic)]

mod actions;
mod bad_input;
mod consoles;
mod costs;
mod crash;
mod far;
mod flavors;
mod guests;
mod interfaces;
mod life;
mod lists;
mod moves;
mod operations;
mod operator;
mod put_back;
mod rebuild;
mod snapshots;
mod trouble;
mod versions;
mod volumes;

use std::{sync::Arc, time::Duration};

use contracts::{
    node::{MachineDesired, Thing, ThingId},
    nodes::DesiredSource,
    placement::{Inventory, Placement as _},
};
use serde_json::{Value, json};
use store::Store;
use types::NodeId;
use work::{Board, Tasks};
use world::{Talk, World};

use crate::{Compute, Neighbours, Patience};
use far::Far;

pub(super) const IMAGE: &str = "11111111-1111-4111-8111-111111111111";
pub(super) const NETWORK: &str = "22222222-2222-4222-8222-222222222222";

/// A cloud as compute sees it: the real placement, and a far side for the rest.
pub(super) struct Cloud {
    pub(super) world: World,
    pub(super) compute: Arc<Compute>,
    pub(super) placement: placement::Placement,
    far: Arc<Far>,
    pub(super) talk: Talk,
    reconcilers: Option<Tasks>,
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Cloud {
    /// The machines that this host shall have.
    async fn wanted(&self, host: &NodeId) -> Vec<MachineDesired> {
        self.compute.all(host).await.unwrap().iter().filter_map(Thing::as_machine).cloned().collect()
    }

    /// The things that it shall give up.
    async fn released(&self, host: &NodeId) -> Vec<ThingId> {
        let things = self.compute.all(host).await.unwrap();
        things.into_iter().filter(Thing::is_released).map(|thing| thing.id).collect()
    }

    /// With these hosts, each of 8 vCPUs and 8 GiB, and reconcilers at work.
    pub(super) async fn with_hosts(hosts: &[&str]) -> Self {
        let mut cloud = Self::asleep(hosts).await;
        cloud.wake();
        cloud
    }

    /// The same where nothing is reconciled yet.
    pub(super) async fn asleep(hosts: &[&str]) -> Self {
        let world = World::new(&[crate::ROOM.migrations(), placement::ROOM.migrations()]).await;
        Self::over(world, Far::new(None, hosts), Patience::default()).await
    }

    async fn over(world: World, far: Arc<Far>, patience: Patience) -> Self {
        let placement = placement::Placement::new(world.store.clone());
        for node in far.hosts() {
            give_room(&placement, &node, 8, 8192).await;
        }
        let neighbours = Neighbours {
            images: far.clone(),
            placement: Arc::new(placement.clone()),
            ports: far.clone(),
            volumes: far.clone(),
            nodes: far.clone(),
            callers: world.authenticator(),
        };
        let compute = Compute::with_patience(world.store.clone(), neighbours, patience);
        far.serve(&compute);
        compute.ensure_standard_flavors().await.unwrap();
        let talk = world
            .talk(vec![compute.service(), compute.consoles()], &crate::ROOM.policies(), &crate::ROOM.rules())
            .version("compute 2.96");
        Self { world, compute, placement, far, talk, reconcilers: None }
    }

    pub(super) fn wake(&mut self) {
        let mut tasks = Tasks::new(Board::default());
        self.compute.spawn_reconcilers(&mut tasks);
        self.reconcilers = Some(tasks);
    }

    pub(super) fn stop(&mut self) {
        self.reconcilers = None;
    }

    pub(super) fn member(&self) -> Talk {
        self.talk.as_("member@p1")
    }

    pub(super) fn admin(&self) -> Talk {
        self.talk.as_("admin@p1")
    }

    pub(super) fn store(&self) -> &Store {
        &self.world.store
    }

    /// A server of the first tenant, as it is answered.
    pub(super) async fn create(&self, name: &str) -> String {
        id_of(self.member().post("/compute/v2.1/servers", server(name)).await.expect(202))
    }

    /// Waits until the server has this status.
    pub(super) async fn until(&self, id: &str, status: &str) -> Value {
        let mut last = Value::Null;
        for _ in 0..500 {
            last = self.admin().get(&format!("/compute/v2.1/servers/{id}")).await.body;
            if last["server"]["status"] == status {
                return last["server"].clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("server {id} is not {status} after five seconds: {last}");
    }

    pub(super) async fn until_gone(&self, id: &str) {
        for _ in 0..500 {
            if self.admin().get(&format!("/compute/v2.1/servers/{id}")).await.status == 404 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("server {id} is there after five seconds");
    }

    /// Nothing is held for any server any more, by anybody.
    pub(super) async fn assert_clean(&self) {
        self.assert_words().await;
        assert_eq!(self.far.ran_twice(), [] as [String; 0], "no server runs twice");
        assert_eq!(self.placement.consumers().await.unwrap(), []);
        assert_eq!(self.far.ports(), [] as [String; 0]);
        assert_eq!(self.far.machines(), [] as [String; 0]);
        let claims = self.store().read(|tx| tx.query("SELECT server_id, kind FROM server_claims", &[])).await.unwrap();
        assert_eq!(claims.len(), 0);
        let findings = contracts::audit::Audit::audit(&*self.compute).await.unwrap();
        assert_eq!(findings, []);
    }
}

pub(super) fn id_of(answer: Value) -> String {
    answer["server"]["id"].as_str().unwrap().to_owned()
}

/// The body of a usual create.
pub(super) fn server(name: &str) -> Value {
    json!({"server": {"name": name, "imageRef": IMAGE, "flavorRef": "m1.tiny", "networks": [{"uuid": NETWORK}]}})
}

/// The usual body with one field set otherwise.
pub(super) fn server_with(key: &str, value: Value) -> Value {
    let mut body = server("web");
    body["server"][key] = value;
    body
}

pub(super) async fn give_room(placement: &placement::Placement, node: &NodeId, vcpus: i64, memory_mb: i64) {
    let amount = |total| Inventory { total, reserved: 0, allocation_ratio: 1.0 };
    let inventories = [("VCPU", vcpus), ("MEMORY_MB", memory_mb), ("DISK_GB", 1000)];
    let inventories = inventories.into_iter().map(|(class, total)| (class.to_owned(), amount(total))).collect();
    placement.ensure_provider(node, node.as_str(), &inventories, &Default::default()).await.unwrap();
}
