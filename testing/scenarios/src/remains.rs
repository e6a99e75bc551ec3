// SPDX-License-Identifier: Apache-2.0
//! What machines leave on hosts and in databases, counted where it is and not by asking the cloud's own audit.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use lab::Host;

use crate::{Cloud, cloud::home};

impl Cloud {
    /// Fails if a single trace of a machine or a port is left anywhere.
    pub fn expect_no_remains(&self) -> Result<()> {
        for agent in &self.agents {
            let host = &agent.host;
            let machines = machines(host)?;
            ensure!(machines.is_empty(), "QEMU processes are left on {}: {machines:?}", host.name());
            let folders = host.run(["find", &home(host).join("node/machines").display().to_string(), "-mindepth", "1"])?;
            ensure!(folders.is_empty(), "disks are left on {}:\n{folders}", host.name());
            let devices = host.run(["ls", "/sys/class/net"])?;
            let left: Vec<_> = devices.lines().filter(|name| name.starts_with("tap") || name.starts_with("fm")).collect();
            ensure!(left.is_empty(), "taps and doors of metadata are left on {}: {left:?}", host.name());
            let switch = format!("--db=unix:{}", home(host).join("run/db.sock").display());
            let plugged = host.run(["ovs-vsctl", &switch, "list-ports", "br-int"])?;
            let left: Vec<_> = plugged.lines().filter(|name| name.starts_with("tap") || name.starts_with("fm")).collect();
            ensure!(left.is_empty(), "ports are left in the switch of {}: {left:?}", host.name());
            let namespaces = host.run(["ip", "netns", "list"])?;
            ensure!(namespaces.is_empty(), "namespaces are left on {}: {namespaces}", host.name());
        }
        let northbound = format!("--db=unix:{}", self.home().join("run/nb.sock").display());
        let rows = ["ovn-nbctl", &northbound, "--bare", "--columns=name", "find", "logical_switch_port", "type=\"\""];
        let rows = self.central.run(rows)?;
        ensure!(rows.trim().is_empty(), "ports of machines are left in OVN: {rows}");
        let ports = self.admin.get("/network/v2.0/ports")?;
        let left: Vec<_> = ports["ports"]
            .as_array()
            .context("a list of ports")?
            .iter()
            .filter(|port| port["device_owner"].as_str().is_some_and(|owner| owner.starts_with("compute:")))
            .collect();
        ensure!(left.is_empty(), "ports and their addresses are left: {left:?}");
        let statistics = self.admin.get("/placement/resource_providers")?;
        for provider in statistics["resource_providers"].as_array().context("a list of providers")? {
            let uuid = provider["uuid"].as_str().context("a provider's id")?;
            let usages = self.admin.get(&format!("/placement/resource_providers/{uuid}/usages"))?;
            let used = usages["usages"].as_object().context("usages")?.values().any(|used| used != 0);
            ensure!(!used, "allocations are left: {usages}");
        }
        Ok(())
    }
}

/// The QEMU processes of a host: the machine's id and the number by which the host knows the process.
pub fn machines(host: &Host) -> Result<BTreeMap<String, u32>> {
    let shown = host.run(["ps", "-eo", "pid=,args="])?;
    let machine = |line: &str| {
        let (pid, command) = line.trim().split_once(' ')?;
        let id = command.trim_start().strip_prefix("qemu-system-x86_64")?.split("guest=").nth(1)?.split([',', ' ']).next()?;
        Some((id.to_owned(), pid.parse().ok()?))
    };
    Ok(shown.lines().filter_map(machine).collect())
}
