// SPDX-License-Identifier: Apache-2.0
//! The door to OVN and Open vSwitch: their databases over OVSDB, and their daemons.
//!
//! Knows nothing of our own tables or of HTTP. See README.md for the map.

pub mod daemons;
mod error;
pub mod northbound;
pub mod ovsdb;
pub mod southbound;
#[cfg(test)]
mod testing;
pub mod vswitch;

pub use error::{Error, Result};
