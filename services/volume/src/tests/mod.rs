// SPDX-License-Identifier: Apache-2.0
//! Conversations with the room over its real route table, and lives of volumes from create to delete.
#![allow(clippy::unwrap_used, clippy::panic)]

mod crash;
mod doors;
mod far;
mod groups;
mod hostile;
mod key_by_key;
mod kinds;
mod life;
mod lists;
mod operator;
mod tenants;
mod transfers;

use std::sync::Arc;

use contracts::volumes::Servers;
use serde_json::{Value, json};
use types::VolumeId;
use work::{Board, Tasks};
use world::{Talk, World, policies_in_force};

use crate::{BlockStorage, Neighbours, volume::Volume};
use far::Far;

/// A cloud as the volume room sees it.
pub(super) struct Cloud {
    /// Holds the folder of the database.
    _world: World,
    pub(super) room: Arc<BlockStorage>,
    pub(super) far: Arc<Far>,
    pub(super) talk: Talk,
    reconcilers: Option<Tasks>,
}

impl Cloud {
    /// Two hosts, the second with more room, and reconcilers at work.
    pub(super) async fn new() -> Self {
        Self::with(&[("h1", 100), ("h2", 200)]).await
    }

    pub(super) async fn with(hosts: &[(&str, u64)]) -> Self {
        let mut cloud = Self::asleep(hosts).await;
        cloud.wake();
        cloud
    }

    /// The same where nothing is reconciled yet.
    pub(super) async fn asleep(hosts: &[(&str, u64)]) -> Self {
        let world = World::new(&[crate::ROOM.migrations()]).await;
        Self::over(world, Far::kept_in(None, hosts)).await
    }

    pub(super) async fn over(world: World, far: Arc<Far>) -> Self {
        let neighbours = Neighbours { images: far.clone(), nodes: far.clone() };
        let policies = policies_in_force(&crate::ROOM.policies(), &crate::ROOM.rules());
        let room = BlockStorage::new(world.store.clone(), neighbours, policies);
        far.serve(&room);
        let servers: Arc<dyn Servers> = far.clone();
        room.serves(Arc::downgrade(&servers));
        room.ensure_default_type().await.unwrap();
        let talk = world.talk(vec![room.service()], &crate::ROOM.policies(), &crate::ROOM.rules()).version("volume 3.71");
        Self { _world: world, room, far, talk, reconcilers: None }
    }

    pub(super) fn wake(&mut self) {
        let mut tasks = Tasks::new(Board::default());
        self.room.spawn_reconcilers(&mut tasks);
        self.reconcilers = Some(tasks);
    }

    pub(super) fn member(&self) -> Talk {
        self.talk.as_("member@p1")
    }

    pub(super) fn admin(&self) -> Talk {
        self.talk.as_("admin@p1")
    }

    /// A volume of the first tenant, once it is there.
    pub(super) async fn volume(&self, size: i64) -> String {
        let id = self.begin(json!({"size": size})).await;
        self.until(&id, "available").await;
        id
    }

    /// One that was asked for like this.
    pub(super) async fn begin(&self, ask: Value) -> String {
        id_of(&self.member().post("/volume/v3/volumes", json!({"volume": ask})).await.expect(202)["volume"])
    }

    pub(super) async fn act(&self, id: &str, action: Value) -> world::Said {
        self.member().post(&format!("/volume/v3/volumes/{id}/action"), action).await
    }

    pub(super) async fn show(&self, id: &str) -> Value {
        self.admin().get(&format!("/volume/v3/volumes/{id}")).await.expect(200)["volume"].clone()
    }

    pub(super) async fn until(&self, id: &str, status: &str) -> Value {
        self.until_it(&format!("/volume/v3/volumes/{id}"), "volume", status).await
    }

    /// Waits until a thing has this status, or is gone.
    pub(super) async fn until_it(&self, path: &str, key: &str, status: &str) -> Value {
        let mut last = Value::Null;
        for _ in 0..1000 {
            let said = self.admin().get(path).await;
            if said.status == 404 && status == "gone" {
                return Value::Null;
            }
            last = said.body[key].clone();
            if last["status"] == status {
                return last;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{path} is not {status} after ten seconds: {last}");
    }

    pub(super) async fn snapshot(&self, volume: &str) -> String {
        let made = self.member().post("/volume/v3/snapshots", json!({"snapshot": {"volume_id": volume}})).await.expect(202);
        let id = id_of(&made["snapshot"]);
        self.until_it(&format!("/volume/v3/snapshots/{id}"), "snapshot", "available").await;
        id
    }

    pub(super) async fn row(&self, id: &str) -> Volume {
        let id = VolumeId::new(id);
        self.room.store.read(move |tx| crate::volume::table::find(tx, &id)).await.unwrap().unwrap()
    }
}

pub(super) fn id_of(thing: &Value) -> String {
    thing["id"].as_str().unwrap().to_owned()
}
