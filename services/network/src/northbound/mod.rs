// SPDX-License-Identifier: Apache-2.0
//! From the tables to OVN: what each thing should be in the northbound database, and the loops that make it so.
//!
//! ```text
//!   a change ──commits rows, marks keys──▶ north_keys ──▶ Reconciler ──apply──▶ OVN_Northbound
//!                                              ▲                                     │
//!                                Sweep ────────┘ compares all, repairs drift         │ up
//!                                ports.up ◀──────────────── Observer ◀───────────────┘
//! ```
//!
//! [`rows`] is pure reading: from a key to the rows that should stand under it. Nothing here keeps state of its own.

pub mod acl;
pub mod address_group;
pub mod balancer;
mod bindings;
mod dhcp;
mod heartbeat;
pub mod network;
mod observe;
pub mod port;
mod reconcile;
pub mod router;
pub mod rows;
mod sweep;

pub use heartbeat::{Heartbeat, is_alive};
pub use observe::{Observer, watch_hosts};
pub use reconcile::{ConvergeError, Reconciler};
pub use sweep::Sweep;
