// SPDX-License-Identifier: Apache-2.0
//! Placement: who has room, who holds how much of it. Placement API 1.39, without nested and sharing providers.
//!
//! Tables: providers, inventories, traits, consumers, allocations. Usage is never stored: it is the sum of the
//! allocations, taken in the same transaction that adds one, so it cannot drift.
//!
//! Invariant: no provider is ever allocated beyond its capacity (test: `a_race_for_the_last_room_has_one_winner`).

mod allocation;
mod candidate;
mod door;
mod error;
mod inventory;
mod names;
mod policy;
mod provider;
mod root;
#[cfg(test)]
mod tests;
mod usage;

use std::sync::Arc;

use api::{FaultStyle, Microversions, Routes, Service};
use store::{Migrations, Step, Store};
use types::Microversion;

pub use policy::{POLICIES, RULES};

pub const MIGRATIONS: Migrations = Migrations {
    room: "placement",
    steps: &[
        Step { number: 1, name: "placement", sql: include_str!("../migrations/0001_placement.sql") },
        Step { number: 2, name: "sums", sql: include_str!("../migrations/0002_sums.sql") },
    ],
};

/// The room. It implements `contracts::placement::Placement` and `contracts::audit::Audit`.
#[derive(Clone)]
pub struct Placement {
    store: Store,
}

impl Placement {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    pub fn service(&self) -> Service {
        let room = Arc::new(self.clone());
        let routes = Routes::new(room.clone())
            .join(root::routes(room.clone()))
            .join(provider::routes(room.clone()))
            .join(inventory::routes(room.clone()))
            .join(names::routes(room.clone()))
            .join(allocation::routes(room.clone()))
            .join(usage::routes(room.clone()))
            .join(candidate::routes(room));
        Service {
            name: "placement",
            prefix: "/placement",
            faults: FaultStyle::Placement,
            versions: Some(Microversions {
                name: "placement",
                legacy_header: None,
                min: Microversion::new(1, 0),
                max: Microversion::new(1, 39),
            }),
            routes: routes.into_list(),
        }
    }
}
