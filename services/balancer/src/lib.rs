// SPDX-License-Identifier: Apache-2.0
//! The balancer room: Octavia's API v2, and what load balancers are made of.
//!
//! A drawer for each noun. A load balancer and all that belongs to it is brought out together: each change makes its next
//! generation, and what was changed in one that was reached is as it shall be ([`life`]). A change never waits for the one
//! before it. Neighbours are known by their contracts only.

mod error;
mod flavor;
mod health_monitor;
mod input;
mod life;
mod listener;
mod load_balancer;
mod member;
mod policy;
mod pool;
mod provider;
mod quota;
#[cfg(test)]
mod tests;
mod thing;
mod tree;
mod version;

use std::sync::Arc;

use api::{Fault, FaultStyle, Room, Service};
use contracts::vips::Vips;
use store::{Actor, Step, Store, Tx};
use types::LoadBalancerId;
use work::{Bell, Tasks};

use error::Result;
use load_balancer::LoadBalancer;

pub use life::reconcile::CRASH_POINTS;

/// What the room is made of.
pub static ROOM: Room<Balancers> = Room {
    name: "balancer",
    prefix: "/load-balancer",
    faults: FaultStyle::Octavia,
    versions: None,
    steps: &[Step { number: 1, name: "balancers", sql: include_str!("../migrations/0001_balancers.sql") }],
    drawers: &[
        version::DRAWER,
        load_balancer::DRAWER,
        listener::DRAWER,
        pool::DRAWER,
        member::DRAWER,
        health_monitor::DRAWER,
        quota::DRAWER,
        provider::DRAWER,
        flavor::DRAWER,
    ],
};

pub(crate) type Drawer = api::Drawer<Balancers>;

/// Clients write the version in two ways.
const VERSION: (&str, &str) = ("/v2.0/", "/v2/");

pub struct Balancers {
    store: Store,
    vips: Arc<dyn Vips>,
    bell: Bell,
}

/// A change of a load balancer that is being made.
pub(crate) struct Edit<'a> {
    pub actor: &'a Actor,
    /// In its new generation.
    pub balancer: LoadBalancer,
}

impl Balancers {
    pub fn new(store: Store, vips: Arc<dyn Vips>) -> Arc<Self> {
        Arc::new(Self { store, vips, bell: Bell::new() })
    }

    /// The same room, doing the work of the lead that this store and this neighbour are bound to.
    pub fn led(&self, store: Store, vips: Arc<dyn Vips>) -> Arc<Self> {
        Arc::new(Self { store, vips, bell: self.bell.clone() })
    }

    /// The API, for the door.
    pub fn service(self: &Arc<Self>) -> Service {
        let mut routes = ROOM.table().of(self);
        let also: Vec<_> = routes
            .iter()
            .filter_map(|route| {
                let rest = route.path.strip_prefix(VERSION.0)?;
                // Once for each route of a process.
                let path: &'static str = Box::leak(format!("{}{rest}", VERSION.1).into_boxed_str());
                Some(api::Route { path, ..route.clone() })
            })
            .collect();
        routes.extend(also);
        ROOM.service_of(routes)
    }

    /// Starts what works on without being asked: the business of the one controller that leads.
    pub fn spawn_reconcilers(self: &Arc<Self>, tasks: &mut Tasks) {
        tasks.reconcile(life::reconcile::BalancerReconciler { room: self.clone() }, self.bell.clone());
        tasks.spawn(self.clone().heed_other_controllers());
        tasks.spawn(self.clone().heed_health());
    }

    /// Changes what belongs to this load balancer, which gets a new generation. What its provider cannot do is refused.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        actor: Actor,
        id: LoadBalancerId,
        edit: impl Fn(&mut Tx, &Edit<'_>) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T, Fault> {
        let of = id.clone();
        let made = self.store.write(move |tx| -> Result<T> {
            let balancer = load_balancer::table::begin(tx, &of)?;
            let edit_of = Edit { actor: &actor, balancer };
            let made = edit(tx, &edit_of)?;
            life::settle::after_change(tx, &edit_of)?;
            Ok(made)
        });
        let made = made.await?;
        self.bell.ring_for([id.as_str()]);
        Ok(made)
    }

    /// What other controllers changed is brought out here.
    async fn heed_other_controllers(self: Arc<Self>) {
        let mut wake = self.store.watch_others(&["load_balancer", "listener", "pool", "pool_member", "health_monitor"]);
        loop {
            wake.wait().await;
            self.bell.ring();
        }
    }
}

impl Edit<'_> {
    /// Something that belongs to the load balancer changes with it, and is on its way until this generation is reached.
    pub(crate) fn touch(&self, provisioning_status: &mut String, changed_in: &mut i64) {
        if provisioning_status != "PENDING_CREATE" {
            "PENDING_UPDATE".clone_into(provisioning_status);
        }
        *changed_in = self.balancer.generation;
    }
}
