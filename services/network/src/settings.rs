// SPDX-License-Identifier: Apache-2.0
//! What the operator decides about networks.

use std::{collections::BTreeMap, ops::RangeInclusive};

#[derive(Debug, Clone)]
pub struct Settings {
    /// The greatest packet of the physical network under the tunnels.
    pub underlay_mtu: u32,
    /// The greatest packet of the physical networks that provider networks lead to.
    pub provider_mtu: u32,
    pub tunnel_ids: RangeInclusive<i64>,
    /// VLANs from which tenants' or unnumbered VLAN networks are given one, by physical network.
    pub vlans: BTreeMap<String, RangeInclusive<i64>>,
    /// Bridge mappings of hosts that are not in OVN's southbound database yet.
    pub physical_networks: Vec<String>,
    pub availability_zone: String,
    /// Floating addresses are translated on the host of their port instead of on the gateway.
    pub distributed_floating_ips: bool,
    /// What is appended to a port's `dns_name`.
    pub dns_domain: String,
    /// Name servers for subnets that name none.
    pub default_dns: Vec<std::net::IpAddr>,
    /// What differs from the quotas that the drawers have.
    pub quotas: BTreeMap<&'static str, i64>,
}

/// What Geneve with OVN's options and its outer headers takes from a packet over IPv4.
pub const GENEVE_OVERHEAD: u32 = 58;

impl Default for Settings {
    fn default() -> Self {
        Self {
            underlay_mtu: 1500,
            provider_mtu: 1500,
            tunnel_ids: 1..=65_536,
            vlans: BTreeMap::new(),
            physical_networks: Vec::new(),
            availability_zone: "nova".to_owned(),
            distributed_floating_ips: false,
            dns_domain: "openstacklocal.".to_owned(),
            default_dns: Vec::new(),
            quotas: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// The greatest packet that a network of this type carries.
    pub fn greatest_mtu(&self, network_type: &str) -> u32 {
        if network_type == "geneve" { self.underlay_mtu.saturating_sub(GENEVE_OVERHEAD) } else { self.provider_mtu }
    }

    /// The name servers of a subnet whose maker named none.
    pub fn default_dns_for(&self, cidr: &ipnet::IpNet) -> Vec<std::net::IpAddr> {
        let is_v4 = matches!(cidr, ipnet::IpNet::V4(_));
        self.default_dns.iter().copied().filter(|server| server.is_ipv4() == is_v4).collect()
    }
}
