// SPDX-License-Identifier: Apache-2.0
//! The wires: an underlay between hosts, and a LAN switch that knows VLANs.
//!
//! The LAN switch is an Open vSwitch in its userspace datapath, because not every kernel has 802.1Q. That datapath takes
//! packets as they come off a veth: checksums left for hardware to fill in would arrive wrong, so all offloads are off.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context, Result, ensure};

use crate::{Host, Process};

const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

pub(crate) struct Switches {
    fabric: Host,
    _daemons: [Process; 2],
}

impl Switches {
    pub(crate) fn start(fabric: Host) -> Result<Self> {
        fabric.run(["ip", "link", "add", "underlay", "type", "bridge"])?;
        fabric.run(["ip", "link", "set", "underlay", "up"])?;
        // Where the kernel has this switch it is on for new namespaces, and would put bridged packets through netfilter.
        let _ = fabric.run(["sh", "-c", "echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables"]);

        let file = |name: &str| fabric.folder().join(name).display().to_string();
        let (database, socket) = (file("conf.db"), file("db.sock"));
        fabric.run(["ovsdb-tool", "create", &database, SCHEMA])?;
        let store = fabric.spawn(
            "ovsdb-server",
            [
                "ovsdb-server",
                &database,
                &format!("--remote=punix:{socket}"),
                &format!("--unixctl={}", file("ovsdb.ctl")),
                "--no-chdir",
            ],
        )?;
        fabric.wait_for_file(socket.as_ref(), Duration::from_secs(10))?;
        let mut command = fabric.command([
            "ovs-vswitchd",
            &format!("unix:{socket}"),
            &format!("--unixctl={}", file("vswitchd.ctl")),
            "--no-chdir",
        ]);
        command.env("OVS_RUNDIR", fabric.folder());
        let switch = fabric.spawn_command("ovs-vswitchd", command)?;
        let switches = Self { fabric, _daemons: [store, switch] };
        switches.vsctl(&["add-br", "lan", "--", "set", "bridge", "lan", "datapath_type=netdev", "fail_mode=standalone"])?;
        Ok(switches)
    }

    /// Connects `eth0` of a host to the underlay.
    pub(crate) fn plug_underlay(&self, host: &Host, address: Ipv4Addr) -> Result<()> {
        let port = format!("u-{}", host.name());
        self.veth(host, "eth0", &port)?;
        self.fabric.run(["ip", "link", "set", &port, "master", "underlay"])?;
        host.run(["ip", "address", "add", &format!("{address}/24"), "dev", "eth0"])?;
        Ok(())
    }

    /// Connects another device, without address, to the underlay.
    pub(crate) fn plug_tunnels(&self, host: &Host, device: &str) -> Result<()> {
        let port = format!("t-{}", host.name());
        self.veth(host, device, &port)?;
        self.fabric.run(["ip", "link", "set", &port, "master", "underlay"]).map(drop)
    }

    pub(crate) fn set_underlay(&self, host: &Host, state: &str) -> Result<()> {
        let set = |port: String| self.fabric.output(["ip", "link", "set", &port, state]);
        ensure!(set(format!("u-{}", host.name()))?.status.success(), "the cable of {} cannot be set {state}", host.name());
        // Only hosts with tunnels have the other.
        set(format!("t-{}", host.name())).map(drop)
    }

    /// Connects a device of a host to the LAN: all VLANs and the untagged LAN, as a server's port has them.
    pub(crate) fn plug_trunk(&self, host: &Host, device: &str) -> Result<()> {
        let port = format!("l-{}", host.name());
        self.veth(host, device, &port)?;
        self.vsctl(&["add-port", "lan", &port])
    }

    /// Connects a device of a host to one VLAN, as a desk's port has it: untagged on the wire.
    pub(crate) fn plug_access(&self, host: &Host, device: &str, vlan: u16) -> Result<()> {
        let port = format!("l-{}", host.name());
        self.veth(host, device, &port)?;
        self.vsctl(&["add-port", "lan", &port, &format!("tag={vlan}")])
    }

    fn vsctl(&self, arguments: &[&str]) -> Result<()> {
        let database = format!("--db=unix:{}", self.fabric.folder().join("db.sock").display());
        self.fabric.run([&["ovs-vsctl", "--timeout=20", &database], arguments].concat()).map(drop)
    }

    /// Made where its ends belong, so that no device ever appears on the machine itself.
    fn veth(&self, host: &Host, device: &str, port: &str) -> Result<()> {
        let (here, there) = (host.pid().to_string(), self.fabric.pid().to_string());
        let made = std::process::Command::new("ip")
            .args(["link", "add", "name", device, "netns", &here, "type", "veth", "peer", "name", port, "netns", &there])
            .output()
            .context("running ip")?;
        anyhow::ensure!(made.status.success(), "connecting {}: {}", host.name(), String::from_utf8_lossy(&made.stderr));
        for (place, end) in [(host, device), (&self.fabric, port)] {
            place.run(["ip", "link", "set", end, "up"])?;
            place.run(["ethtool", "-K", end, "tx", "off", "rx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off"])?;
        }
        Ok(())
    }
}
