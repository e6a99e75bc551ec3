// SPDX-License-Identifier: Apache-2.0
//! What a node says of itself when it connects.

use std::{
    collections::BTreeSet,
    fmt,
    net::{IpAddr, SocketAddr},
};

use serde::{Deserialize, Serialize};
use types::{DatabaseMark, Generation};

use super::ThingId;

/// The versions of the protocol that a side speaks, without a gap.
///
/// On the wire the newest is called `protocol`, as it was when a side spoke just one: so one that is older reads it and says
/// that it does not know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    #[serde(rename = "protocol")]
    pub newest: u32,
    /// None if it speaks the newest only.
    #[serde(rename = "oldest_protocol", default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<u32>,
}

impl Versions {
    pub const fn only(version: u32) -> Self {
        Self { newest: version, oldest: None }
    }

    pub const fn since(oldest: u32, newest: u32) -> Self {
        Self { newest, oldest: Some(oldest) }
    }

    pub fn oldest(self) -> u32 {
        self.oldest.unwrap_or(self.newest)
    }

    /// The newest that both speak.
    pub fn common(self, other: Self) -> Option<u32> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest().max(other.oldest())).then_some(newest)
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.oldest() {
            oldest if oldest < self.newest => write!(f, "{oldest} to {}", self.newest),
            _ => write!(f, "{}", self.newest),
        }
    }
}

/// Memory and disk are what the node offers to machines: what its operator reserves for the host itself is taken off
/// already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    #[serde(flatten)]
    pub speaks: Versions,
    /// What it can do beyond what every node can.
    #[serde(default)]
    pub features: BTreeSet<Feature>,
    /// Everything that it has, wanted or not.
    #[serde(default)]
    pub holds: Vec<Held>,
    pub version: String,
    pub hostname: String,
    /// Changes when the host restarts: machines that ran are gone then.
    pub boot_id: String,
    pub vcpus: i64,
    pub memory_mb: i64,
    pub disk_gb: i64,
    pub accelerator: Accelerator,
    /// `kernel` or `userspace`.
    pub datapath: String,
    pub encap_ip: IpAddr,
    /// Physical networks that this host has a bridge for.
    pub physical_networks: Vec<String>,
    pub cpu_arch: String,
    pub hypervisor_version: String,
    /// What it offers to volumes. None from a host that keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageFacts>,
    /// What it was told last by the cloud's database.
    pub knows: Option<DatabaseMark>,
}

/// Room for volumes: what is reserved for the host itself is taken off already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageFacts {
    pub total_gb: u64,
    /// When it connected.
    pub free_gb: u64,
    /// Where other hosts reach what it exports to them. None if it exports nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
}

/// Something that a node may be asked only if it says that it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// A guest can be held still and let go on.
    Pause,
    /// A machine boots from another root, and has its own as a second disk.
    Rescue,
    /// Devices come to a running machine and go from it.
    HotPlug,
    /// A machine's disk goes to another node, and comes from one.
    MoveDisk,
    /// A copy of a machine's disk is kept beside it.
    KeepDisk,
    /// A machine's root is made anew of an image.
    Rebuild,
    /// What is exclusive is held still when the lease is over.
    Fence,
    /// Volumes lie there, and its machines have them as disks.
    Volumes,
    /// A volume is sent, to become an image.
    CopyVolume,
    /// Screens and serial lines of its machines can be opened.
    Console,
    /// Of a newer node; nothing that this side would ask.
    #[serde(other)]
    Unknown,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pause => "pause machines",
            Self::Rescue => "rescue machines",
            Self::HotPlug => "add devices to running machines, or take them away",
            Self::MoveDisk => "move disks between hosts",
            Self::KeepDisk => "keep copies of disks",
            Self::Rebuild => "rebuild machines",
            Self::Fence => "keep leases",
            Self::Volumes => "keep volumes",
            Self::CopyVolume => "make images of volumes",
            Self::Console => "open consoles of machines",
            Self::Unknown => "do this",
        })
    }
}

/// A thing that a node has, and which of its states it acted on last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    #[serde(flatten)]
    pub id: ThingId,
    pub generation: Generation,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accelerator {
    /// `kvm` or `tcg`.
    pub kind: String,
    /// How it was found out, as a sentence.
    pub finding: String,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn who_speaks_one_version_only_finds_the_newest_where_it_looks_for_one() {
        let said = serde_json::to_value(Versions::since(2, 3)).unwrap();
        assert_eq!(said, serde_json::json!({ "protocol": 3, "oldest_protocol": 2 }));
        let only: Versions = serde_json::from_value(serde_json::json!({ "protocol": 2 })).unwrap();
        assert_eq!(only, Versions::only(2));
    }

    #[test]
    fn both_sides_take_the_newest_that_they_share() {
        let cases = [
            (Versions::only(3), Versions::only(3), Some(3)),
            (Versions::since(2, 3), Versions::only(2), Some(2)),
            (Versions::since(2, 4), Versions::since(3, 7), Some(4)),
            (Versions::only(3), Versions::only(2), None),
            (Versions::since(4, 6), Versions::since(2, 3), None),
        ];
        for (ours, theirs, common) in cases {
            assert_eq!((ours.common(theirs), theirs.common(ours)), (common, common), "{ours}, {theirs}");
        }
    }
}
