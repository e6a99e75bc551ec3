// SPDX-License-Identifier: Apache-2.0
//! Inventories: how much of a class a provider has.

mod api;
pub(crate) mod policy;
pub mod table;

pub use api::routes;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("inventory", routes);
