// SPDX-License-Identifier: Apache-2.0
//! The one door: a route table that one can read, and what every OpenStack API shares around it.
//!
//! A [`Room`] is the list of its [`Drawer`]s: each brings its routes, one line each: method, path, policy, handler; beside
//! them the room has its habits (fault format, microversions). So it becomes a [`Service`]. The [`Door`] holds all services and answers requests: it finds the route,
//! learns the caller from the token, negotiates the version, asks the policy, and hands the [`Cx`] to the handler.
//!
//! Invariant: a route cannot be written down without saying who may use it: [`Routes::on`] demands an [`Access`]
//! (test: `every_route_names_its_access`).
//!
//! Invariant: no handler asks a policy that its route does not name, so that the table says all of who may do what
//! (test: `a_policy_that_the_route_does_not_name_admits_nobody`).

#[cfg(test)]
mod attacks;
mod attribute;
mod cx;
mod door;
mod drawer;
mod fault;
mod limits;
mod negotiate;
mod paging;
mod path;
mod query;
mod refusals;
mod reply;
mod routes;
mod serve;
#[cfg(test)]
mod tests;
mod token;
mod upgrade;

pub use attribute::{Attribute, Shown, reference};
pub use bounds::Pace;
pub use cx::Cx;
pub use door::{Door, DoorParts, Front, Peer};
pub use drawer::{Drawer, Plan, Room, Rule, View};
pub use fault::{Fault, FaultStyle, escape_html};
pub use limits::Limits;
pub use negotiate::Microversions;
pub use paging::{Paging, PagingHabits, Sort};
pub use query::Query;
pub use reply::{
    Body, Reply, RequestBody, Response, accepted, created, empty, json, json_bytes, no_content, respond, stream, text,
};
pub use routes::{Access, Handler, Route, Routes, Service};
pub use serve::{Listener, Serves, serve};
pub use upgrade::{Connection, Upgrade};
