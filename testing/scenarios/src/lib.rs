// SPDX-License-Identifier: Apache-2.0
//! What the slow tests of whole clouds share: a [`Cloud`] of real daemons on several hosts of a laboratory, and those who
//! use it, through its public APIs only: [`Api`] for requests byte by byte, [`OpenStack`] for the stock client.
//!
//! The tests themselves are in `tests/scenarios`, a file each.

mod api;
mod cloud;
mod crowd;
mod guest;
mod openstack;
mod pair;
mod remains;
mod settings;
mod stand;
mod things;

pub use api::{Account, Answer, Api};
pub use cloud::{Agent, Cloud};
pub use crowd::Crowd;
pub use openstack::OpenStack;
pub use pair::Pair;
pub use remains::machines;
pub use stand::{Stand, ask_from};
pub use things::{BOOT, Wanted, address, id, text};
