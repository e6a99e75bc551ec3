// SPDX-License-Identifier: Apache-2.0
//! The agent against a real controller room over TLS, with real QEMU and Open vSwitch.
//!
//! Only the rooms beyond the fleet's doors are ours here (see [`cloud::Neighbours`]): a test writes into them what a
//! node shall have, and reads what the node reported.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cloud;
mod consoles;
mod crash;
mod disks;
mod growth;
mod guest;
mod image;
mod join;
mod kept;
mod machine;
mod merges;
mod metadata;
mod moves;
mod network;
mod nics;
mod pause;
mod port;
mod renewals;
mod scratch;
mod seen;
mod session;
mod snapshot;
mod strangers;
mod trouble;
mod volume_room;
mod volumes;

pub(crate) use guest::of_nobody;
