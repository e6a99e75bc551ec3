// SPDX-License-Identifier: Apache-2.0
//! `network_data.json`: how the guest is wired, for guests that configure themselves without DHCP.

use std::net::IpAddr;

use contracts::{node::NicDesired, ports::FixedIp};
use ipnet::IpNet;
use serde_json::{Value, json};

pub(super) fn network_data(nics: &[NicDesired]) -> Value {
    let mut networks = Vec::new();
    let mut services: Vec<Value> = Vec::new();
    for nic in nics {
        for fixed in &nic.fixed_ips {
            networks.push(network(nic, fixed, networks.len()));
            for address in &fixed.dns {
                let service = dns(address);
                if !services.contains(&service) {
                    services.push(service);
                }
            }
        }
    }
    let links: Vec<Value> = nics.iter().map(link).collect();
    json!({ "links": links, "networks": networks, "services": services })
}

fn link(nic: &NicDesired) -> Value {
    json!({
        "id": link_id(nic),
        "vif_id": nic.port_id,
        "type": "ovs",
        "mtu": nic.mtu,
        "ethernet_mac_address": nic.mac,
    })
}

fn network(nic: &NicDesired, fixed: &FixedIp, number: usize) -> Value {
    let family = if fixed.address.is_ipv4() { "ipv4" } else { "ipv6" };
    let mut network = json!({
        "id": format!("network{number}"),
        "link": link_id(nic),
        "network_id": nic.network_id,
    });
    if fixed.dhcp && fixed.address.is_ipv4() {
        network["type"] = json!("ipv4_dhcp");
        return network;
    }
    network["type"] = json!(family);
    network["ip_address"] = json!(fixed.address);
    network["netmask"] = json!(mask(fixed.address, fixed.prefix));
    let default = if fixed.address.is_ipv4() { "0.0.0.0/0" } else { "::/0" };
    let default = fixed.gateway.map(|gateway| (default.to_owned(), gateway));
    network["routes"] = default.iter().chain(&fixed.routes).filter_map(route).collect();
    network["services"] = fixed.dns.iter().map(dns).collect();
    network
}

fn route((destination, gateway): &(String, IpAddr)) -> Option<Value> {
    let destination: IpNet = destination.parse().ok()?;
    Some(json!({ "network": destination.network(), "netmask": destination.netmask(), "gateway": gateway }))
}

fn mask(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    Some(IpNet::new(address, prefix).ok()?.netmask())
}

fn dns(address: &IpAddr) -> Value {
    json!({ "type": "dns", "address": address })
}

/// The name of the port's tap.
fn link_id(nic: &NicDesired) -> String {
    format!("tap{}", nic.port_id.as_str().chars().take(11).collect::<String>())
}
