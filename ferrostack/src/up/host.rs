// SPDX-License-Identifier: Apache-2.0
//! The host's own place on its bridges, and, if asked for, the way out through its address.

use std::{fs, process::Command, time::Duration};

use anyhow::{Context, bail};

use super::progress::Outcome;
use crate::config::Config;

/// Gives the host its addresses. The agent has made the bridges by the time it is connected.
pub fn ensure_addresses(config: &Config, nat: bool) -> anyhow::Result<Outcome<()>> {
    let mut made = false;
    for physical in config.node.physical_networks.values() {
        let Some(address) = &physical.address else { continue };
        let device = physical.host_device.as_ref().unwrap_or(&physical.bridge);
        await_device(device)?;
        let shown = output("ip", &["-o", "addr", "show", "dev", device])?;
        if !shown.contains(&format!(" {address} ")) {
            made = true;
            run("ip", &["addr", "replace", address, "dev", device])?;
        }
        run("ip", &["link", "set", device, "up"])?;
        if nat {
            made |= ensure_nat(device, address)?;
        }
    }
    Ok(Outcome::of(made, ()))
}

/// Masquerades what comes from the device's range and leaves by another. One table of our own, replaced whole.
fn ensure_nat(device: &str, address: &str) -> anyhow::Result<bool> {
    let network: ipnet::Ipv4Net = address.parse().context("the host's address")?;
    let table = table_of(device);
    let there = succeeds("nft", &["list", "table", "ip", &table]);
    if fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap_or_default().trim() != "1" {
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("switch on IP forwarding")?;
    }
    if there {
        return Ok(false);
    }
    let rules = format!(
        "table ip {table} {{ chain out {{ type nat hook postrouting priority srcnat; policy accept; \
         ip saddr {} oifname != \"{device}\" masquerade; }} }}",
        network.trunc()
    );
    run("nft", &[&rules])?;
    Ok(true)
}

/// Takes the table of this device away again; that there is none is fine.
pub fn release_nat(device: &str) {
    let _ = succeeds("nft", &["delete", "table", "ip", &table_of(device)]);
}

fn table_of(device: &str) -> String {
    format!("ferrostack_{}", device.replace('-', "_"))
}

fn await_device(name: &str) -> anyhow::Result<()> {
    // At the start of a host the switch may take its time.
    for _ in 0..1200 {
        if succeeds("ip", &["link", "show", "dev", name]) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("the bridge {name} did not appear; the agent's log says why")
}

/// A userspace switch does not finish checksums that the kernel leaves to hardware.
pub fn offloads_off(namespace: Option<&str>, device: &str) -> anyhow::Result<()> {
    let ethtool = ["ethtool", "-K", device, "tx", "off", "rx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off"];
    match namespace {
        None => run(ethtool[0], &ethtool[1..]),
        Some(name) => run("ip", &[&["netns", "exec", name], &ethtool[..]].concat()),
    }
}

pub fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

pub fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    output(program, arguments).map(drop)
}

fn output(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("run {program}"))?;
    if !output.status.success() {
        bail!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
