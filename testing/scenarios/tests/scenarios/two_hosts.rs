// SPDX-License-Identifier: Apache-2.0
//! Two machines on different hosts, one network: to them it is one Ethernet segment.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{KeyPair, Ssh, wait_until};
use scenarios::{BOOT, Cloud, Wanted, address, text};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);

#[test]
fn two_hosts() -> Result<()> {
    let cloud = Cloud::start()?;
    let office = cloud.lab.lan_host("office", None, "172.24.4.1/24")?;
    let key = KeyPair::generate(cloud.lab.folder(), "key")?;
    let image = cloud.load_guest_image()?;
    let external = cloud.make_external()?;
    let me = &cloud.admin;
    let network = me.make_network("segment")?;
    let subnet = me.make_subnet(&network, "10.0.7.0/24")?;
    me.make_router(&external, &subnet)?;
    me.make_keypair("key", key.public())?;
    me.allow("tcp", Some(22))?;
    me.allow("icmp", None)?;

    let mut machines = Vec::new();
    for (name, host) in [("left", "hv1"), ("right", "hv2")] {
        let server =
            me.create_server(&Wanted { name, image: &image, network: &network, host, key: "key", ..Wanted::default() })?;
        let there = me.wait_for_active(&server)?;
        ensure!(there["OS-EXT-SRV-ATTR:host"] == host, "{name} was to be on {host}: {there}");
        machines.push((name, server.clone(), me.port_of(&server)?, me.make_floating_ip(&external, &server)?));
    }
    for (name, server, port, floating) in &machines {
        let ssh = office.ssh(floating, &key);
        ssh.wait_until_ready(BOOT).with_context(|| format!("the console of {name} says:\n{}", me.console(server)))?;
        what_the_machine_was_told(&ssh, name, port)?;
    }
    let [(_, _, left_port, left), (_, _, right_port, right)] = machines.as_slice() else { unreachable!("two were made") };
    let (left, right) = (office.ssh(left, &key), office.ssh(right, &key));
    let network = me.get(&format!("/network/v2.0/networks/{network}"))?["network"].take();
    one_segment(&left, left_port, right_port, &network)?;
    one_segment(&right, right_port, left_port, &network)?;
    broadcasts_arrive(&left, left_port, &right)?;
    broadcasts_arrive(&right, right_port, &left)?;

    for (_, server, ..) in &machines {
        me.delete_server(server)?;
    }
    for (_, server, ..) in &machines {
        me.wait_until_gone(server)?;
    }
    cloud.wait_for_clean_audit()?;
    cloud.passed()
}

/// By DHCP its address, by the metadata service its name and the key that let us in. There is no configuration drive.
fn what_the_machine_was_told(ssh: &Ssh, name: &str, port: &Value) -> Result<()> {
    let (address, mac) = (address(port)?, text(&port["mac_address"])?);
    let shown = ssh.run("ip -o address show dev eth0; ip link show dev eth0; hostname; ip route; ls /dev")?;
    ensure!(shown.contains(&format!("inet {address}/24")), "{name} has not the address {address}:\n{shown}");
    ensure!(shown.contains(&mac), "{name} has not the Ethernet address {mac}:\n{shown}");
    ensure!(shown.lines().any(|line| line == name), "{name} does not know its name:\n{shown}");
    ensure!(shown.contains("default via 10.0.7.1"), "{name} has no way out:\n{shown}");
    ensure!(!shown.lines().any(|line| line == "sr0"), "{name} has a configuration drive:\n{shown}");
    let told = ssh.run("curl -s --max-time 10 http://169.254.169.254/openstack/latest/meta_data.json")?;
    let told: Value = serde_json::from_str(&told).with_context(|| format!("metadata: {told}"))?;
    ensure!(told["name"] == name && told["public_keys"]["key"].is_string(), "{told}");
    let told = ssh.run("curl -s --max-time 10 http://169.254.169.254/latest/meta-data/local-ipv4")?;
    ensure!(told.trim() == address, "EC2's metadata says {told}");
    Ok(())
}

/// Echo in both sizes: small, and the largest that the network's MTU allows, not to be fragmented. ARP by the other's own
/// answer, which carries its own Ethernet address.
fn one_segment(from: &Ssh, from_port: &Value, to_port: &Value, network: &Value) -> Result<()> {
    let (to, mac) = (address(to_port)?, text(&to_port["mac_address"])?);
    wait_until("the neighbour to answer", SOON, || Ok(from.run(&format!("ping -c 1 -W 2 {to}")).is_ok()))?;
    let neighbours = from.run(&format!("ip neighbour show {to}"))?;
    ensure!(neighbours.contains(&mac), "ARP for {to} gave {neighbours}");
    let mtu = network["mtu"].as_u64().context("the network's MTU")?;
    let fits = mtu - 28;
    from.run(&format!("ping -c 2 -W 3 -M do -s {fits} {to}")).with_context(|| format!("{} from {from_port}", mtu))?;
    ensure!(from.run(&format!("ping -c 1 -W 2 -M do -s {} {to}", fits + 1)).is_err(), "more than the MTU of {mtu} was sent");
    Ok(())
}

/// A datagram to everyone on the segment.
fn broadcasts_arrive(from: &Ssh, from_port: &Value, to: &Ssh) -> Result<()> {
    let sender = address(from_port)?;
    let heard = "cat /sys/class/net/eth0/statistics/multicast; grep -E '^(Ip|Icmp):' /proc/net/snmp; cat /tmp/heard 2>/dev/null";
    to.run("rm -f /tmp/heard; (timeout 60 nc -u -l -w 55 -p 7777 >/tmp/heard 2>&1 || timeout 60 nc -u -l -w 55 7777 >/tmp/heard 2>&1) </dev/null >/dev/null 2>&1 & sleep 0.5")?;
    wait_until("a broadcast to arrive", SOON, || {
        from.run("ping -b -c 1 -W 1 10.0.7.255 >/dev/null 2>&1; echo hello | timeout 2 nc -u -w 1 -b 10.0.7.255 7777; true")?;
        Ok(to.run("cat /tmp/heard")?.contains("hello"))
    })
    .with_context(|| format!("from {sender}; the other counts {}", to.run(heard).unwrap_or_default()))?;
    Ok(())
}
