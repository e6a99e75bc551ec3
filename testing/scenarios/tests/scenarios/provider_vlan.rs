// SPDX-License-Identifier: Apache-2.0
//! A VLAN of the office's LAN as a network of the cloud: its machines are hosts of that VLAN like any other, and of no other.
//!
//! What a machine may not send there is in [`spoofing`], in the same cloud: one takes minutes to come up.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Capture, Host, KeyPair, Ssh};
use scenarios::{Api, BOOT, Cloud, Wanted, id, text};
use serde_json::json;

use crate::spoofing;

const VLAN: u16 = 100;
const OTHER_VLAN: u16 = 200;
pub const SOON: Duration = Duration::from_secs(20);

/// The LAN, and two machines of the cloud on one of its VLANs, each on a host of its own.
pub struct Site {
    pub cloud: Cloud,
    pub key: KeyPair,
    /// The way out of the VLAN; no part of the cloud.
    pub gateway: Neighbour,
    /// Any other host of the VLAN.
    pub desk: Neighbour,
    /// It has the gateway's address, on another VLAN.
    stranger: Host,
    /// On hv1.
    pub machine: Machine,
    /// On hv2.
    pub other: Machine,
    network: String,
}

/// A host of the LAN with one address.
pub struct Neighbour {
    pub host: Host,
    pub address: &'static str,
    pub mac: String,
}

pub struct Machine {
    server: String,
    pub port: String,
    pub address: &'static str,
    pub mac: String,
}

#[test]
fn provider_vlan() -> Result<()> {
    let site = Site::open()?;
    machines_and_lan_hosts_reach_each_other_tagged(&site)?;
    other_vlans_see_nothing(&site)?;
    spoofing::is_dropped(&site)?;
    spoofing::passes_while_port_security_is_off(&site)?;
    site.close()
}

impl Site {
    fn open() -> Result<Self> {
        let cloud = Cloud::start()?;
        let key = KeyPair::generate(cloud.lab.folder(), "key")?;
        let gateway = Neighbour::plug(&cloud, "gateway", VLAN, "192.168.100.1")?;
        let desk = Neighbour::plug(&cloud, "desk", VLAN, "192.168.100.2")?;
        let stranger = Neighbour::plug(&cloud, "stranger", OTHER_VLAN, "192.168.100.1")?.host;

        let me = &cloud.admin;
        let image = cloud.load_guest_image()?;
        let network = vlan_network(me)?;
        me.make_keypair("key", key.public())?;
        me.allow("tcp", Some(22))?;
        me.allow("icmp", None)?;
        let machine = Machine::create(me, ("one", "hv1"), &network, "192.168.100.50", &image)?;
        let other = Machine::create(me, ("two", "hv2"), &network, "192.168.100.51", &image)?;
        let site = Self { cloud, key, gateway, desk, stranger, machine, other, network };
        for machine in [&site.machine, &site.other] {
            let said = || format!("the console of {} says:\n{}", machine.address, site.cloud.admin.console(&machine.server));
            site.ssh(machine).wait_until_ready(BOOT).with_context(said)?;
        }
        Ok(site)
    }

    /// From the desk, straight over the VLAN: there is no router and no floating address.
    pub fn ssh(&self, machine: &Machine) -> Ssh<'_> {
        self.desk.host.ssh(machine.address, &self.key)
    }

    fn close(self) -> Result<()> {
        for machine in [&self.machine, &self.other] {
            self.cloud.admin.delete_server(&machine.server)?;
            self.cloud.admin.wait_until_gone(&machine.server)?;
            self.cloud.admin.delete(&format!("/network/v2.0/ports/{}", machine.port))?;
        }
        self.cloud.admin.delete(&format!("/network/v2.0/networks/{}", self.network))?;
        self.cloud.wait_for_clean_audit()?;
        self.cloud.passed()
    }
}

impl Neighbour {
    fn plug(cloud: &Cloud, name: &str, vlan: u16, address: &'static str) -> Result<Self> {
        let host = cloud.lab.lan_host(name, Some(vlan), &format!("{address}/24"))?;
        let mac = host.run(["cat", "/sys/class/net/eth0/address"])?.trim().to_owned();
        Ok(Self { host, address, mac })
    }
}

impl Machine {
    fn create(me: &Api, (name, host): (&str, &str), network: &str, address: &'static str, image: &str) -> Result<Self> {
        let port = me.make_port(json!({"network_id": network, "fixed_ips": [{"ip_address": address}]}))?;
        ensure!(port["fixed_ips"][0]["ip_address"] == address, "the address {address} was chosen: {port}");
        let (port, mac) = (id(&port)?, text(&port["mac_address"])?);
        let server = me.create_server(&Wanted { name, image, port: &port, host, key: "key", ..Wanted::default() })?;
        me.wait_for_active(&server)?;
        Ok(Self { server, port, address, mac })
    }
}

fn vlan_network(me: &Api) -> Result<String> {
    let ask = json!({"network": {"name": "office", "provider:network_type": "vlan", "provider:physical_network": "lan",
        "provider:segmentation_id": VLAN}});
    let network = id(&me.post("/network/v2.0/networks", &ask)?["network"])?;
    let ask = json!({"subnet": {"network_id": network, "ip_version": 4, "cidr": "192.168.100.0/24",
        "gateway_ip": "192.168.100.1", "allocation_pools": [{"start": "192.168.100.50", "end": "192.168.100.99"}]}});
    me.post("/network/v2.0/subnets", &ask)?;
    Ok(network)
}

/// Both ways, between each machine and the LAN, and between the machines, whose frames also go over the LAN: whatever leaves
/// or enters a host of the cloud on its card has the VLAN's tag.
fn machines_and_lan_hosts_reach_each_other_tagged(site: &Site) -> Result<()> {
    let gateway = site.gateway.address;
    for (host, machine) in [("hv1", &site.machine), ("hv2", &site.other)] {
        let shown = site.ssh(machine).run("ip -o -4 address show dev eth0; ip route")?;
        ensure!(shown.contains(&format!("inet {}/24", machine.address)), "{} was chosen:\n{shown}", machine.address);
        ensure!(shown.contains(&format!("default via {gateway}")), "no way out:\n{shown}");

        let wire = trunk(site, host)?;
        site.gateway.host.run(["ping", "-c", "2", "-W", "3", machine.address])?;
        site.ssh(machine).run(&format!("ping -c 2 -W 3 {gateway}"))?;
        expect_echoes_tagged(&wire, [gateway, machine.address])?;
        expect_echoes_tagged(&wire, [machine.address, gateway])?;
    }
    let wire = trunk(site, "hv2")?;
    let (from, to) = (site.machine.address, site.other.address);
    site.ssh(&site.machine).run(&format!("ping -c 2 -W 3 {to}")).context("between machines on different hosts")?;
    expect_echoes_tagged(&wire, [from, to])
}

/// The wire between the card of a host of the cloud and the LAN's switch. A filter for frames with a tag, or for frames
/// without, would not see the other.
fn trunk(site: &Site, host: &str) -> Result<Capture> {
    site.cloud.host(host)?.capture("eth1", "icmp or (vlan and icmp)")
}

fn expect_echoes_tagged(wire: &Capture, [from, to]: [&str; 2]) -> Result<()> {
    let tag = format!("vlan {VLAN},");
    wire.wait_for(&[&tag, &format!("{from} > {to}: ICMP echo request")], SOON)?;
    wire.wait_for(&[&tag, &format!("{to} > {from}: ICMP echo reply")], SOON)?;
    let astray: Vec<_> = wire.packets()?.into_iter().filter(|line| !line.contains(&tag)).collect();
    ensure!(astray.is_empty(), "without the tag of VLAN {VLAN}: {astray:#?}");
    Ok(())
}

/// Broadcasts cross a switch to wherever they may; unicast to an address that another host of the same number also has.
fn other_vlans_see_nothing(site: &Site) -> Result<()> {
    let ours = [&site.machine.mac, &site.other.mac, &site.gateway.mac, &site.desk.mac];
    let from_ours = ours.map(|mac| format!("ether src {mac}")).join(" or ");
    let leaked = site.stranger.capture("eth0", &from_ours)?;
    let arrived = site.desk.host.capture("eth0", &from_ours)?;
    for machine in [&site.machine, &site.other] {
        site.ssh(machine).run("sudo arping -c 1 -w 2 -I eth0 192.168.100.9; true")?;
        site.gateway.host.run(["ip", "neighbour", "flush", "dev", "eth0"])?;
        site.gateway.host.run(["ping", "-c", "1", "-W", "3", machine.address])?;
        arrived.wait_for(&[&machine.mac, "ff:ff:ff:ff:ff:ff", "ARP"], SOON)?;
        let there = site.stranger.output(["ping", "-c", "2", "-W", "1", machine.address])?;
        ensure!(!there.status.success(), "VLAN {OTHER_VLAN} reaches {} of VLAN {VLAN}", machine.address);
    }
    arrived.wait_for(&[&site.gateway.mac, "ff:ff:ff:ff:ff:ff", "ARP"], SOON)?;
    let leaked = leaked.packets()?;
    ensure!(leaked.is_empty(), "VLAN {OTHER_VLAN} sees frames of VLAN {VLAN}: {leaked:#?}");
    Ok(())
}
