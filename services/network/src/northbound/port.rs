// SPDX-License-Identifier: Apache-2.0
//! A port in OVN: which addresses it has, which senders' addresses it may use, which groups it is in.

use std::collections::{BTreeSet, HashMap, HashSet};

use ::store::Tx;
use ovn::{
    northbound::{DesiredRow, Table},
    ovsdb::Datum,
};
use types::{NetworkId, PortId};

use super::{
    acl, dhcp,
    network::{dhcp_key, switch_key},
    rows::{Rows, Surroundings},
};
use crate::{
    Result, balancer,
    ipam::leaving::Leaving,
    keys, network,
    port::{
        DISTRIBUTED, FLOATING_IP, FixedIp, ROUTER_GATEWAY, ROUTER_INTERFACE, Row, distributed,
        table::{self, Found},
    },
    resource::{Gathered, Kept},
    subnet,
};

const METADATA: &str = "169.254.169.254";

pub fn key(id: &PortId) -> String {
    format!("{}/lsp", keys::port(id))
}

/// The router's side of the port.
pub fn router_port_name(id: &PortId) -> String {
    format!("lrp-{id}")
}

/// The rows of many ports, in as many statements as those of one.
pub fn rows(tx: &mut Tx, around: &Surroundings, ids: &[&str]) -> Result<HashMap<String, Rows>> {
    let found = Row::rows(tx, Row::select().filter_in("id", ids.iter().copied()))?;
    if found.is_empty() {
        return Ok(HashMap::new());
    }
    let found = Row::with_rest(tx, found)?;
    let ground = Ground::gather(tx, &found)?;
    found.iter().map(|port| Ok((port.row.id.to_string(), rows_of(&ground, around, port)?))).collect()
}

/// What the rows of ports say of things beside them.
struct Ground {
    networks: HashMap<NetworkId, network::Row>,
    subnets: HashMap<NetworkId, Vec<subnet::Row>>,
    /// The addresses behind which the guests of a network find their metadata.
    doors: HashMap<NetworkId, Vec<FixedIp>>,
    leaving: Leaving,
    /// Ports that are the addresses of load balancers: those hold their places.
    balanced: HashSet<PortId>,
}

impl Ground {
    fn gather(tx: &mut Tx, found: &[Found]) -> Result<Self> {
        let ids: HashSet<&NetworkId> = found.iter().map(|port| &port.row.network_id).collect();
        let networks = network::Row::rows(tx, network::Row::select().filter_in("id", ids.iter().copied()))?;
        let mut subnets: HashMap<NetworkId, Vec<subnet::Row>> = HashMap::new();
        for subnet in subnet::of_networks(tx, ids.iter().copied())? {
            subnets.entry(subnet.network_id.clone()).or_default().push(subnet);
        }
        let ports = distributed::of_networks(tx, ids.iter().copied())?;
        let mut addresses = table::addresses_of_many(tx, ports.values())?;
        let doors = ports.into_iter().map(|(network, port)| (network, addresses.remove(&port).unwrap_or_default())).collect();
        let held = found.iter().flat_map(|port| port.fixed_ips.iter().map(|fixed| (&fixed.subnet_id, fixed.ip_address)));
        let leaving = Leaving::among(tx, held)?;
        let networks = networks.into_iter().map(|row| (row.id.clone(), row)).collect();
        let balanced = balancer::among_ports(tx, found.iter().map(|port| &port.row.id))?.into_iter().collect();
        Ok(Self { networks, subnets, doors, leaving, balanced })
    }
}

fn rows_of(ground: &Ground, around: &Surroundings, found: &Found) -> Result<Rows> {
    let (row, fixed) = (&found.row, &found.fixed_ips);
    let only_holds = [FLOATING_IP, balancer::probe::OWNER].contains(&row.device_owner.as_str());
    if only_holds || ground.balanced.contains(&row.id) {
        // It only holds the address; a router or a load balancer answers for it.
        return Ok(Rows::default());
    }
    let id = &row.id;
    let network = ground.networks.get(&row.network_id).ok_or_else(|| network::Row::missing(row.network_id.as_str()))?;
    let plain = DesiredRow::new(Table::LogicalSwitchPort, key(id))
        .set("name", id.as_str())
        .set("enabled", row.admin_state_up && network.admin_state_up)
        .external_id("neutron:port_name", &row.name)
        .external_id("neutron:device_id", &row.device_id)
        .external_id("neutron:device_owner", &row.device_owner)
        .external_id("neutron:project_id", row.project_id.as_str())
        .member_of(Table::LogicalSwitch, switch_key(&row.network_id));
    let mut needs = vec![keys::network(&row.network_id)];
    let own = row.key_of_addresses();
    needs.extend(fixed.iter().flat_map(|fixed| ground.leaving.keys(&fixed.subnet_id, fixed.ip_address, &own)));
    let mut rows = Vec::new();
    match row.device_owner.as_str() {
        ROUTER_INTERFACE | ROUTER_GATEWAY => rows.push(of_router(plain, row)),
        DISTRIBUTED => rows.push(
            plain.set("type", "localport").set("addresses", Datum::set([with_addresses(row, fixed, &[METADATA.to_owned()])])),
        ),
        _ => {
            let mut port = plain.set("addresses", Datum::set(addresses(row, fixed)));
            if row.port_security_enabled {
                port = port.set("port_security", Datum::set(port_security(row, fixed)));
                port = port.member_of(Table::PortGroup, acl::drop_key(&row.network_id));
            }
            for group in &found.security_groups {
                port = port.member_of(Table::PortGroup, acl::group_key(group));
                needs.push(keys::security_group(group));
            }
            let (port, options) = with_dhcp(port, ground, network, row, fixed);
            rows.push(port);
            rows.extend(options);
            rows.extend(dns(row, fixed, around));
        }
    }
    Ok(Rows { rows, needs })
}

fn of_router(plain: DesiredRow, row: &Row) -> DesiredRow {
    let mut options = vec![("router-port", router_port_name(&row.id))];
    if row.device_owner == ROUTER_GATEWAY {
        options.push(("nat-addresses", "router".to_owned()));
        options.push(("exclude-lb-vips-from-garp", "true".to_owned()));
    }
    plain.set("type", "router").set("addresses", Datum::set(["router"])).set("options", Datum::map(options))
}

/// The address line `MAC IP IP…`.
fn with_addresses(row: &Row, fixed: &[FixedIp], more: &[String]) -> String {
    let mut parts = vec![row.mac_address.to_string()];
    parts.extend(fixed.iter().map(|fixed| fixed.ip_address.to_string()));
    parts.extend(more.iter().cloned());
    parts.join(" ")
}

/// What the switch sends to this port: its own addresses, and frames to the MACs that it may also use.
fn addresses(row: &Row, fixed: &[FixedIp]) -> BTreeSet<String> {
    let mut all = BTreeSet::from([with_addresses(row, fixed, &[])]);
    for pair in row.allowed_address_pairs.iter().filter(|pair| pair.mac_address != row.mac_address) {
        all.insert(pair.mac_address.to_string());
    }
    if !row.port_security_enabled {
        all.insert("unknown".to_owned());
    }
    all
}

/// What this port may call itself.
fn port_security(row: &Row, fixed: &[FixedIp]) -> BTreeSet<String> {
    let own: Vec<String> = row
        .allowed_address_pairs
        .iter()
        .filter(|pair| pair.mac_address == row.mac_address)
        .map(|pair| pair.ip_address.clone())
        .filter(|address| !fixed.iter().any(|fixed| fixed.ip_address.to_string() == *address))
        .collect();
    let mut all = BTreeSet::from([with_addresses(row, fixed, &own)]);
    for pair in row.allowed_address_pairs.iter().filter(|pair| pair.mac_address != row.mac_address) {
        all.insert(format!("{} {}", pair.mac_address, pair.ip_address));
    }
    all
}

/// Points the port to the DHCP options of its subnets, or to its own copy where it has options of its own.
fn with_dhcp(
    mut port: DesiredRow,
    ground: &Ground,
    network: &network::Row,
    row: &Row,
    fixed: &[FixedIp],
) -> (DesiredRow, Vec<DesiredRow>) {
    let mut own = Vec::new();
    let subnets = ground.subnets.get(&row.network_id).map_or(&[][..], Vec::as_slice);
    for (version, column) in [(4, "dhcpv4_options"), (6, "dhcpv6_options")] {
        let of_version = |fixed: &&FixedIp| fixed.ip_address.is_ipv4() == (version == 4);
        let subnet = fixed.iter().filter(of_version).find_map(|fixed| {
            let subnet = subnets.iter().find(|subnet| subnet.id == fixed.subnet_id)?;
            subnet.enable_dhcp.then_some(subnet)
        });
        let Some(subnet) = subnet else { continue };
        let doors = ground.doors.get(&network.id).filter(|_| subnet.is_v4());
        let door = doors.and_then(|doors| doors.iter().find(|fixed| fixed.subnet_id == subnet.id)).map(|fixed| fixed.ip_address);
        let Some(mut options) = dhcp::of_subnet(network, subnet, door) else { continue };
        if options.extend(&row.extra_dhcp_opts, version) {
            let key = format!("{}/dhcp{version}", keys::port(&row.id));
            own.push(options.row(key.clone()));
            port = port.refer(column, Table::DhcpOptions, key);
        } else {
            port = port.refer(column, Table::DhcpOptions, dhcp_key(&row.network_id, &subnet.id));
        }
    }
    (port, own)
}

/// The port's name, answered by the switch itself.
fn dns(row: &Row, fixed: &[FixedIp], around: &Surroundings) -> Option<DesiredRow> {
    if row.dns_name.is_empty() || fixed.is_empty() {
        return None;
    }
    let addresses: Vec<String> = fixed.iter().map(|fixed| fixed.ip_address.to_string()).collect();
    let addresses = addresses.join(" ");
    let name = row.dns_name.trim_end_matches('.');
    let full = format!("{name}.{}", around.settings.dns_domain.trim_end_matches('.'));
    let records = Datum::map([(name, addresses.as_str()), (full.as_str(), addresses.as_str())]);
    let row = DesiredRow::new(Table::Dns, format!("{}/dns", keys::port(&row.id)))
        .set("records", records)
        .member_of(Table::LogicalSwitch, switch_key(&row.network_id));
    Some(row)
}
