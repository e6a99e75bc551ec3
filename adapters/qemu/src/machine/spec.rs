// SPDX-License-Identifier: Apache-2.0
//! What a machine is made of, in our own words.
//!
//! A tenant's name for the server is not here on purpose: QEMU has no use for it, and what is not here cannot
//! reach a command line. A spec is complete: the same spec always describes the same machine, and it is
//! written from what the controller wants at each start, never kept from the last one.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::RunDir;
use crate::Accelerator;
use crate::Result;
use crate::block::Source;
use crate::error::Error;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineSpec {
    pub id: Uuid,
    pub vcpus: u32,
    pub memory_mib: u64,
    pub accelerator: Accelerator,
    pub disks: Vec<Disk>,
    /// Behind the disks, as the guest counts them.
    pub volumes: Vec<Volume>,
    pub nics: Vec<Nic>,
    /// What the guest writes to its first serial port is appended here, and stays root's.
    pub console_log: PathBuf,
    /// Sockets and process files; made by `start`.
    pub run_dir: RunDir,
    pub run_as: RunAs,
    /// Empty slots, for devices plugged in while it runs: they cannot be added later.
    pub spare_slots: u8,
    /// What becomes of a guest that stops feeding its watchdog; it has none if nothing is said.
    pub watchdog: Option<WatchdogAction>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WatchdogAction {
    Reset,
    Poweroff,
    Pause,
    /// It is only said.
    None,
}

impl WatchdogAction {
    /// QEMU's word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Poweroff => "poweroff",
            Self::Pause => "pause",
            Self::None => "none",
        }
    }
}

/// The unprivileged user a machine's QEMU runs as: one of its own, so that machines cannot touch each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAs {
    pub uid: u32,
    pub gid: u32,
}

/// Writable disks are handed to the machine's user by `start`. Read-only ones, and the base below an overlay,
/// are shared: they must be readable by everyone, as must be the way to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    pub name: DeviceName,
    pub path: PathBuf,
    /// Never guessed: a guest can write any header it likes into its raw disk.
    pub format: DiskFormat,
    pub bus: DiskBus,
    pub read_only: bool,
    /// Lower boots first; none is never booted from.
    pub boot_index: Option<u32>,
    /// What the guest sees as the disk's serial number; virtio shows its first 20 bytes.
    pub serial: Option<String>,
}

/// A disk that outlives its machine. Whoever keeps it has opened it up to the machine's user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub id: Uuid,
    pub source: Source,
    pub read_only: bool,
    pub boot_index: Option<u32>,
    pub serial: String,
}

impl Volume {
    pub fn name(&self) -> DeviceName {
        DeviceName::for_id(self.id)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskFormat {
    Raw,
    Qcow2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskBus {
    Virtio,
    /// A CD-ROM drive on a virtio SCSI controller; always read-only.
    Cdrom,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nic {
    pub name: DeviceName,
    /// A tap that exists and belongs to the machine's user (see [`crate::tap`]).
    pub tap: String,
    pub mac: String,
    pub mtu: u16,
    pub datapath: Datapath,
}

/// What is behind a tap, which decides who completes checksums and segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Datapath {
    /// The kernel forwards: offloads pay off.
    Kernel,
    /// Open vSwitch reads the tap from userspace: with offloads every TCP connection of the guest would hang.
    Userspace,
}

/// A name by which a device is plugged and unplugged: letters, digits and dashes, short enough for a QEMU node.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceName(String);

/// QEMU's node names hold 31 characters; ours are prefixed by five at most.
const LONGEST_DEVICE_NAME: usize = 26;

impl DeviceName {
    pub fn new(name: &str) -> Result<Self> {
        let fits = (1..=LONGEST_DEVICE_NAME).contains(&name.len());
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
        let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if fits && begins && plain { Ok(Self(name.to_owned())) } else { Err(Error::Spec(format!("device name {name:?}"))) }
    }

    /// The name of the device that stands for a volume or a port: the same at every start.
    pub fn for_id(id: Uuid) -> Self {
        let mut name = id.simple().to_string();
        name.truncate(LONGEST_DEVICE_NAME - 3);
        Self(format!("id-{name}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl TryFrom<String> for DeviceName {
    type Error = Error;
    fn try_from(name: String) -> Result<Self> {
        Self::new(&name)
    }
}

impl From<DeviceName> for String {
    fn from(name: DeviceName) -> Self {
        name.0
    }
}
