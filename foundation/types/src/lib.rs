// SPDX-License-Identifier: Apache-2.0
//! The words every room shares: ids with kinds, times, versions, addresses, secrets. No I/O.

mod address;
mod database;
mod doing;
mod id;
pub mod secret;
mod time;
mod version;

pub use address::{BadMac, Mac};
pub use database::DatabaseMark;
pub use id::*;
pub use secret::Secret;
pub use time::Timestamp;
pub use version::{BadMicroversion, Generation, Microversion};
