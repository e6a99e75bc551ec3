// SPDX-License-Identifier: Apache-2.0
//! Conversations with the room over its real route table, and lives of load balancers from create to delete.
#![allow(clippy::unwrap_used, clippy::panic)]

mod crash;
mod far;
mod hostile;
mod life;
mod lists;
mod quotas;
mod shapes;
mod tenants;

use std::sync::Arc;

use serde_json::{Value, json};
use work::{Board, Tasks};
use world::{Talk, World};

use crate::Balancers;
use far::Far;

pub const SUBNET: &str = "d4af86e1-0051-488c-b7a0-527f97490c9a";

/// A cloud as this room sees it.
pub struct Cloud {
    /// Holds the folder of the database.
    _world: World,
    pub room: Arc<Balancers>,
    pub far: Arc<Far>,
    pub talk: Talk,
    reconcilers: Option<Tasks>,
}

impl Cloud {
    pub async fn new() -> Self {
        let mut cloud = Self::asleep().await;
        cloud.wake();
        cloud
    }

    /// Where nothing is brought out yet.
    pub async fn asleep() -> Self {
        let world = World::new(&[crate::ROOM.migrations()]).await;
        Self::over(world, Far::kept_in(None))
    }

    pub fn over(world: World, far: Arc<Far>) -> Self {
        let room = Balancers::new(world.store.clone(), far.clone());
        let talk = world.talk(vec![room.service()], &crate::ROOM.policies(), &crate::ROOM.rules());
        Self { _world: world, room, far, talk, reconcilers: None }
    }

    pub fn wake(&mut self) {
        let mut tasks = Tasks::new(Board::default());
        self.room.spawn_reconcilers(&mut tasks);
        self.reconcilers = Some(tasks);
    }

    pub fn member(&self) -> Talk {
        self.talk.as_("member@p1")
    }

    pub async fn make(&self, many: &str, one: &str, ask: Value) -> Value {
        self.member().post(&path(many), json!({ one: ask })).await.expect(201)[one].clone()
    }

    /// A load balancer with a listener and a pool.
    pub async fn balancer(&self) -> (String, String, String) {
        let balancer = id(&self.make("loadbalancers", "loadbalancer", json!({"name": "front", "vip_subnet_id": SUBNET})).await);
        let ask = json!({"loadbalancer_id": balancer, "protocol": "TCP", "protocol_port": 80});
        let listener = id(&self.make("listeners", "listener", ask).await);
        let ask = json!({"listener_id": listener, "protocol": "TCP", "lb_algorithm": "SOURCE_IP_PORT"});
        let pool = id(&self.make("pools", "pool", ask).await);
        (balancer, listener, pool)
    }

    pub async fn add(&self, pool: &str, address: &str) -> String {
        let ask = json!({"address": address, "protocol_port": 80});
        id(&self.make(&format!("pools/{pool}/members"), "member", ask).await)
    }

    pub async fn show(&self, path_of: &str, one: &str) -> Value {
        self.member().get(&path(path_of)).await.expect(200)[one].clone()
    }

    /// Waits until a thing is so, or is gone.
    pub async fn until(&self, path_of: &str, one: &str, field: &str, word: &str) -> Value {
        let mut last = Value::Null;
        for _ in 0..1000 {
            let said = self.member().get(&path(path_of)).await;
            if said.status == 404 && word == "gone" {
                return Value::Null;
            }
            last = said.body[one].clone();
            if last[field] == word {
                return last;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{path_of} is not {word} after ten seconds: {last}");
    }

    pub async fn until_active(&self, balancer: &str) -> Value {
        self.until(&format!("loadbalancers/{balancer}"), "loadbalancer", "provisioning_status", "ACTIVE").await
    }
}

pub fn path(rest: &str) -> String {
    format!("/load-balancer/v2.0/lbaas/{rest}")
}

pub fn id(thing: &Value) -> String {
    thing["id"].as_str().unwrap().to_owned()
}
