// SPDX-License-Identifier: Apache-2.0
//! The configuration of the laboratory's hosts.

use std::net::Ipv4Addr;

pub(crate) const API_PORT: u16 = 8080;
/// The bridge through which tunnels leave: Open vSwitch's userspace datapath sends only through bridges of its own.
pub(crate) const UNDERLAY_BRIDGE: &str = "br-phys";

pub(crate) fn controller(own: Ipv4Addr) -> String {
    format!(
        r#"[api]
listen = "{own}:{API_PORT}"
[fleet]
listen = "{own}:8081"
[network]
southbound_listen = "{own}:6642"
[network.physical_networks]
lan = {{ first_vlan = 1, last_vlan = 4094 }}
"#
    )
}

pub(crate) fn controller_without_ovn(own: Ipv4Addr) -> String {
    format!(
        r#"[api]
listen = "{own}:{API_PORT}"
[fleet]
listen = "{own}:8081"
[network]
run_ovn = false
northbound = "unix:/nowhere/northbound.sock"
southbound = "unix:/nowhere/southbound.sock"
"#
    )
}

pub(crate) fn node(own: Ipv4Addr) -> String {
    format!(
        r#"[node]
encap_ip = "{own}"
reserved_disk_gb = 0
[node.physical_networks]
lan = {{ bridge = "br-lan", nic = "eth1" }}
underlay = {{ bridge = "{UNDERLAY_BRIDGE}", nic = "eth0" }}
"#
    )
}
