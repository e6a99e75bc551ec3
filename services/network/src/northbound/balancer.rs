// SPDX-License-Identifier: Apache-2.0
//! A load balancer in OVN: what comes to one of its ports goes to one of its members, on every switch whose machines reach it
//! and on the routers between them. A router applies it to what comes from outside only, so that the switches need it, too.
//!
//! Where no router of its project connects its network, a router of its own answers for its address.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use contracts::vips::{Backend, SpreadService};
use ovn::{
    northbound::{DesiredRow, Table},
    ovsdb::Datum,
};
use store::{Select, Tx};
use types::{LoadBalancerId, PortId, SubnetId};

use super::{network::switch_key, router, rows::Rows};
use crate::{
    Result,
    balancer::{self, Reach, probe},
    floating_ip, keys, port,
    resource::Kept,
    subnet,
};

pub fn rows(tx: &mut Tx, id: &LoadBalancerId) -> Result<Rows> {
    let row = balancer::Row::get(tx, id)?;
    let port = port::Row::get(tx, &row.port_id)?;
    let fixed = port::table::addresses_of(tx, &row.port_id)?;
    let reach = balancer::reach(tx, &row)?;
    let mut rows = Vec::new();
    let mut routers: BTreeSet<String> = reach.routers.iter().map(router::key).collect();
    let mut needs: Vec<String> = reach.networks.iter().map(keys::network).collect();
    needs.extend(reach.routers.iter().map(keys::router));
    // Floating addresses of this port are the load balancer's, too: no translation leads to them.
    let mut addresses: Vec<IpAddr> = fixed.iter().map(|fixed| fixed.ip_address).collect();
    for floating in floating_ip::leading::of_ports(tx, [&row.port_id])? {
        addresses.push(floating.floating_ip_address);
        if let Some(id) = &floating.router_id {
            routers.insert(router::key(id));
            needs.push(keys::router(id));
        }
        needs.push(keys::floating_ip(&floating.id));
    }
    needs.push(keys::port(&row.port_id));
    if routers.is_empty() && port.admin_state_up {
        let own = own_router(tx, id, &port, &fixed)?;
        routers.insert(own_key(id));
        rows.extend(own);
    }
    let checked = Checked::gather(tx, &row, &reach)?;
    for service in &row.spread.services {
        let (balancer, checks) = of_service(id, service, &addresses, &checked);
        let balancer = reach.networks.iter().fold(balancer, |row, id| row.member_of(Table::LogicalSwitch, switch_key(id)));
        rows.push(routers.iter().fold(balancer, |row, key| row.member_of(Table::LogicalRouter, key.clone())));
        rows.extend(checks);
    }
    Ok(Rows { rows, needs })
}

fn prefix(id: &LoadBalancerId) -> String {
    keys::balancer(id)
}

fn own_key(id: &LoadBalancerId) -> String {
    format!("{}/router", prefix(id))
}

/// A router with one port, which has the address and its MAC.
fn own_router(tx: &mut Tx, id: &LoadBalancerId, port: &port::Row, fixed: &[port::FixedIp]) -> Result<[DesiredRow; 3]> {
    let mut networks = Vec::new();
    for fixed in fixed {
        let subnet = subnet::Row::get(tx, &fixed.subnet_id)?;
        networks.push(format!("{}/{}", fixed.ip_address, subnet.cidr.prefix_len()));
    }
    let name = format!("lb-{id}");
    Ok([
        DesiredRow::new(Table::LogicalRouter, own_key(id)).set("name", name.as_str()),
        DesiredRow::new(Table::LogicalRouterPort, format!("{}/lrp", prefix(id)))
            .set("name", format!("lrp-{name}"))
            .set("mac", port.mac_address.to_string())
            .set("networks", Datum::set(networks))
            .member_of(Table::LogicalRouter, own_key(id)),
        DesiredRow::new(Table::LogicalSwitchPort, format!("{}/lsp", prefix(id)))
            .set("name", name.as_str())
            .set("type", "router")
            .set("addresses", Datum::set(["router"]))
            .set("options", Datum::map([("router-port", format!("lrp-{name}"))]))
            .member_of(Table::LogicalSwitch, switch_key(&port.network_id)),
    ])
}

fn of_service(
    id: &LoadBalancerId,
    service: &SpreadService,
    addresses: &[IpAddr],
    checked: &Checked,
) -> (DesiredRow, Vec<DesiredRow>) {
    let key = format!("{}/listener/{}", prefix(id), service.id);
    let vip = |address: &IpAddr| at(*address, service.port);
    let members = |address: &IpAddr| {
        // Of one version are both ends.
        let same = service.backends.iter().filter(|backend| backend.address.is_ipv4() == address.is_ipv4());
        let ends: BTreeSet<String> = same.map(|backend| at(backend.address, backend.port)).collect();
        ends.into_iter().collect::<Vec<_>>().join(",")
    };
    let vips: BTreeMap<String, String> = addresses.iter().map(|address| (vip(address), members(address))).collect();
    let mut options = vec![("reject", "true".to_owned())];
    if let Some(seconds) = service.affinity {
        options.push(("affinity_timeout", seconds.to_string()));
    }
    let mut row = DesiredRow::new(Table::LoadBalancer, key.clone())
        .set("name", format!("lb-{id}-{}", service.id))
        .set("protocol", service.transport.word())
        .set("vips", Datum::map(vips.clone()))
        .set("options", Datum::map(options));
    if service.by_client {
        row = row.set("selection_fields", Datum::set(["ip_src", "ip_dst"]));
    }
    let Some(check) = &service.check else { return (row, Vec::new()) };
    let mappings = service.backends.iter().filter_map(|backend| checked.mapping(backend));
    row = row.set("ip_port_mappings", Datum::map(mappings));
    let checks = vips.keys().map(|vip| {
        DesiredRow::new(Table::LoadBalancerHealthCheck, format!("{key}/check/{vip}"))
            .set("vip", vip.as_str())
            .set(
                "options",
                Datum::map([
                    ("interval", check.delay.to_string()),
                    ("timeout", check.timeout.to_string()),
                    ("success_count", check.rise.to_string()),
                    ("failure_count", check.fall.to_string()),
                ]),
            )
            .member_of(Table::LoadBalancer, key.clone())
    });
    (row, checks.collect())
}

fn at(address: IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(address, port).to_string()
}

/// The ports of members that are checked, and the addresses from which they are.
struct Checked(BTreeMap<IpAddr, (PortId, IpAddr)>);

impl Checked {
    fn gather(tx: &mut Tx, row: &balancer::Row, reach: &Reach) -> Result<Self> {
        let with_check = row.spread.services.iter().filter(|service| service.check.is_some());
        let members: BTreeSet<IpAddr> = with_check.flat_map(|service| &service.backends).map(|backend| backend.address).collect();
        let mut found = BTreeMap::new();
        if members.is_empty() {
            return Ok(Self(found));
        }
        let ids: Vec<SubnetId> = subnet::of_networks(tx, reach.networks.iter())?.into_iter().map(|subnet| subnet.id).collect();
        let select = Select::new("port_addresses", "address, port_id, subnet_id")
            .filter_in("subnet_id", &ids)
            .filter_in("address", members.iter().map(ToString::to_string))
            // On a network that is shared, a member is the project's own, or on its network.
            .condition_with(
                "EXISTS (SELECT 1 FROM ports p WHERE p.id = port_id AND (p.project_id = ? OR p.network_owner = ?))",
                vec![row.project_id.as_str().into(), row.project_id.as_str().into()],
            );
        for held in select.sort(&[], "port_id").rows(tx)? {
            let Ok(address) = held.get::<&str>(0)?.parse::<IpAddr>() else { continue };
            let (port, subnet): (PortId, SubnetId) = (held.get(1)?, held.get(2)?);
            if let Some(from) = probe::address(tx, &row.id, &subnet)? {
                found.insert(address, (port, from));
            }
        }
        Ok(Self(found))
    }

    /// `ADDRESS` → `PORT:FROM`, as OVN wants to have it.
    fn mapping(&self, backend: &Backend) -> Option<(String, String)> {
        let (port, from) = self.0.get(&backend.address)?;
        let bare = |address: IpAddr| if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
        Some((bare(backend.address), format!("{port}:{}", bare(*from))))
    }
}
