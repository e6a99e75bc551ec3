// SPDX-License-Identifier: Apache-2.0
//! A router in OVN: its ports, its gateway on several hosts in order, its routes and its translations; and a floating IP,
//! which is a translation of its own.

use std::net::IpAddr;

use ovn::{
    northbound::{DesiredRow, Table},
    ovsdb::Datum,
    southbound::Chassis,
};
use store::Tx;
use types::{FloatingIpId, PortId, RouterId};

use super::{
    port::{key as switch_port_key, router_port_name},
    rows::{Rows, Surroundings},
};
use crate::{
    Error, Result, balancer, floating_ip,
    ipam::leaving::Leaving,
    keys, network,
    port::{self, FixedIp},
    resource::Kept,
    router::{self, connected::Interface},
    subnet,
};

/// OVN elects among at most five.
const MOST_GATEWAY_CHASSIS: usize = 5;

pub fn key(id: &RouterId) -> String {
    format!("{}/router", keys::router(id))
}

pub fn rows(tx: &mut Tx, around: &Surroundings, id: &RouterId) -> Result<Rows> {
    let row = router::Row::get(tx, id)?;
    let prefix = keys::router(id);
    let mut rows = vec![
        DesiredRow::new(Table::LogicalRouter, key(id))
            .set("name", format!("neutron-{id}"))
            .set("enabled", row.admin_state_up)
            .set(
                "options",
                Datum::map([
                    ("always_learn_from_arp_request", "false"),
                    ("dynamic_neigh_routers", "true"),
                    ("mcast_relay", "false"),
                ]),
            )
            .external_id("neutron:router_name", &row.name),
    ];
    let mut inside = Vec::new();
    let mut held: Vec<FixedIp> = Vec::new();
    // OVN knows no port of a router without an address, and Neutron does.
    for interface in router::connected::of_router(tx, id)?.iter().filter(|interface| !interface.fixed_ips.is_empty()) {
        let subnets = subnets_of(tx, &interface.fixed_ips)?;
        let network = network::Row::get(tx, &interface.port.network_id)?;
        let port = router_port(id, interface, &subnets);
        rows.push(match advertisements(&subnets, network.mtu) {
            Some(configs) => port.set("ipv6_ra_configs", configs),
            None => port,
        });
        inside.extend(subnets);
        held.extend(interface.fixed_ips.iter().cloned());
    }
    if let Some(interface) = gateway(tx, &row)? {
        let gateway = &interface.port.id;
        held.extend(interface.fixed_ips.iter().cloned());
        let subnets = subnets_of(tx, &interface.fixed_ips)?;
        let network = network::Row::get(tx, &interface.port.network_id)?;
        rows.push(router_port(id, &interface, &subnets).set("options", Datum::map([("gateway_mtu", network.mtu.to_string())])));
        // Without candidates the gateway would fall silent, so nothing is said of it before the hosts are known.
        let chassis = around.chassis.as_ref().ok_or(Error::HostsUnknown)?;
        rows.extend(gateway_chassis(id, gateway, chassis, network.segment.physical_network.as_deref()));
        rows.extend(subnets.iter().filter_map(|subnet| {
            let nexthop = subnet.gateway_ip?;
            let prefix = if nexthop.is_ipv4() { "0.0.0.0/0" } else { "::/0" };
            let route = static_route(id, &format!("default/{}", subnet.id), prefix, nexthop);
            Some(route.set("output_port", router_port_name(gateway)))
        }));
        let outside = interface.fixed_ips.iter().map(|fixed| fixed.ip_address).find(IpAddr::is_ipv4);
        if let (Some(outside), true) = (outside, row.enable_snat) {
            for subnet in inside.iter().filter(|subnet| subnet.is_v4()) {
                let nat = DesiredRow::new(Table::Nat, format!("{prefix}/snat/{}", subnet.id))
                    .set("type", "snat")
                    .set("external_ip", outside.to_string())
                    .set("logical_ip", subnet.cidr.to_string())
                    .member_of(Table::LogicalRouter, key(id));
                rows.push(nat);
            }
        }
    }
    for route in &row.routes {
        let destination = route.destination.to_string();
        rows.push(static_route(id, &format!("route/{destination}|{}", route.nexthop), &destination, route.nexthop));
    }
    Ok(Rows { rows, needs: former_holders(tx, &held, &prefix)? })
}

/// The keys under which OVN may still know these addresses.
fn former_holders(tx: &mut Tx, held: &[FixedIp], own: &str) -> Result<Vec<String>> {
    let leaving = Leaving::among(tx, held.iter().map(|fixed| (&fixed.subnet_id, fixed.ip_address)))?;
    Ok(held.iter().flat_map(|fixed| leaving.keys(&fixed.subnet_id, fixed.ip_address, own)).collect())
}

/// The gateway, if it has an address.
fn gateway(tx: &mut Tx, router: &router::Row) -> Result<Option<Interface>> {
    let Some(id) = &router.gateway_port_id else { return Ok(None) };
    let fixed_ips = port::table::addresses_of(tx, id)?;
    Ok((!fixed_ips.is_empty()).then_some(Interface { port: port::Row::get(tx, id)?, fixed_ips }))
}

/// The translation of a floating IP; none while it leads nowhere.
pub fn floating_ip(tx: &mut Tx, around: &Surroundings, id: &FloatingIpId) -> Result<Rows> {
    let row = floating_ip::Row::get(tx, id)?;
    let (Some(port), Some(fixed), Some(router)) = (&row.port_id, row.fixed_ip_address, &row.router_id) else {
        return Ok(Rows::default());
    };
    let mut needs = vec![keys::router(router)];
    let outside = port::table::addresses_of(tx, &row.floating_port_id)?;
    needs.extend(former_holders(tx, &outside, &keys::floating_ip(id))?);
    if !balancer::among_ports(tx, [port])?.is_empty() {
        // OVN translates no address that is a load balancer's: the load balancer answers for this one itself.
        return Ok(Rows { rows: Vec::new(), needs });
    }
    let mut nat = DesiredRow::new(Table::Nat, format!("{}/nat", keys::floating_ip(id)))
        .set("type", "dnat_and_snat")
        .set("external_ip", row.floating_ip_address.to_string())
        .set("logical_ip", fixed.to_string())
        .external_id("neutron:fip_id", id.as_str())
        .external_id("neutron:fip_port_id", port.as_str())
        .member_of(Table::LogicalRouter, key(router));
    if around.settings.distributed_floating_ips {
        let holder = port::Row::get(tx, &row.floating_port_id)?;
        nat = nat.set("logical_port", port.as_str()).set("external_mac", holder.mac_address.to_string());
        needs.push(keys::port(port));
    }
    Ok(Rows { rows: vec![nat], needs })
}

fn subnets_of(tx: &mut Tx, fixed: &[FixedIp]) -> Result<Vec<subnet::Row>> {
    fixed.iter().map(|fixed| subnet::Row::get(tx, &fixed.subnet_id)).collect()
}

fn router_port(router: &RouterId, interface: &Interface, subnets: &[subnet::Row]) -> DesiredRow {
    let network = |fixed: &FixedIp| {
        let subnet = subnets.iter().find(|subnet| subnet.id == fixed.subnet_id)?;
        Some(format!("{}/{}", fixed.ip_address, subnet.cidr.prefix_len()))
    };
    let networks: Vec<String> = interface.fixed_ips.iter().filter_map(network).collect();
    DesiredRow::new(Table::LogicalRouterPort, router_port_key(router, &interface.port.id))
        .set("name", router_port_name(&interface.port.id))
        .set("mac", interface.port.mac_address.to_string())
        .set("networks", Datum::set(networks))
        .set("enabled", interface.port.admin_state_up)
        .external_id("neutron:switch_port", switch_port_key(&interface.port.id))
        .member_of(Table::LogicalRouter, key(router))
}

fn router_port_key(router: &RouterId, port: &PortId) -> String {
    format!("{}/port/{port}", keys::router(router))
}

/// What the router tells the guests of an IPv6 network about addresses; a network has one way of it.
fn advertisements(subnets: &[subnet::Row], mtu: u32) -> Option<Datum> {
    let mode = subnets.iter().find_map(|subnet| subnet.ipv6_ra_mode.as_deref())?;
    let mode = match mode {
        "dhcpv6-stateful" => "dhcpv6_stateful",
        "dhcpv6-stateless" => "dhcpv6_stateless",
        _ => "slaac",
    };
    let mtu = mtu.to_string();
    Some(Datum::map([("address_mode", mode), ("send_periodic", "true"), ("mtu", mtu.as_str())]))
}

fn static_route(router: &RouterId, name: &str, destination: &str, nexthop: IpAddr) -> DesiredRow {
    DesiredRow::new(Table::LogicalRouterStaticRoute, format!("{}/{name}", keys::router(router)))
        .set("ip_prefix", destination)
        .set("nexthop", nexthop.to_string())
        .member_of(Table::LogicalRouter, key(router))
}

/// The hosts that can hold the gateway, the preferred one first. Each router orders them in its own way, so that gateways
/// spread, and that way follows from the names alone: when a host comes or goes, no other changes its place.
fn gateway_chassis(router: &RouterId, port: &PortId, chassis: &[Chassis], physical: Option<&str>) -> Vec<DesiredRow> {
    let reaches = |chassis: &&Chassis| physical.is_none_or(|physical| chassis.bridge_mappings.contains_key(physical));
    let mut fitting: Vec<(uuid::Uuid, &str)> = chassis
        .iter()
        .filter(reaches)
        .map(|chassis| {
            let lot = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{router} {}", chassis.name).as_bytes());
            (lot, chassis.name.as_str())
        })
        .collect();
    fitting.sort_unstable();
    fitting.truncate(MOST_GATEWAY_CHASSIS);
    let count = fitting.len();
    let row = |(place, (_, name)): (usize, (uuid::Uuid, &str))| {
        let port_key = router_port_key(router, port);
        DesiredRow::new(Table::GatewayChassis, format!("{port_key}/chassis/{name}"))
            .set("name", format!("{}_{name}", router_port_name(port)))
            .set("chassis_name", name)
            .set("priority", i64::try_from(count - place).unwrap_or(1))
            .member_of(Table::LogicalRouterPort, port_key)
    };
    fitting.into_iter().enumerate().map(row).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn chassis(name: &str, physical: &str) -> Chassis {
        Chassis {
            name: name.to_owned(),
            hostname: name.to_owned(),
            encaps: Vec::new(),
            bridge_mappings: [(physical.to_owned(), "br-ex".to_owned())].into(),
            behind: 0,
            confirmed_at_ms: None,
        }
    }

    #[test]
    fn gateways_go_where_the_physical_network_is() {
        let hosts: Vec<Chassis> =
            ["a", "b", "c"].iter().map(|name| chassis(name, "physnet1")).chain([chassis("d", "other")]).collect();
        let rows = |hosts: &[Chassis]| gateway_chassis(&"r".into(), &"p".into(), hosts, Some("physnet1")).len();
        assert_eq!(rows(&hosts), 3);
        assert_eq!(rows(&hosts[3..]), 0);
        assert_eq!(gateway_chassis(&"r".into(), &"p".into(), &hosts, None).len(), 4);
    }
}
