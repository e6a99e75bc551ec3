// SPDX-License-Identifier: Apache-2.0
//! The door to QEMU: one process per machine, and one storage daemon per volume that goes over the network, driven over QMP.
//!
//! This crate knows how to describe a machine to QEMU, start it confined, find it again after we were
//! restarted, talk to it, and make sure that it is gone. It knows nothing of servers, tables or HTTP.

pub mod accelerator;
pub mod block;
mod error;
pub mod machine;
pub mod qmp;
pub mod socket;
pub mod storage;
mod sys;
pub mod tap;

pub use accelerator::{Accelerator, Finding};
pub use error::Error;
pub use machine::{
    Datapath, DeviceName, Devices, Disk, DiskBus, DiskFormat, Exit, Layout, Machine, MachineSpec, Nic, RunAs, RunDir, Trouble,
    Unplug, Volume, WatchdogAction, running_below, runs_long_under_kvm,
};
pub use qmp::{Event, Qmp, RunState};

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// The emulator, found on `PATH`.
pub const EMULATOR: &str = "qemu-system-x86_64";

/// QEMU's block layer without a machine.
pub const STORAGE_DAEMON: &str = "qemu-storage-daemon";
