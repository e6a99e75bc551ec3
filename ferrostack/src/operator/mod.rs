// SPDX-License-Identifier: Apache-2.0
//! The operator's own API, beside OpenStack's: the event stream, the audit, the controllers, the work
//! that is under way, the hosts and their join tokens.
//!
//! Its errors are in Keystone's format. Only an administrator is let in.

mod audit;
mod controllers;
mod events;
mod nodes;
mod strays;
mod work;

use std::sync::Arc;

use api::{FaultStyle, Room, Service};
use contracts::audit::Audit;
use fleet::Fleet;
use store::Store;

pub struct Operator {
    pub store: Store,
    pub fleet: Arc<Fleet>,
    pub audits: Vec<Arc<dyn Audit>>,
    pub board: ::work::Board,
}

pub static ROOM: Room<Operator> = Room {
    name: "operator",
    prefix: "/operator",
    faults: FaultStyle::Keystone,
    versions: None,
    steps: &[],
    drawers: &[events::DRAWER, audit::DRAWER, strays::DRAWER, controllers::DRAWER, work::DRAWER, nodes::DRAWER],
};

type Drawer = api::Drawer<Operator>;

/// Who may hear of all that happens.
pub const HEARS_ALL: &access::Policy = &events::POLICY;

/// Whom all of it is for.
const ADMIN: &str = "rule:context_is_admin";

pub fn service(operator: Operator) -> Service {
    ROOM.service(&Arc::new(operator))
}
