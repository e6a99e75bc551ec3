// SPDX-License-Identifier: Apache-2.0
//! Resource providers: whoever has something to give. Here every provider is a host, and its own root.

mod api;
pub mod store;

pub use api::routes;
