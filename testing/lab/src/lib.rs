// SPDX-License-Identifier: Apache-2.0
//! A laboratory of several hosts on one machine, for tests with real daemons.
//!
//! A [`Lab`] has an underlay between its hosts and a LAN with VLANs beside it. Each [`Host`] is a set of namespaces
//! (network, processes, mounts, host name) kept by one small process that ends when the test ends, however it ends; the
//! kernel then ends all that ran in the host. So there is nothing to clean up after a test that was killed, but its folder
//! of files, which the next laboratory removes.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! let lab = lab::Lab::new()?;
//! let hv1 = lab.host("hv1")?;
//! let office = lab.lan_host("office", Some(100), "192.168.100.1/24")?;
//! hv1.run(["ping", "-c", "1", &lab.host("hv2")?.underlay()?.to_string()])?;
//! let seen = office.capture("eth0", "icmp")?;
//! # drop(seen);
//! lab.passed()
//! # }
//! ```

mod built;
mod capture;
mod client;
pub mod frame;
mod host;
mod laboratory;
mod logs;
mod network;
mod object_store;
mod process;
mod ssh;
mod switch;
mod wait;

pub use built::{ferrostack, guest_image};
pub use capture::Capture;
pub use client::Python;
pub use host::Host;
pub use laboratory::Lab;
pub use object_store::ObjectStore;
pub use process::Process;
pub use ssh::{KeyPair, Ssh};
pub use wait::{wait_for, wait_until};
