// SPDX-License-Identifier: Apache-2.0
//! The devices of a machine, one by one: each has a name of its own, is wanted for itself and found for itself.

use std::fmt;

use serde::{Deserialize, Serialize};
use types::{AttachmentId, ImageId, Mac, NetworkId, PortId, VolumeId};

use super::{Ticket, Way};
use crate::ports::{FixedIp, MetadataDoor};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "device", rename_all = "snake_case")]
pub enum Device {
    Root(RootDisk),
    /// The machine boots from this one, and has its own root as a second disk.
    Rescue(RootDisk),
    /// What the guest may learn of itself, as a drive.
    Config,
    Nic(NicDesired),
    /// A volume. Only of a node that has volumes ([`super::Feature::Volumes`]).
    Disk(DiskDesired),
}

/// The name of a device within its machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceId(String);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootDisk {
    pub image_id: ImageId,
    pub sha512: String,
    /// As the image API names it and the image room found it: `raw`, `qcow2`, `vmdk` … Never probed again.
    pub format: String,
    pub image_size: u64,
    /// Bytes that the guest sees.
    pub size: u64,
    /// By which the guest can tell it from others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// It was made before. A node that does not have it says that it is missing, and makes none: an empty system in the place
    /// of a tenant's data would be no repair.
    #[serde(default)]
    pub made: bool,
    /// Grows when the disk is to be made anew of its image: once for each, while the machine is off. A greater one on the node
    /// than is wanted is of a later time, and stays.
    #[serde(default, skip_serializing_if = "is_first")]
    pub edition: u64,
    /// By which the image's data is had. None in what was written down by an earlier agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicDesired {
    pub port_id: PortId,
    pub network_id: NetworkId,
    pub mac: Mac,
    pub mtu: u32,
    pub fixed_ips: Vec<FixedIp>,
    pub metadata: Option<MetadataDoor>,
    /// By which the guest can tell it from others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskDesired {
    pub volume_id: VolumeId,
    pub attachment_id: AttachmentId,
    /// Bytes that the guest sees: grows while the machine runs.
    pub size: u64,
    pub read_only: bool,
    /// The machine boots from this one.
    pub boot: bool,
    /// By which the guest can tell it from others, beside its serial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    pub way: Way,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceObserved {
    pub id: DeviceId,
    #[serde(flatten)]
    pub state: DeviceState,
}

/// A device that a machine neither has nor shall have is not listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DeviceState {
    /// Wanted, and not there yet.
    Plugging,
    /// There as wanted: part of the running machine, or ready for its next start.
    Plugged,
    /// Not wanted any more, and still there: its guest may not have let it go.
    Unplugging,
    /// Not as wanted, and why.
    Failed { cause: String },
}

fn is_first(edition: &u64) -> bool {
    *edition == 0
}

impl Device {
    pub fn id(&self) -> DeviceId {
        match self {
            Self::Root(_) => DeviceId::root(),
            Self::Rescue(_) => DeviceId::rescue(),
            Self::Config => DeviceId("config".into()),
            Self::Nic(nic) => DeviceId::nic(&nic.port_id),
            Self::Disk(disk) => DeviceId::disk(&disk.volume_id),
        }
    }
}

impl DiskDesired {
    /// What the guest reads as the disk's serial number, and what it is called under `/dev/disk/by-id`: as much of the volume's
    /// id as a virtio disk has room for.
    pub fn serial(&self) -> String {
        self.volume_id.as_str().chars().take(20).collect()
    }
}

impl DeviceId {
    pub fn root() -> Self {
        Self("root".into())
    }

    pub fn rescue() -> Self {
        Self("rescue".into())
    }

    /// A NIC is called like its port.
    pub fn nic(port: &PortId) -> Self {
        Self(port.to_string())
    }

    /// A disk is called like its volume.
    pub fn disk(volume: &VolumeId) -> Self {
        Self(volume.to_string())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
