// SPDX-License-Identifier: Apache-2.0
//! Allocations: who holds how much of which provider.

mod api;
pub(crate) mod policy;
pub mod table;

pub use api::routes;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("allocation", routes).tables(&[crate::Step {
    number: 2,
    name: "sums",
    sql: include_str!("../../migrations/0002_sums.sql"),
}]);
