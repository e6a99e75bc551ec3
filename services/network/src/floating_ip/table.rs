// SPDX-License-Identifier: Apache-2.0
//! The rows of floating IPs.

use access::Allowed;
use std::{collections::HashMap, net::IpAddr};

use store::{Tx, params};
use types::{FloatingIpId, NetworkId, PortId, ProjectId, RouterId, SubnetId, Timestamp};

use super::{Row, leading, reached};
use crate::{
    Error, Result, balancer, keys, network,
    port::{self, FLOATING_IP, addresses::Wish},
    quota,
    resource::{By, Gathered, Kept, Managed},
    subnet, tag,
    who::Doer,
};

/// A floating IP with the port it leads to.
pub struct Found {
    pub row: Row,
    pub port: Option<port::Row>,
    pub tags: Vec<String>,
}

/// Where an address shall lead.
#[derive(Debug, Clone)]
pub struct Goal {
    pub port: PortId,
    pub fixed_ip: Option<IpAddr>,
}

#[derive(Debug, Clone)]
pub struct Create {
    pub project_id: ProjectId,
    pub network_id: NetworkId,
    pub description: String,
    pub address: Option<IpAddr>,
    pub subnet_id: Option<SubnetId>,
    pub goal: Option<Goal>,
}

#[derive(Debug, Clone, Default)]
pub struct Update {
    pub description: Option<String>,
    /// `Some(None)` lets the address lead nowhere.
    pub goal: Option<Option<Goal>>,
}

impl Gathered for Row {
    type Found = Found;

    /// Adds ports and tags, in two statements however many rows there are.
    fn with_rest(tx: &mut Tx, rows: Vec<Self>) -> Result<Vec<Found>> {
        let mut ports: HashMap<PortId, port::Row> = HashMap::new();
        let select = port::Row::select().filter_in("id", rows.iter().filter_map(|row| row.port_id.as_ref()));
        for row in select.rows(tx)? {
            let port = port::Row::read(&row)?;
            ports.insert(port.id.clone(), port);
        }
        let mut tags = tag::of(tx, rows.iter().map(|row| row.id.as_str()))?;
        let with = |row: Row| Found {
            port: row.port_id.as_ref().and_then(|port| ports.get(port).cloned()),
            tags: tags.remove(row.id.as_str()).unwrap_or_default(),
            row,
        };
        Ok(rows.into_iter().map(with).collect())
    }
}

impl Managed for Row {
    type Create = Create;
    type Update = Update;

    fn create(tx: &mut Tx, by: &By, allowed: &Allowed<Create>) -> Result<Found> {
        let ask = allowed.thing();
        let By { doer, settings, .. } = by;
        let network = network::Row::get(tx, &ask.network_id)?;
        if !network.external {
            return Err(Error::bad(format!("Bad floatingip request: Network {} is not a valid external network.", network.id)));
        }
        let subnets = subnet::of_network(tx, &network.id)?;
        let Some(first) = subnets.iter().find(|subnet| subnet.is_v4()) else {
            let message = format!("Bad floatingip request: Network {} does not contain any IPv4 subnet.", network.id);
            return Err(Error::bad(message));
        };
        quota::take(tx, &ask.project_id, &super::QUOTA, 1, settings)?;
        let id = FloatingIpId::generate();
        let wish = match (ask.address, &ask.subnet_id) {
            (Some(address), subnet) => vec![Wish { subnet: subnet.clone(), address: Some(address) }],
            (None, Some(subnet)) => vec![Wish { subnet: Some(subnet.clone()), address: None }],
            (None, None) => match with_room(tx, &subnets)? {
                Some(subnet) => vec![Wish { subnet: Some(subnet), address: None }],
                None => vec![Wish { subnet: Some(first.id.clone()), address: None }],
            },
        };
        let port = port::table::Create {
            device_id: id.to_string(),
            device_owner: FLOATING_IP.to_owned(),
            fixed_ips: Some(wish),
            ..port::table::Create::on(ProjectId::new(""), network.id.clone())
        };
        let port = port::table::insert(tx, doer, &network, &port)?;
        let Some(address) = port.fixed_ips.first().map(|fixed| fixed.ip_address) else {
            return Err(Error::IpAddressGenerationFailure { net_id: network.id.to_string(), subnets: first.id.to_string() });
        };
        let now = Timestamp::now();
        let mut row = Row {
            id,
            project_id: ask.project_id.clone(),
            description: ask.description.clone(),
            floating_port_id: port.row.id,
            floating_network_id: network.id,
            floating_ip_address: address,
            port_id: None,
            fixed_ip_address: None,
            router_id: None,
            created_at: now,
            updated_at: now,
            generation: 1,
        };
        if let Some(goal) = &ask.goal {
            associate(tx, &mut row, goal)?;
        }
        Row::insert(
            tx,
            &params![
                &row.id,
                &row.project_id,
                &row.description,
                &row.floating_port_id,
                &row.floating_network_id,
                row.floating_ip_address.to_string(),
                row.port_id.as_ref(),
                row.fixed_ip_address.map(|address| address.to_string()),
                row.router_id.as_ref(),
                row.created_at,
                row.updated_at,
                row.generation,
            ],
        )?;
        keys::mark(tx, &keys::floating_ip(&row.id))?;
        if let Some(port) = &row.port_id {
            balancer::mark_behind(tx, port)?;
        }
        doer.made(tx, &row)?;
        reached::record(tx, doer, None, Some(&row))?;
        row.with_rest_of_one(tx)
    }

    fn update(tx: &mut Tx, by: &By, allowed: &Allowed<Self>, ask: &Update) -> Result<Found> {
        let this = allowed.thing();
        let By { doer, .. } = by;
        let mut row = this.clone();
        if let Some(description) = &ask.description {
            row.description.clone_from(description);
        }
        match &ask.goal {
            None => {}
            Some(None) => (row.port_id, row.fixed_ip_address, row.router_id) = (None, None, None),
            Some(Some(goal)) => associate(tx, &mut row, goal)?,
        }
        leading::write(tx, doer, this, &mut row)?;
        row.with_rest_of_one(tx)
    }

    fn delete(tx: &mut Tx, by: &By, allowed: &Allowed<Self>) -> Result<()> {
        let this = allowed.thing();
        erase(tx, &by.doer, this)
    }
}

/// Any IPv4 subnet whose pools are not used up; only looked for where there are several.
fn with_room(tx: &mut Tx, subnets: &[subnet::Row]) -> Result<Option<SubnetId>> {
    for subnet in subnets.iter().filter(|subnet| subnet.is_v4()) {
        let size = subnet.allocation_pools.iter().fold(0_u128, |all, pool| all.saturating_add(pool.size()));
        let held: i64 = tx.query_one("SELECT count(*) FROM port_addresses WHERE subnet_id = $1", &params![&subnet.id])?.get(0)?;
        if u128::try_from(held).unwrap_or_default() < size {
            return Ok(Some(subnet.id.clone()));
        }
    }
    Ok(None)
}

/// Whether floating addresses lead through this router to this subnet.
pub fn any_behind(tx: &mut Tx, router: &RouterId, subnet: &SubnetId) -> Result<bool> {
    let sql = "SELECT 1 FROM floating_ips f JOIN port_addresses a ON a.port_id = f.port_id AND a.address = f.fixed_ip_address \
               WHERE f.router_id = $1 AND a.subnet_id = $2";
    Ok(tx.query_opt(sql, &params![router, subnet])?.is_some())
}

/// An external network goes, and with it the floating addresses that lead nowhere.
pub fn delete_idle(tx: &mut Tx, doer: &Doer, network: &NetworkId) -> Result<()> {
    let select = Row::select().filter("floating_network_id = ", network).condition("port_id IS NULL");
    for row in select.rows(tx)? {
        erase(tx, doer, &Row::read(&row)?)?;
    }
    Ok(())
}

fn erase(tx: &mut Tx, doer: &Doer, row: &Row) -> Result<()> {
    tag::forget(tx, row.id.as_str())?;
    reached::record(tx, doer, Some(row), None)?;
    tx.execute("DELETE FROM floating_ips WHERE id = $1", &params![&row.id])?;
    let holder = port::Row::get(tx, &row.floating_port_id)?;
    port::table::erase(tx, doer, &holder)?;
    keys::mark(tx, &keys::floating_ip(&row.id))?;
    if let Some(port) = &row.port_id {
        balancer::mark_behind(tx, port)?;
    }
    doer.removed(tx, row)?;
    Ok(())
}

/// Leads the address to a port, through a router that reaches both.
fn associate(tx: &mut Tx, row: &mut Row, goal: &Goal) -> Result<()> {
    let port = port::Row::get(tx, &goal.port)?;
    if port.project_id != row.project_id && !port.project_id.as_str().is_empty() {
        let message = "Bad floatingip request: the port belongs to a different project than the floating IP.";
        return Err(Error::bad(message));
    }
    let fixed = port::table::addresses_of(tx, &port.id)?;
    let mut fitting = fixed.iter().filter(|fixed| match goal.fixed_ip {
        Some(address) => fixed.ip_address == address,
        None => fixed.ip_address.is_ipv4(),
    });
    let chosen = fitting.next().ok_or_else(|| {
        Error::bad(match goal.fixed_ip {
            Some(address) => format!("Bad floatingip request: Port {} does not have fixed ip {address}.", port.id),
            None => {
                format!("Bad floatingip request: Cannot add floating IP to port {} that has no fixed IPv4 addresses.", port.id)
            }
        })
    })?;
    if fitting.next().is_some() {
        return Err(Error::bad(format!(
            "Bad floatingip request: Port {} has multiple fixed IPv4 addresses. Must provide a specific IPv4 address when \
             assigning a floating IP.",
            port.id
        )));
    }
    let twin = "SELECT floating_ip_address FROM floating_ips WHERE port_id = $1 AND fixed_ip_address = $2 \
                AND floating_network_id = $3 AND id <> $4";
    let twin = tx.query_opt(twin, &params![&port.id, chosen.ip_address.to_string(), &row.floating_network_id, &row.id])?;
    if let Some(twin) = twin {
        return Err(Error::FloatingIPPortAlreadyAssociated {
            address: twin.get(0)?,
            fixed_ip: chosen.ip_address.to_string(),
            port_id: port.id.to_string(),
        });
    }
    let router = router_between(tx, &chosen.subnet_id, &row.floating_network_id)?;
    let router = router.ok_or_else(|| Error::ExternalGatewayForFloatingIPNotFound {
        subnet_id: chosen.subnet_id.to_string(),
        net_id: row.floating_network_id.to_string(),
        port_id: port.id.to_string(),
    })?;
    row.port_id = Some(port.id);
    row.fixed_ip_address = Some(chosen.ip_address);
    row.router_id = Some(router);
    Ok(())
}

/// A router with an interface to the subnet and its gateway on the network; first the one that is the subnet's gateway.
fn router_between(tx: &mut Tx, subnet: &SubnetId, network: &NetworkId) -> Result<Option<RouterId>> {
    let sql = "SELECT r.id FROM routers r JOIN ports g ON g.id = r.gateway_port_id \
               JOIN ports i ON i.device_id = r.id AND i.device_owner = 'network:router_interface' \
               JOIN port_addresses a ON a.port_id = i.id JOIN subnets s ON s.id = a.subnet_id \
               WHERE a.subnet_id = $1 AND g.network_id = $2 \
               ORDER BY CASE WHEN a.address = s.gateway_ip THEN 0 ELSE 1 END, r.id LIMIT 1";
    Ok(tx.query_opt(sql, &params![subnet, network])?.map(|row| row.get(0)).transpose()?)
}
