// SPDX-License-Identifier: Apache-2.0
//! A machine that lies about who it is: nobody hears it. Where its port's owner wants that, as for a router or a
//! firewall of one's own, everybody does, so that what is dropped is known to have been sent.
//!
//! Played among the machines of [`provider_vlan`](crate::provider_vlan), on a LAN with hosts that are no part of the cloud.

use anyhow::{Context, Result, ensure};
use lab::wait_until;
use serde_json::{Value, json};

use crate::provider_vlan::{SOON, Site};

const FALSE_ADDRESS: &str = "10.6.6.6";
const FALSE_MAC: &str = "02:00:00:00:00:66";

pub fn is_dropped(site: &Site) -> Result<()> {
    let heard = site.gateway.host.capture("eth0", "arp or icmp")?;
    lie(site)?;
    // What is sent last arrives last.
    site.ssh(&site.machine).run(&format!("ping -c 1 -W 3 {}", site.gateway.address)).context("the truth")?;
    heard.wait_for(&[&site.machine.mac, site.machine.address, "ICMP echo request"], SOON)?;
    for lie in [FALSE_ADDRESS, FALSE_MAC] {
        let packets: Vec<_> = heard.packets()?.into_iter().filter(|line| line.contains(lie)).collect();
        ensure!(packets.is_empty(), "{lie} got through: {packets:#?}");
    }
    for (who, entry) in gateways_in_tables(site)? {
        ensure!(entry.contains(&site.gateway.mac), "{who} believes that the gateway is elsewhere: {entry}");
    }
    Ok(())
}

/// And no longer than that.
pub fn passes_while_port_security_is_off(site: &Site) -> Result<()> {
    let path = format!("/network/v2.0/ports/{}", site.machine.port);
    let change = |change: Value| site.cloud.admin.put(&path, &json!({"port": change}));
    let groups = site.cloud.admin.get(&path)?["port"]["security_groups"].take();
    change(json!({"port_security_enabled": false, "security_groups": []}))?;
    let heard = site.gateway.host.capture("eth0", "arp or icmp")?;
    wait_until("lies to get through", SOON * 3, || {
        lie(site)?;
        let packets = heard.packets()?.join("\n");
        Ok(packets.contains(&format!("{FALSE_ADDRESS} > {}: ICMP echo request", site.gateway.address))
            && packets.contains(&format!("{FALSE_MAC} > {}", site.gateway.mac)))
    })?;
    for (who, entry) in gateways_in_tables(site)? {
        ensure!(entry.contains(&site.machine.mac), "{who} has not heard the claim: {entry}");
    }
    change(json!({"port_security_enabled": true, "security_groups": groups}))?;
    wait_until("lies to be dropped again", SOON * 3, || is_dropped(site).map(|()| true))
}

/// A source address, an Ethernet address, and a claim to the gateway's address, none of them the machine's own.
fn lie(site: &Site) -> Result<()> {
    let gateway = site.gateway.address;
    // By the gateway's own question the witnesses know where it is; the claim would change that.
    site.gateway.host.run(["ip", "neighbour", "flush", "dev", "eth0"])?;
    for witness in [site.desk.address, site.other.address] {
        site.gateway.host.run(["ping", "-c", "1", "-W", "3", witness])?;
    }
    // The neighbour is pinned, so that echo requests are sent and not only questions where to send them. The address of the
    // card is put back before the line ends, or its sender would wait forever.
    let pin = format!("ip neighbour replace {gateway} lladdr {} dev eth0 nud permanent", site.gateway.mac);
    let script = format!(
        "{pin}
         ip address add {FALSE_ADDRESS}/32 dev eth0
         ping -c 2 -W 1 -I {FALSE_ADDRESS} {gateway}
         ip address del {FALSE_ADDRESS}/32 dev eth0
         ip link set eth0 address {FALSE_MAC}
         {pin}
         ping -c 2 -W 1 {gateway}
         ip link set eth0 address {own}
         {pin}
         echo 1 >/proc/sys/net/ipv4/ip_nonlocal_bind
         arping -U -c 3 -I eth0 -s {gateway} {gateway}",
        own = site.machine.mac
    );
    site.ssh(&site.machine).run(&format!("sudo sh -c '{script}' 2>&1")).map(drop)
}

/// Where a host of the LAN, and a machine on another host of the cloud, believe the gateway to be.
fn gateways_in_tables(site: &Site) -> Result<[(&'static str, String); 2]> {
    let ask = ["ip", "neighbour", "show", site.gateway.address];
    Ok([("the desk", site.desk.host.run(ask)?), ("the other machine", site.ssh(&site.other).run(&ask.join(" "))?)])
}
