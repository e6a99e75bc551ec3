// SPDX-License-Identifier: Apache-2.0
//! Resource providers: whoever has something to give. Here every provider is a host, and its own root.

mod api;
pub(crate) mod policy;
pub mod table;

pub use api::routes;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("provider", routes)
    .rules(crate::policy::RULES)
    .tables(&[crate::Step { number: 1, name: "placement", sql: include_str!("../../migrations/0001_placement.sql") }]);
