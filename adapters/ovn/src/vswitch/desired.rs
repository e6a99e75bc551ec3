// SPDX-License-Identifier: Apache-2.0
//! What the local switch should have: bridges, ports, and the settings by which ovn-controller joins the cloud.

use std::collections::BTreeMap;

use crate::{Error, Result};

/// Who forwards packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datapath {
    /// The openvswitch module of the kernel.
    Kernel,
    /// ovs-vswitchd itself; works everywhere, slower.
    Userspace,
}

/// What a bridge without a controller does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailMode {
    /// Forwards like an ordinary learning switch.
    Standalone,
    /// Forwards only what its flows say.
    Secure,
}

/// A bridge as it should be.
#[derive(Clone, Debug)]
pub struct Bridge {
    pub name: String,
    pub datapath: Datapath,
    pub fail_mode: FailMode,
    /// Entries to ensure; others are left alone.
    pub external_ids: BTreeMap<String, String>,
    /// Entries to ensure; others are left alone. `hwaddr` pins the address of the bridge's own interface.
    pub other_config: BTreeMap<String, String>,
}

/// A port as it should be.
#[derive(Clone, Debug)]
pub struct Port {
    /// The name of the port and of its interface.
    pub name: String,
    pub kind: PortKind,
    /// VLAN of an access port; none makes a trunk.
    pub tag: Option<u16>,
    pub mtu: Option<u32>,
    /// Entries of the interface to ensure; others, such as those of ovn-controller, are left alone.
    pub external_ids: BTreeMap<String, String>,
}

/// What the interface of a port is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortKind {
    /// A network device of the host: a physical card, a tap, an end of a veth pair.
    Device,
    /// A device that Open vSwitch makes.
    Internal,
    /// One end of a cable to the named port of another bridge.
    Patch { peer: String },
}

/// A port as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortView {
    pub name: String,
    pub bridge: String,
    /// The interface type as OVSDB spells it; empty for a device.
    pub kind: String,
    pub external_ids: BTreeMap<String, String>,
    /// The OpenFlow number, once ovs-vswitchd has attached the device.
    pub ofport: Option<u32>,
    /// Why it could not.
    pub error: Option<String>,
}

/// How this host takes part in OVN.
#[derive(Clone, Debug)]
pub struct ChassisSettings {
    /// The name of the chassis, the same for ever.
    pub system_id: String,
    pub hostname: String,
    /// The southbound database, such as `ssl:10.0.0.1:6642` or `unix:/run/sb.sock`.
    pub remote: String,
    /// Our end of the tunnels.
    pub encap_ip: String,
    pub datapath: Datapath,
    /// Physical networks, and the bridges of ours that lead to them.
    pub bridge_mappings: BTreeMap<String, String>,
    /// Whether to learn everything in the southbound database, which spares the server work while hosts are few.
    pub monitor: Monitor,
}

/// How much of the southbound database ovn-controller reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Monitor {
    All,
    WhatConcernsUs,
}

impl Datapath {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kernel => "system",
            Self::Userspace => "netdev",
        }
    }
}

impl FailMode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Secure => "secure",
        }
    }
}

impl Bridge {
    pub fn new(name: impl Into<String>, datapath: Datapath, fail_mode: FailMode) -> Self {
        Self { name: name.into(), datapath, fail_mode, external_ids: BTreeMap::new(), other_config: BTreeMap::new() }
    }
}

impl Port {
    pub fn new(name: impl Into<String>, kind: PortKind) -> Self {
        Self { name: name.into(), kind, tag: None, mtu: None, external_ids: BTreeMap::new() }
    }

    /// States an entry of the interface's `external_ids`.
    #[must_use]
    pub fn external_id(mut self, key: &str, value: impl Into<String>) -> Self {
        self.external_ids.insert(key.to_owned(), value.into());
        self
    }

    /// The port of a machine: the logical port it is, its address, and whose it is.
    pub fn of_machine(name: impl Into<String>, logical_port: &str, mac: &str, machine: &str) -> Self {
        Self::new(name, PortKind::Device)
            .external_id("iface-id", logical_port)
            .external_id("attached-mac", mac)
            .external_id("vm-id", machine)
            .external_id("iface-status", "active")
    }
}

impl PortKind {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Device => "",
            Self::Internal => "internal",
            Self::Patch { .. } => "patch",
        }
    }
}

impl ChassisSettings {
    /// The entries of `Open_vSwitch.external_ids`.
    pub(crate) fn external_ids(&self) -> Result<BTreeMap<String, String>> {
        let mut mappings = Vec::new();
        for (network, bridge) in &self.bridge_mappings {
            if [network, bridge].iter().any(|name| name.is_empty() || name.contains([',', ':'])) {
                return Err(Error::Malformed {
                    row: format!("bridge mapping {network:?} to {bridge:?}"),
                    why: "names must not be empty nor contain commas or colons".to_owned(),
                });
            }
            mappings.push(format!("{network}:{bridge}"));
        }
        let entries = [
            ("system-id", self.system_id.clone()),
            ("hostname", self.hostname.clone()),
            ("ovn-remote", self.remote.clone()),
            ("ovn-encap-type", "geneve".to_owned()),
            ("ovn-encap-ip", self.encap_ip.clone()),
            ("ovn-bridge-datapath-type", self.datapath.name().to_owned()),
            ("ovn-bridge-mappings", mappings.join(",")),
            ("ovn-monitor-all", (self.monitor == Monitor::All).to_string()),
        ];
        Ok(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }
}
