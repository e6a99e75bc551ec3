// SPDX-License-Identifier: Apache-2.0
//! A machine as it is wanted of a node.

use serde::{Deserialize, Serialize};
use types::{Generation, ImageId, ProjectId, ServerId};

use super::{Device, DiskDesired, InstanceMetadata, NicDesired, RootDisk, Ticket};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MachineDesired {
    pub server_id: ServerId,
    pub generation: Generation,
    pub project_id: ProjectId,
    #[serde(default)]
    pub role: Role,
    /// It must not run in two places: a node whose lease is over holds it still until it has another.
    #[serde(default)]
    pub exclusive: bool,
    pub power: Power,
    /// Grows by one with each reboot asked for; a node whose count is lower restarts the machine.
    pub reboots: u32,
    /// How the latest of those shall be done.
    pub reboot: RebootKind,
    pub vcpus: u32,
    pub memory_mb: u64,
    /// NICs in the order in which the guest shall find them.
    pub devices: Vec<Device>,
    /// What becomes of a guest that stops feeding its watchdog; it has none if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watchdog: Option<WatchdogAction>,
    pub metadata: InstanceMetadata,
    /// Copy the root disk as it is at one moment, and send it; until this is no longer asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotDesired>,
    /// A copy of the root disk stays beside it; none does if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<KeptDisk>,
}

/// What the machine is for on this node. While a server moves, two nodes have a machine of it, and one may run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Role {
    /// Its power is as wanted.
    #[default]
    Run,
    /// Its root disk comes by this stream: one flat file, qcow2, which needs no image. Once it is whole and safe, the machine is
    /// said to be received; nothing is started, and what is whole is not taken again.
    Receive { ticket: Ticket },
    /// It is stopped, and its root disk goes out by this stream, flat, until the other end has taken it.
    Send { ticket: Ticket },
    /// It is stopped and has no ports; its disk stays.
    KeepDisk,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    Running,
    Stopped,
    /// Its guest is held still, in memory. Asked only of a node that can ([`super::Feature::Pause`]).
    Paused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RebootKind {
    Soft,
    Hard,
}

/// Nova's `hw:watchdog_action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WatchdogAction {
    Reset,
    Poweroff,
    Pause,
    /// It is only noted.
    None,
}

/// A copy of the root disk, made while the machine is off and before the root becomes larger, by which it can go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptDisk {
    /// Of a greater one a new copy is made; of the same one the copy that there is stays as it is.
    pub mark: u64,
    /// Before its next start, and once for each mark, the machine gets the copy for its root.
    pub back: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotDesired {
    pub image_id: ImageId,
    /// Where the copy goes, as qcow2.
    pub ticket: Ticket,
}

impl MachineDesired {
    /// The disk that the machine is of. It boots from that unless there is one to rescue it.
    pub fn root(&self) -> Option<&RootDisk> {
        self.devices.iter().find_map(|device| if let Device::Root(root) = device { Some(root) } else { None })
    }

    pub fn root_mut(&mut self) -> Option<&mut RootDisk> {
        self.devices.iter_mut().find_map(|device| if let Device::Root(root) = device { Some(root) } else { None })
    }

    pub fn rescue(&self) -> Option<&RootDisk> {
        self.devices.iter().find_map(|device| if let Device::Rescue(root) = device { Some(root) } else { None })
    }

    pub fn has_config_drive(&self) -> bool {
        self.devices.contains(&Device::Config)
    }

    pub fn nics(&self) -> impl Iterator<Item = &NicDesired> + Clone {
        self.devices.iter().filter_map(|device| if let Device::Nic(nic) = device { Some(nic) } else { None })
    }

    pub fn disks(&self) -> impl Iterator<Item = &DiskDesired> + Clone {
        self.devices.iter().filter_map(|device| if let Device::Disk(disk) = device { Some(disk) } else { None })
    }

    pub fn set_nics(&mut self, nics: impl IntoIterator<Item = NicDesired>) {
        self.devices.retain(|device| !matches!(device, Device::Nic(_)));
        self.devices.extend(nics.into_iter().map(Device::Nic));
    }
}
