// SPDX-License-Identifier: Apache-2.0
//! What a subnet may be, as far as one can tell without the tables.
//!
//! A wrong value must not get past here: it would reach the DHCP of every guest on the network (OSSA-2021-005's family).

use std::net::IpAddr;

use ipnet::IpNet;

use super::Route;
use crate::{
    Error, Result,
    input::{Input, LONGEST, bad, read_address, read_cidr},
    range::{self, Pool},
};

const MOST_NAME_SERVERS: usize = 5;
const MOST_HOST_ROUTES: usize = 20;

/// A prefix that guests can live in.
pub fn check_cidr(cidr: &IpNet) -> Result<()> {
    let address = cidr.network();
    if cidr.prefix_len() == 0 {
        return Err(Error::invalid("0 is not allowed as CIDR prefix length"));
    }
    let is_reserved = address.is_multicast() || address.is_loopback() || address.is_unspecified();
    if is_reserved || matches!(address, IpAddr::V4(v4) if v4.is_link_local() || v4.is_broadcast()) {
        return Err(Error::invalid(format!("{cidr} is no range that hosts can have")));
    }
    Ok(())
}

/// A gateway within its subnet is an address that a host can have there.
pub fn check_gateway(cidr: &IpNet, gateway: IpAddr) -> Result<()> {
    if gateway.is_ipv4() != matches!(cidr, IpNet::V4(_)) {
        return Err(Error::invalid(format!("gateway_ip '{gateway}' is not of the subnet's IP version")));
    }
    let usable = range::usable(cidr).is_some_and(|all| all.contains(gateway));
    if cidr.contains(&gateway) && !usable {
        return Err(Error::invalid(format!("gateway_ip '{gateway}' is not an address that a host of {cidr} can have")));
    }
    Ok(())
}

pub fn read_pools(input: &mut Input) -> Result<Option<Vec<Pool>>> {
    let Some(items) = input.objects("allocation_pools")? else { return Ok(None) };
    let read = |mut item: Input| {
        let mut end = |name: &str| {
            let text = item.text(name, LONGEST)?;
            let text = text.ok_or_else(|| bad("allocation_pools", format!("a pool lacks its '{name}'")))?;
            read_address("allocation_pools", &text)
        };
        let (start, end) = (end("start")?, end("end")?);
        item.finish()?;
        Ok(Pool { start, end })
    };
    items.into_iter().map(read).collect::<Result<_>>().map(Some)
}

pub fn read_name_servers(input: &mut Input) -> Result<Option<Vec<IpAddr>>> {
    let Some(texts) = input.texts("dns_nameservers")? else { return Ok(None) };
    if texts.len() > MOST_NAME_SERVERS {
        return Err(Error::DNSNameServersExhausted { most: MOST_NAME_SERVERS });
    }
    let servers: Vec<IpAddr> = texts.iter().map(|text| read_address("dns_nameservers", text)).collect::<Result<_>>()?;
    match servers.iter().enumerate().find(|(place, server)| servers[..*place].contains(server)) {
        Some((_, twin)) => Err(bad("dns_nameservers", format!("the server {twin} stands there twice"))),
        None => Ok(Some(servers)),
    }
}

pub fn read_host_routes(input: &mut Input) -> Result<Option<Vec<Route>>> {
    let routes = read_routes(input, "host_routes")?;
    if routes.as_ref().is_some_and(|routes| routes.len() > MOST_HOST_ROUTES) {
        return Err(Error::HostRoutesExhausted { most: MOST_HOST_ROUTES });
    }
    Ok(routes)
}

/// A list of destinations with their next hops, each once.
pub fn read_routes(input: &mut Input, name: &str) -> Result<Option<Vec<Route>>> {
    let Some(items) = input.objects(name)? else { return Ok(None) };
    let mut routes: Vec<Route> = Vec::with_capacity(items.len());
    for mut item in items {
        let mut part = |part: &str| {
            let text = item.text(part, LONGEST)?;
            text.ok_or_else(|| bad(name, format!("a route lacks its '{part}'")))
        };
        let (destination, nexthop) = (part("destination")?, part("nexthop")?);
        item.finish().map_err(|error| bad(name, error))?;
        let route = Route { destination: read_cidr(name, &destination)?, nexthop: read_address(name, &nexthop)? };
        if route.nexthop.is_ipv4() != matches!(route.destination, IpNet::V4(_)) {
            return Err(bad(name, format!("the next hop {nexthop} is not of the family of {destination}")));
        }
        if routes.contains(&route) {
            return Err(bad(name, format!("the route to {destination} by {nexthop} stands there twice")));
        }
        routes.push(route);
    }
    Ok(Some(routes))
}

/// `ipv6_ra_mode` and `ipv6_address_mode` belong to IPv6 with DHCP on, and agree where both are given.
pub fn check_modes(cidr: &IpNet, enable_dhcp: bool, ra: Option<&str>, address: Option<&str>) -> Result<()> {
    const MODES: [&str; 3] = ["slaac", "dhcpv6-stateful", "dhcpv6-stateless"];
    for (name, mode) in [("ipv6_ra_mode", ra), ("ipv6_address_mode", address)] {
        let Some(mode) = mode else { continue };
        if !MODES.contains(&mode) {
            return Err(bad(name, format!("'{mode}' is not in {MODES:?}")));
        }
        if matches!(cidr, IpNet::V4(_)) {
            return Err(Error::invalid(format!("{name} is not valid when ip_version is 4")));
        }
        if !enable_dhcp {
            return Err(Error::invalid("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False"));
        }
    }
    if let (Some(ra), Some(address)) = (ra, address)
        && ra != address
    {
        return Err(Error::invalid(format!("ipv6_ra_mode set to '{ra}' with ipv6_address_mode set to '{address}' is not valid")));
    }
    let auto = matches!(address, Some("slaac" | "dhcpv6-stateless"));
    if auto && cidr.prefix_len() != 64 {
        return Err(Error::invalid(format!("invalid CIDR {cidr} for IPv6 address mode: it needs a prefix length of 64")));
    }
    Ok(())
}
