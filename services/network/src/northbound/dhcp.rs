// SPDX-License-Identifier: Apache-2.0
//! What OVN's DHCP tells guests.
//!
//! Values come from typed columns or were checked where a client wrote them, so none can begin another option.

use std::{collections::BTreeMap, net::IpAddr};

use ovn::{
    northbound::{DesiredRow, Table},
    ovsdb::Datum,
};
use types::SubnetId;

use crate::{network, port::DhcpOption, range, subnet};

/// Twelve hours.
const LEASE_SECONDS: u32 = 43_200;
const METADATA: &str = "169.254.169.254/32";

/// Options in OVN's words.
pub struct Options {
    cidr: String,
    entries: BTreeMap<String, String>,
}

impl Options {
    pub fn row(&self, key: String) -> DesiredRow {
        DesiredRow::new(Table::DhcpOptions, key)
            .set("cidr", self.cidr.as_str())
            .set("options", Datum::map(self.entries.iter().map(|(name, value)| (name.as_str(), value.as_str()))))
    }

    /// The options that a port's owner adds, as far as OVN knows them. True if there were any.
    pub fn extend(&mut self, extra: &[DhcpOption], version: i64) -> bool {
        let mut any = false;
        for option in extra.iter().filter(|option| option.ip_version == version) {
            if let Some((name, kind)) = known(&option.opt_name, version)
                && let Some(value) = kind.spell(&option.opt_value)
            {
                self.entries.insert(name.to_owned(), value);
                any = true;
            }
        }
        any
    }
}

/// The options of a subnet; none where it has no DHCP. `door` is the metadata port's address there.
pub fn of_subnet(network: &network::Row, subnet: &subnet::Row, door: Option<IpAddr>) -> Option<Options> {
    if !subnet.enable_dhcp {
        return None;
    }
    let entries = if subnet.is_v4() { v4(network, subnet, door)? } else { v6(subnet)? };
    Some(Options { cidr: subnet.cidr.to_string(), entries })
}

fn v4(network: &network::Row, subnet: &subnet::Row, door: Option<IpAddr>) -> Option<BTreeMap<String, String>> {
    let server = subnet.gateway_ip.or(door).or_else(|| range::usable(&subnet.cidr).map(|all| all.start))?;
    let mut entries = BTreeMap::from([
        ("server_id".to_owned(), server.to_string()),
        ("server_mac".to_owned(), server_mac(&subnet.id)),
        ("lease_time".to_owned(), LEASE_SECONDS.to_string()),
        ("mtu".to_owned(), network.mtu.to_string()),
    ]);
    if !subnet.dns_nameservers.is_empty() {
        entries.insert("dns_server".to_owned(), list(&subnet.dns_nameservers));
    }
    // A client that is told classless routes heeds no other, so the default route stands among them too (RFC 3442).
    let mut routes = Vec::new();
    if let Some(door) = door {
        routes.push(format!("{METADATA},{door}"));
    }
    for route in &subnet.host_routes {
        routes.push(format!("{},{}", route.destination, route.nexthop));
    }
    if let Some(gateway) = subnet.gateway_ip {
        entries.insert("router".to_owned(), gateway.to_string());
        if !routes.is_empty() {
            routes.push(format!("0.0.0.0/0,{gateway}"));
        }
    }
    if !routes.is_empty() {
        entries.insert("classless_static_route".to_owned(), format!("{{{}}}", routes.join(", ")));
    }
    Some(entries)
}

fn v6(subnet: &subnet::Row) -> Option<BTreeMap<String, String>> {
    let mode = subnet.ipv6_address_mode.as_deref()?;
    if mode == "slaac" {
        return None;
    }
    let mut entries = BTreeMap::from([("server_id".to_owned(), server_mac(&subnet.id))]);
    if mode == "dhcpv6-stateless" {
        entries.insert("dhcpv6_stateless".to_owned(), "true".to_owned());
    }
    if !subnet.dns_nameservers.is_empty() {
        entries.insert("dns_server".to_owned(), list(&subnet.dns_nameservers));
    }
    Some(entries)
}

/// The address that DHCP answers come from: the same at every look, so that it follows from the subnet's id.
fn server_mac(subnet: &SubnetId) -> String {
    let bytes = *uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, subnet.as_str().as_bytes()).as_bytes();
    types::Mac([0xfa, 0x16, 0x3e, bytes[0], bytes[1], bytes[2]]).to_string()
}

fn list(addresses: &[IpAddr]) -> String {
    let texts: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    format!("{{{}}}", texts.join(", "))
}

/// How OVN wants the value of an option written.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Address,
    Number,
}

impl Kind {
    fn spell(self, value: &str) -> Option<String> {
        match self {
            Self::Text => Some(format!("\"{value}\"")),
            Self::Address => value.parse::<IpAddr>().ok().map(|address| address.to_string()),
            Self::Number => value.parse::<u32>().ok().map(|number| number.to_string()),
        }
    }
}

/// OVN's name for an option that Neutron's users write by dnsmasq's name or by number.
fn known(name: &str, version: i64) -> Option<(&'static str, Kind)> {
    let name = name.strip_prefix("option:").unwrap_or(name);
    if version == 6 {
        return match name {
            "dns-server" | "23" => Some(("dns_server", Kind::Address)),
            "domain-search" | "24" => Some(("domain_search", Kind::Text)),
            "bootfile-name" | "59" => Some(("bootfile_name", Kind::Text)),
            _ => None,
        };
    }
    Some(match name {
        "router" | "3" => ("router", Kind::Address),
        "dns-server" | "6" => ("dns_server", Kind::Address),
        "hostname" | "host-name" | "12" => ("hostname", Kind::Text),
        "domain-name" | "15" => ("domain_name", Kind::Text),
        "mtu" | "26" => ("mtu", Kind::Number),
        "ntp-server" | "42" => ("ntp_server", Kind::Address),
        "lease-time" | "51" => ("lease_time", Kind::Number),
        "T1" | "58" => ("T1", Kind::Number),
        "T2" | "59" => ("T2", Kind::Number),
        "tftp-server" | "tftp-server-name" | "66" => ("tftp_server", Kind::Text),
        "bootfile-name" | "67" => ("bootfile_name", Kind::Text),
        "wpad" | "252" => ("wpad", Kind::Text),
        "path-prefix" | "210" => ("path_prefix", Kind::Text),
        "tftp-server-address" | "server-ip-address" | "150" => ("tftp_server_address", Kind::Address),
        "domain-search" | "119" => ("domain_search_list", Kind::Text),
        _ => return None,
    })
}
