// SPDX-License-Identifier: Apache-2.0
//! Allocations: who holds how much of which provider.

mod api;
pub mod store;

pub use api::routes;
