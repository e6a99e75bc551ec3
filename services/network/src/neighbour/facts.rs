// SPDX-License-Identifier: Apache-2.0
//! What compute and the guests' metadata need to know of ports.

use std::collections::{HashMap, HashSet};

use contracts::ports::{FixedIp, FloatingIp, MetadataDoor, PortFacts};
use store::{Select, Tx};
use types::{NetworkId, PortId, SubnetId};

use crate::{
    Result, floating_ip, network,
    port::{self, Row},
    resource::{Gathered, Kept},
    subnet,
};

/// The facts of ports with the ids of their devices, in order; seven statements however many ports there are.
pub fn of(tx: &mut Tx, rows: Vec<Row>) -> Result<Vec<(String, PortFacts)>> {
    let found = port::Row::with_rest(tx, rows)?;
    let networks: HashSet<&NetworkId> = found.iter().map(|port| &port.row.network_id).collect();
    let about = About::gather(tx, &networks, &found)?;
    let facts = |port: &port::table::Found| (port.row.device_id.clone(), about.facts(port));
    Ok(found.iter().map(facts).collect())
}

struct About {
    networks: HashMap<NetworkId, network::Row>,
    subnets: HashMap<SubnetId, subnet::Row>,
    doors: HashMap<NetworkId, MetadataDoor>,
    floating: HashMap<PortId, Vec<FloatingIp>>,
    groups: HashMap<String, String>,
}

impl About {
    fn gather(tx: &mut Tx, networks: &HashSet<&NetworkId>, found: &[port::table::Found]) -> Result<Self> {
        let rows = network::Row::select().filter_in("id", networks.iter().copied());
        let rows = network::Row::rows(tx, rows)?;
        let subnets = subnet::of_networks(tx, networks.iter().copied())?;
        let subnets: HashMap<SubnetId, subnet::Row> = subnets.into_iter().map(|row| (row.id.clone(), row)).collect();
        let doors = doors(tx, networks, &subnets)?;
        let mut floating: HashMap<PortId, Vec<FloatingIp>> = HashMap::new();
        for row in floating_ip::leading::of_ports(tx, found.iter().map(|port| &port.row.id))? {
            if let (Some(port), Some(fixed)) = (row.port_id, row.fixed_ip_address) {
                floating.entry(port).or_default().push(FloatingIp { address: row.floating_ip_address, fixed });
            }
        }
        let ids: HashSet<&str> = found.iter().flat_map(|port| port.security_groups.iter().map(|id| id.as_str())).collect();
        let groups = Select::new("security_groups", "id, name").filter_in("id", ids).rows(tx)?;
        let groups = groups.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_, store::Error>>()?;
        let networks = rows.into_iter().map(|row| (row.id.clone(), row)).collect();
        Ok(Self { networks, subnets, doors, floating, groups })
    }

    fn facts(&self, port: &port::table::Found) -> PortFacts {
        let row = &port.row;
        let network = self.networks.get(&row.network_id);
        let names = port.security_groups.iter().map(|id| self.groups.get(id.as_str()).cloned().unwrap_or_else(|| id.to_string()));
        PortFacts {
            id: row.id.clone(),
            mac: row.mac_address,
            network_id: row.network_id.clone(),
            network_name: network.map(|network| network.name.clone()).unwrap_or_default(),
            mtu: network.map_or(1500, |network| network.mtu),
            fixed_ips: port.fixed_ips.iter().filter_map(|fixed| self.fixed(fixed)).collect(),
            floating_ips: self.floating.get(&row.id).cloned().unwrap_or_default(),
            security_groups: names.collect(),
            port_security_enabled: row.port_security_enabled,
            metadata: self.doors.get(&row.network_id).cloned(),
        }
    }

    fn fixed(&self, fixed: &port::FixedIp) -> Option<FixedIp> {
        let subnet = self.subnets.get(&fixed.subnet_id)?;
        Some(FixedIp {
            subnet_id: fixed.subnet_id.clone(),
            address: fixed.ip_address,
            prefix: subnet.cidr.prefix_len(),
            gateway: subnet.gateway_ip,
            dns: subnet.dns_nameservers.clone(),
            routes: subnet.host_routes.iter().map(|route| (route.destination.to_string(), route.nexthop)).collect(),
            dhcp: subnet.enable_dhcp,
            ipv6_address_mode: subnet.ipv6_address_mode.clone(),
        })
    }
}

fn doors(
    tx: &mut Tx,
    networks: &HashSet<&NetworkId>,
    subnets: &HashMap<SubnetId, subnet::Row>,
) -> Result<HashMap<NetworkId, MetadataDoor>> {
    let select = port::Row::select().condition(port::distributed::CONDITION);
    let ports = port::Row::rows(tx, select.filter_in("network_id", networks.iter().copied()))?;
    let mut addresses = port::table::addresses_of_many(tx, ports.iter().map(|port| &port.id))?;
    let mut doors = HashMap::new();
    for port in ports {
        let fixed = addresses.remove(&port.id).unwrap_or_default();
        let with_prefix = |fixed: &port::FixedIp| Some((fixed.ip_address, subnets.get(&fixed.subnet_id)?.cidr.prefix_len()));
        let addresses: Vec<_> = fixed.iter().filter_map(with_prefix).collect();
        if !addresses.is_empty() {
            doors.insert(port.network_id.clone(), MetadataDoor { port_id: port.id, mac: port.mac_address, addresses });
        }
    }
    Ok(doors)
}
