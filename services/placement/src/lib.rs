// SPDX-License-Identifier: Apache-2.0
//! Placement: who has room, who holds how much of it. Placement API 1.39, without nested and sharing providers.
//!
//! Tables: providers, inventories, traits, consumers, allocations. Usage is never stored: it is the sum of the
//! allocations, taken in the same transaction that adds one, so it cannot drift.
//!
//! Invariant: no provider is ever allocated beyond its capacity (test: `a_race_for_the_last_room_has_one_winner`).

mod allocation;
mod candidate;
mod error;
mod inventory;
mod names;
mod neighbour;
mod policy;
mod provider;
mod root;
#[cfg(test)]
mod tests;
mod usage;

use std::sync::Arc;

use api::{FaultStyle, Microversions, Room, Service};
use store::{Step, Store};
use types::Microversion;

/// What the room is made of.
pub static ROOM: Room<Placement> = Room {
    name: "placement",
    prefix: "/placement",
    faults: FaultStyle::Placement,
    versions: Some(Microversions {
        name: "placement",
        legacy_header: None,
        min: Microversion::new(1, 0),
        max: Microversion::new(1, 39),
    }),
    steps: &[],
    drawers: &[
        root::DRAWER,
        provider::DRAWER,
        inventory::DRAWER,
        names::DRAWER,
        allocation::DRAWER,
        usage::DRAWER,
        candidate::DRAWER,
    ],
};

pub(crate) type Drawer = api::Drawer<Placement>;

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
        ROOM.service(&Arc::new(self.clone()))
    }
}
