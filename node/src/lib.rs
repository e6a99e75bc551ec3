// SPDX-License-Identifier: Apache-2.0
//! The agent of a host.
//!
//! It holds one connection to a controller, receives which machines its host shall have, makes it so, and reports
//! what it finds. What it was told last is kept on disk, and machines are processes of their own: they live on when
//! the agent, the controller or the wire between them does not.
//!
//! ```text
//!   controller ◀──link──▶ agent ──▶ machines ──▶ one task per machine ──▶ QEMU, disks, taps, switch
//!                           ▲  └──▶ volumes ───▶ one task per volume ──▶ layers, storage daemons
//!                           └─────────── board ◀───────────┘
//! ```

mod agent;
pub mod board;
mod cloud;
mod config;
mod console;
mod error;
mod guest;
mod host;
mod identity;
mod image;
mod ip;
mod lease;
mod ledger;
pub mod link;
mod machine;
mod machines;
mod metadata;
mod offline;
mod state_dir;
mod switch;
#[cfg(test)]
mod tests;
mod volume;

pub use agent::Agent;
pub use config::{AcceleratorChoice, DatapathChoice, MetadataLimits, NodeConfig, PhysicalNetwork, Switch};
pub use error::Error;
pub use offline::{forget_host, stop_machines};

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;
