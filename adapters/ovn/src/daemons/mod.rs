// SPDX-License-Identifier: Apache-2.0
//! The daemons of Open vSwitch and OVN, started and kept running by us.
//!
//! They run detached in sessions of their own and outlive us: packets keep flowing while we restart, and the next of us
//! finds them by their pid files and adopts them.
//!
//! Invariant: a process is signalled or adopted only while a pidfd holds it and after its executable and its command line
//! showed that it is the daemon (test: `a_reused_pid_is_not_taken_for_the_daemon`).

mod catalogue;
mod control;
mod daemon;
mod database;
mod datapath;
mod hosts;
mod process;
mod program;
mod supervisor;
#[cfg(test)]
mod tests;

pub use catalogue::{Layout, Listen};
pub use control::control;
pub use daemon::Daemon;
pub use datapath::kernel_datapath_available;
pub use hosts::admit_hosts;
pub use process::Running;
pub use supervisor::{Health, Supervisor};
