// SPDX-License-Identifier: Apache-2.0
//! The configuration of the laboratory's hosts.

use std::{net::Ipv4Addr, path::Path};

pub(crate) const API_PORT: u16 = 8080;
/// Tunnels leave by a card and a bridge of their own: Open vSwitch's userspace datapath sends only through its bridges, and
/// the card by which the host itself is reached is not for bridges.
pub(crate) const TUNNEL_CARD: &str = "eth2";
pub(crate) const TUNNEL_BRIDGE: &str = "br-tunnel";

/// The host's address on the tunnels' bridge.
pub(crate) fn tunnel_address(own: Ipv4Addr) -> Ipv4Addr {
    let [.., last] = own.octets();
    Ipv4Addr::new(10, 98, 0, last)
}

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

/// What controllers of one cloud have in common.
pub(crate) fn shared(database: &str, images: &Path) -> String {
    format!(
        r#"[database]
url = "{database}"
[[image.stores]]
id = "shared"
path = "{}"
"#,
        images.display()
    )
}

/// A second controller, which uses the OVN of the first.
pub(crate) fn standby(own: Ipv4Addr, central: Ipv4Addr, central_home: &Path) -> String {
    let run = central_home.join("run");
    format!(
        r#"[api]
listen = "{own}:{API_PORT}"
[fleet]
listen = "{own}:8081"
[network]
run_ovn = false
northbound = "unix:{run}/nb.sock"
southbound = "unix:{run}/sb.sock"
southbound_listen = "{central}:6642"
[network.physical_networks]
lan = {{ first_vlan = 1, last_vlan = 4094 }}
"#,
        run = run.display()
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
    let tunnel = tunnel_address(own);
    format!(
        r#"[node]
encap_ip = "{tunnel}"
reserved_disk_gb = 0
[node.physical_networks]
lan = {{ bridge = "br-lan", nic = "eth1" }}
tunnels = {{ bridge = "{TUNNEL_BRIDGE}", nic = "{TUNNEL_CARD}" }}
"#
    )
}
