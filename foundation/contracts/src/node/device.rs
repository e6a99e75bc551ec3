// SPDX-License-Identifier: Apache-2.0
//! The devices of a machine, one by one: each has a name of its own, is wanted for itself and found for itself.

use std::fmt;

use serde::{Deserialize, Serialize};
use types::{ImageId, Mac, NetworkId, PortId};

use super::Ticket;
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

impl Device {
    pub fn id(&self) -> DeviceId {
        match self {
            Self::Root(_) => DeviceId::root(),
            Self::Rescue(_) => DeviceId::rescue(),
            Self::Config => DeviceId("config".into()),
            Self::Nic(nic) => DeviceId::nic(&nic.port_id),
        }
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

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
