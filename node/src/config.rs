// SPDX-License-Identifier: Apache-2.0
//! What the operator of a host may say.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use types::Secret;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Machines, images and the node's certificate live below it. Machines' users must be able to walk through it.
    pub state_dir: PathBuf,
    /// Needed once, to join; ignored afterwards.
    #[serde(default, serialize_with = "types::secret::plain")]
    pub join_token: Option<Secret<String>>,
    /// `host:port` of controllers, instead of those that the join token named.
    #[serde(default)]
    pub controllers: Vec<String>,
    pub hostname: String,
    /// The address of this host to which the others send their tunnels.
    pub encap_ip: IpAddr,
    /// Physical networks that this host is wired to, by the name that provider networks use.
    #[serde(default)]
    pub physical_networks: BTreeMap<String, PhysicalNetwork>,
    #[serde(default)]
    pub datapath: DatapathChoice,
    #[serde(default)]
    pub switch: Switch,
    /// Below it lie the sockets, pid files, databases and logs of an Open vSwitch of our own; `ovs` in the state
    /// directory when none is named.
    #[serde(default)]
    pub switch_root: Option<PathBuf>,
    #[serde(default)]
    pub accelerator: AcceleratorChoice,
    /// MiB kept for the host itself.
    #[serde(default = "half_a_gibibyte")]
    pub reserved_memory_mb: i64,
    /// GiB kept for the host itself.
    #[serde(default)]
    pub reserved_disk_gb: i64,
    /// Images that no machine uses any more are kept up to this many GiB; a tenth of the disk if not said.
    #[serde(default)]
    pub image_cache_gb: Option<u64>,
    #[serde(default)]
    pub metadata: MetadataLimits,
    /// Seconds that a guest has to power itself off before it is turned off.
    #[serde(default = "sixty")]
    pub stop_seconds: u64,
    /// Each machine runs as a user of its own, from this number on.
    #[serde(default = "two_hundred_thousand")]
    pub first_uid: u32,
}

/// Connections to the metadata service that guests may hold on this host: in one network, and each guest in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetadataLimits {
    pub per_network: usize,
    pub per_guest: usize,
}

impl Default for MetadataLimits {
    fn default() -> Self {
        Self { per_network: 128, per_guest: 16 }
    }
}

/// How a physical network is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhysicalNetwork {
    /// The bridge that stands for it on this host; made if it is not there.
    pub bridge: String,
    /// A network card that is attached to the bridge. Its own addresses move nowhere: name one that has none.
    #[serde(default)]
    pub nic: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatapathChoice {
    /// The kernel's if it has one, else userspace.
    #[default]
    Auto,
    Kernel,
    Userspace,
}

/// Whose Open vSwitch this host uses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Switch {
    /// The agent runs the daemons.
    #[default]
    Own,
    /// The host's own daemons, by their run directory; ovn-controller among them.
    Host { run_dir: PathBuf },
    /// None: machines get no network.
    None,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AcceleratorChoice {
    /// KVM if a guest really runs on it, else TCG.
    #[default]
    Auto,
    Kvm,
    Tcg,
}

impl NodeConfig {
    pub(crate) fn stop_grace(&self) -> Duration {
        Duration::from_secs(self.stop_seconds)
    }
}

fn half_a_gibibyte() -> i64 {
    512
}

fn sixty() -> u64 {
    60
}

fn two_hundred_thousand() -> u32 {
    200_000
}
