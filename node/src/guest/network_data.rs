// SPDX-License-Identifier: Apache-2.0
//! `network_data.json`: how the guest is wired, for guests that configure themselves without DHCP.

use std::net::IpAddr;

use contracts::{node::NicDesired, ports::FixedIp};
use ipnet::IpNet;
use serde_json::{Value, json};

/// As Nova tells it: a NIC's first address of each family, since a guest that is told of two would ask DHCP twice. A NIC
/// without addresses is left to the guest, and a guest without NICs is told nothing.
pub(super) fn network_data<'a>(nics: impl Iterator<Item = &'a NicDesired> + Clone) -> Value {
    if nics.clone().next().is_none() {
        return json!({});
    }
    let (mut links, mut networks): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    let mut services: Vec<Value> = Vec::new();
    for nic in nics.filter(|nic| !nic.fixed_ips.is_empty()) {
        links.push(link(nic));
        let first = |is_wanted: fn(&IpAddr) -> bool| nic.fixed_ips.iter().find(|fixed| is_wanted(&fixed.address));
        for fixed in [first(IpAddr::is_ipv4), first(IpAddr::is_ipv6)].into_iter().flatten() {
            networks.push(network(nic, fixed, networks.len()));
            for service in fixed.dns.iter().map(dns) {
                if !services.contains(&service) {
                    services.push(service);
                }
            }
        }
    }
    json!({ "links": links, "networks": networks, "services": services })
}

fn link(nic: &NicDesired) -> Value {
    json!({
        "id": nic.port_id.tap(),
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
        "link": nic.port_id.tap(),
        "network_id": nic.network_id,
    });
    network["type"] = match &fixed.ipv6_address_mode {
        Some(mode) => json!(format!("{family}_{mode}")),
        None if fixed.dhcp => {
            network["type"] = json!(format!("{family}_dhcp"));
            return network;
        }
        None => json!(family),
    };
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
