// SPDX-License-Identifier: Apache-2.0
//! A router's interfaces: ports of its own on the networks it connects.

use access::{Allowed, Scope};
use ipnet::IpNet;
use serde::Serialize;
use store::{Tx, params};
use types::{NetworkId, PortId, ProjectId, RouterId, SubnetId};

use super::{
    Row,
    connected::{Interface, connected_subnets, of_router},
};
use crate::{
    Error, Result, balancer, floating_ip, ipam, keys, network,
    port::{self, FixedIp, ROUTER_INTERFACE, addresses::Wish},
    resource::Kept,
    subnet, tag,
    who::Doer,
};

/// What a request names: a subnet, a port, or in a removal both.
#[derive(Debug, Clone)]
pub struct Named {
    pub subnet: Option<SubnetId>,
    pub port: Option<PortId>,
}

/// What was added or removed, as Neutron answers it.
#[derive(Debug, Serialize)]
pub struct Connection {
    id: RouterId,
    tenant_id: ProjectId,
    project_id: ProjectId,
    network_id: NetworkId,
    port_id: PortId,
    /// None of an interface whose addresses were taken off.
    subnet_id: Option<SubnetId>,
    subnet_ids: Vec<SubnetId>,
    tags: Vec<String>,
}

pub fn add(tx: &mut Tx, doer: &Doer, scope: &Allowed<Scope>, id: &str, named: &Named) -> Result<Connection> {
    let router = super::Row::find(tx, scope, id)?;
    let connection = match (&named.subnet, &named.port) {
        (Some(subnet), None) => add_subnet(tx, doer, &router, subnet)?,
        (None, Some(port)) => add_port(tx, doer, &router, port)?,
        (None, None) => return Err(Error::bad("Bad router request: either subnet_id or port_id must be specified.")),
        (Some(_), Some(_)) => return Err(Error::bad("Bad router request: cannot specify both subnet-id and port-id.")),
    };
    touch(tx, &router)?;
    balancer::mark_around(tx, &router.id, &connection.network_id)?;
    Ok(connection)
}

fn add_subnet(tx: &mut Tx, doer: &Doer, router: &Row, id: &SubnetId) -> Result<Connection> {
    let subnet = subnet::Row::get(tx, id)?;
    let Some(gateway) = subnet.gateway_ip else {
        return Err(Error::bad("Bad router request: Subnet for router interface must have a gateway IP."));
    };
    let interfaces = of_router(tx, &router.id)?;
    refuse_overlap(tx, router, &subnet)?;
    let fixed = FixedIp { subnet_id: subnet.id.clone(), ip_address: gateway };
    // IPv6 subnets of one network share an interface, so that its advertisements speak for all of them.
    let shared = interfaces.iter().find(|interface| {
        interface.port.network_id == subnet.network_id && interface.fixed_ips.iter().all(|fixed| fixed.ip_address.is_ipv6())
    });
    if let Some(interface) = shared.filter(|_| !subnet.is_v4()) {
        ipam::table::take(tx, doer, &subnet, &interface.port.id, gateway)?;
        keys::mark(tx, &keys::port(&interface.port.id))?;
        let mut all = interface.fixed_ips.clone();
        all.push(fixed);
        return connection(tx, router, &interface.port, Some(&subnet.id), &all);
    }
    let network = network::Row::get(tx, &subnet.network_id)?;
    let ask = port::table::Create {
        device_id: router.id.to_string(),
        device_owner: ROUTER_INTERFACE.to_owned(),
        fixed_ips: Some(vec![Wish { subnet: Some(subnet.id.clone()), address: Some(gateway) }]),
        ..port::table::Create::on(router.project_id.clone(), subnet.network_id.clone())
    };
    let made = port::table::insert(tx, doer, &network, &ask)?;
    connection(tx, router, &made.row, Some(&subnet.id), &made.fixed_ips)
}

fn add_port(tx: &mut Tx, doer: &Doer, router: &Row, id: &PortId) -> Result<Connection> {
    let before = port::Row::get(tx, id)?;
    if !before.device_id.is_empty() {
        return Err(Error::PortInUse { port_id: id.to_string(), device_id: before.device_id });
    }
    let fixed = port::table::addresses_of(tx, id)?;
    let Some(first) = fixed.first() else {
        return Err(Error::bad("Bad router request: Router port must have at least one fixed IP."));
    };
    if fixed.iter().filter(|fixed| fixed.ip_address.is_ipv4()).count() > 1 {
        return Err(Error::bad("Bad router request: Cannot have multiple IPv4 subnets on router port."));
    }
    for fixed in &fixed {
        let subnet = subnet::Row::get(tx, &fixed.subnet_id)?;
        refuse_overlap(tx, router, &subnet)?;
    }
    let mut row = before.clone();
    row.device_id = router.id.to_string();
    row.device_owner = ROUTER_INTERFACE.to_owned();
    row.port_security_enabled = false;
    row.allowed_address_pairs.clear();
    tx.execute("DELETE FROM port_security_groups WHERE port_id = $1", &params![id])?;
    port::table::write(tx, doer, &before, &mut row)?;
    connection(tx, router, &row, Some(&first.subnet_id), &fixed)
}

pub fn remove(tx: &mut Tx, doer: &Doer, scope: &Allowed<Scope>, id: &str, named: &Named) -> Result<Connection> {
    let router = super::Row::find(tx, scope, id)?;
    let interfaces = of_router(tx, &router.id)?;
    let has = |interface: &Interface, subnet: &SubnetId| interface.fixed_ips.iter().any(|fixed| fixed.subnet_id == *subnet);
    let router_id = router.id.to_string();
    let (interface, subnets) = match (&named.port, &named.subnet) {
        (None, None) => return Err(Error::bad("Bad router request: either subnet_id or port_id must be specified.")),
        (Some(port), subnet) => {
            let interface = interfaces.iter().find(|interface| interface.port.id == *port);
            let interface = interface
                .ok_or_else(|| Error::RouterInterfaceNotFound { router_id: router_id.clone(), port_id: port.to_string() })?;
            if let Some(subnet) = subnet.as_ref().filter(|subnet| !has(interface, subnet)) {
                return Err(Error::SubnetMismatchForPort { port_id: port.to_string(), subnet_id: subnet.to_string() });
            }
            (interface, interface.fixed_ips.iter().map(|fixed| fixed.subnet_id.clone()).collect::<Vec<_>>())
        }
        (None, Some(subnet)) => {
            let interface = interfaces.iter().find(|interface| has(interface, subnet));
            let subnet_id = subnet.to_string();
            let interface = interface.ok_or(Error::RouterInterfaceNotFoundForSubnet { router_id, subnet_id })?;
            (interface, vec![subnet.clone()])
        }
    };
    for subnet in &subnets {
        let row = subnet::Row::get(tx, subnet)?;
        let (router_id, subnet_id) = (router.id.to_string(), subnet.to_string());
        if floating_ip::table::any_behind(tx, &router.id, subnet)? {
            return Err(Error::RouterInterfaceInUseByFloatingIP { router_id, subnet_id });
        }
        if router.routes.iter().any(|route| row.cidr.contains(&route.nexthop)) {
            return Err(Error::RouterInterfaceInUseByRoute { router_id, subnet_id });
        }
    }
    let answer = connection(tx, &router, &interface.port, subnets.first(), &interface.fixed_ips)?;
    let rest: Vec<&FixedIp> = interface.fixed_ips.iter().filter(|fixed| !subnets.contains(&fixed.subnet_id)).collect();
    if rest.is_empty() {
        port::table::erase(tx, doer, &interface.port)?;
        doer.removed(tx, &interface.port)?;
    } else {
        for gone in interface.fixed_ips.iter().filter(|fixed| subnets.contains(&fixed.subnet_id)) {
            ipam::table::release(tx, &gone.subnet_id, gone.ip_address, &keys::router(&router.id))?;
        }
        keys::mark(tx, &keys::port(&interface.port.id))?;
    }
    touch(tx, &router)?;
    balancer::mark_around(tx, &router.id, &answer.network_id)?;
    Ok(answer)
}

fn refuse_overlap(tx: &mut Tx, router: &Row, subnet: &subnet::Row) -> Result<()> {
    let overlaps = |one: &IpNet, other: &IpNet| one.contains(other) || other.contains(one);
    for other in connected_subnets(tx, router)? {
        if other.id == subnet.id {
            let message = format!("Bad router request: Router already has a port on subnet {}.", subnet.id);
            return Err(Error::bad(message));
        }
        if overlaps(&other.cidr, &subnet.cidr) {
            return Err(Error::bad(format!(
                "Bad router request: Cidr {} of subnet {} overlaps with cidr {} of subnet {}.",
                subnet.cidr, subnet.id, other.cidr, other.id
            )));
        }
    }
    Ok(())
}

/// The router changed by what hangs on it.
fn touch(tx: &mut Tx, before: &Row) -> Result<()> {
    super::table::write(tx, before, &mut before.clone())
}

fn connection(tx: &mut Tx, router: &Row, port: &port::Row, subnet: Option<&SubnetId>, fixed: &[FixedIp]) -> Result<Connection> {
    let mut subnet_ids: Vec<SubnetId> = subnet.into_iter().cloned().collect();
    subnet_ids.extend(fixed.iter().map(|fixed| fixed.subnet_id.clone()).filter(|id| Some(id) != subnet));
    Ok(Connection {
        id: router.id.clone(),
        tenant_id: router.project_id.clone(),
        project_id: router.project_id.clone(),
        network_id: port.network_id.clone(),
        port_id: port.id.clone(),
        subnet_id: subnet.cloned(),
        subnet_ids,
        tags: tag::of_one(tx, router.id.as_str())?,
    })
}
