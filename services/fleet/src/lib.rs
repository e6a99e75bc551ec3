// SPDX-License-Identifier: Apache-2.0
//! The fleet room: the controller's side of the nodes.
//!
//! It owns the cloud's certificate authority, lets hosts join with one-time tokens, and holds one session with each
//! connected node: what the node shall have goes down, what it found comes up (see `contracts::node`). It keeps no
//! desired state of its own: it reads it from its neighbour at each wake and sends what differs from what it sent
//! before, so nothing is queued and nothing can be lost.
//!
//! Of several controllers the one that has the lead holds the sessions ([`leading`]); the others refuse them, so that a
//! node tries the next, and pass questions for nodes on ([`forward`]).

mod authority;
mod certificate;
mod config;
mod error;
mod forward;
mod leading;
mod listener;
mod node;
mod nodes;
mod room;
mod session;
mod source;
mod stream;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
mod token;

pub use authority::TlsFiles;
pub use config::{FleetConfig, Limits};
pub use error::Error;
pub use leading::Leading;
pub use room::Fleet;

use store::Migrations;

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Tables of drawers without an API of their own: operators ask for hosts at the operator's.
pub fn migrations() -> Migrations {
    Migrations::gather("fleet", [node::TABLES, session::TABLES])
}
