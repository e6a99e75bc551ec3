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

use access::Policy;
use api::{FaultStyle, Routes, Service};
use contracts::audit::Audit;
use fleet::Fleet;
use store::Store;

pub struct Operator {
    pub store: Store,
    pub fleet: Arc<Fleet>,
    pub audits: Vec<Arc<dyn Audit>>,
    pub board: ::work::Board,
}

static EVENTS: Policy = Policy::new("operator:events", "rule:context_is_admin", "Read and follow the events of the whole cloud");
static AUDIT: Policy = Policy::new("operator:audit", "rule:context_is_admin", "Compare what is with what should be");
static STRAYS: Policy = Policy::new("operator:strays", "rule:context_is_admin", "List what nobody knows of, and have it removed");
static CONTROLLERS: Policy =
    Policy::new("operator:controllers", "rule:context_is_admin", "List the controllers, and see which has the lead");
static WORK: Policy = Policy::new("operator:work", "rule:context_is_admin", "See what reconcilers are working on and what fails");
static NODES: Policy = Policy::new("operator:nodes", "rule:context_is_admin", "List hosts, let them join, and remove them");

pub fn policies() -> Vec<&'static Policy> {
    vec![&EVENTS, &AUDIT, &STRAYS, &CONTROLLERS, &WORK, &NODES]
}

pub fn service(operator: Operator) -> Service {
    let routes = Routes::new(Arc::new(operator))
        .get("/v1/events", &EVENTS, events::list)
        .get("/v1/audit", &AUDIT, audit::run)
        .get("/v1/strays", &STRAYS, strays::list)
        .delete("/v1/strays/{name}", &STRAYS, strays::remove)
        .get("/v1/controllers", &CONTROLLERS, controllers::list)
        .get("/v1/work", &WORK, work::show)
        .get("/v1/nodes", &NODES, nodes::list)
        .post("/v1/join-tokens", &NODES, nodes::create_join_token)
        .delete("/v1/nodes/{id}", &NODES, nodes::remove);
    Service { name: "operator", prefix: "/operator", faults: FaultStyle::Keystone, versions: None, routes: routes.into_list() }
}
