// SPDX-License-Identifier: Apache-2.0
//! Checks what a user wishes for his server's NICs before anything is made, so that he is told at once.

use std::net::IpAddr;

use contracts::{
    Refusal, RefusalKind,
    ports::{NicAsk, NicWish},
};
use store::{Tx, params};
use types::{NetworkId, PortId, ProjectId, SecurityGroupId};

use crate::{
    Error, Result, ipam::range, network, port, quota, resource::Kept, security_group::DEFAULT, settings::Settings, subnet,
};

pub fn plan(
    tx: &mut Tx,
    settings: &Settings,
    project: &ProjectId,
    wishes: &[NicWish],
    groups: &[String],
) -> Result<Vec<NicAsk>, Unplanned> {
    let groups = named_groups(tx, project, groups)?;
    let mut asks: Vec<NicAsk> = Vec::with_capacity(wishes.len());
    let any = [NicWish::Any];
    for wish in if wishes.is_empty() { &any } else { wishes } {
        match wish {
            NicWish::Port(id) => {
                if asks.iter().any(|ask| ask.port_id == *id) {
                    return Err(Refusal::invalid(format!("Port {id} is named twice.")).into());
                }
                asks.push(brought(tx, project, id)?);
            }
            NicWish::Network { id, fixed_ip } => {
                let network = usable(tx, project, id)?;
                check_address(tx, &network, *fixed_ip)?;
                asks.push(fresh(&network, *fixed_ip, &groups));
            }
            NicWish::Any => asks.extend(only_network(tx, project)?.map(|network| fresh(&network, None, &groups))),
        }
    }
    let made = i64::try_from(asks.iter().filter(|ask| ask.made_by_compute).count()).unwrap_or(i64::MAX);
    quota::take(tx, project, quota::Resource::Port, made, settings)?;
    Ok(asks)
}

/// A refusal in words for Nova's users, or an error on the way to it.
#[derive(Debug)]
pub enum Unplanned {
    Said(Refusal),
    Failed(Error),
}

impl From<Refusal> for Unplanned {
    fn from(refusal: Refusal) -> Self {
        Self::Said(refusal)
    }
}

impl From<Error> for Unplanned {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<store::Error> for Unplanned {
    fn from(error: store::Error) -> Self {
        Self::Failed(error.into())
    }
}

pub fn refusal(error: Unplanned) -> Refusal {
    match error {
        Unplanned::Said(refusal) => refusal,
        Unplanned::Failed(error) => error.into(),
    }
}

fn fresh(network: &network::Row, fixed_ip: Option<IpAddr>, groups: &[SecurityGroupId]) -> NicAsk {
    NicAsk {
        port_id: PortId::generate(),
        made_by_compute: true,
        network_id: network.id.clone(),
        fixed_ip,
        security_groups: groups.to_vec(),
        tag: None,
    }
}

/// A port that the user made himself: his own, free, and with an address.
fn brought(tx: &mut Tx, project: &ProjectId, id: &PortId) -> Result<NicAsk, Unplanned> {
    let unknown = || Refusal::invalid(format!("Port id {id} could not be found."));
    let row = match port::Row::get(tx, id) {
        Ok(row) if row.project_id == *project => row,
        Ok(_) | Err(Error::PortNotFound { .. }) => return Err(unknown().into()),
        Err(error) => return Err(error.into()),
    };
    if !row.device_id.is_empty() {
        return Err(Refusal::conflict(format!("Port {id} is still in use.")).into());
    }
    if port::store::addresses_of(tx, id)?.is_empty() {
        return Err(Refusal::invalid(format!("Port {id} requires a FixedIP in order to be used.")).into());
    }
    Ok(NicAsk {
        port_id: row.id,
        made_by_compute: false,
        network_id: row.network_id,
        fixed_ip: None,
        security_groups: Vec::new(),
        tag: None,
    })
}

/// A network that the project may plug machines into.
fn usable(tx: &mut Tx, project: &ProjectId, id: &NetworkId) -> Result<network::Row, Unplanned> {
    let row = match network::Row::get(tx, id) {
        Ok(row) if row.project_id == *project || row.shared || row.external => row,
        Ok(_) | Err(Error::NetworkNotFound { .. }) => {
            return Err(Refusal::invalid(format!("Network {id} could not be found.")).into());
        }
        Err(error) => return Err(error.into()),
    };
    if row.external && !row.shared && row.project_id != *project {
        let message = format!("It is not allowed to create an interface on external network {id}");
        return Err(Refusal::new(RefusalKind::Forbidden, message).into());
    }
    if subnet::store::of_network(tx, id)?.is_empty() {
        return Err(Refusal::invalid(format!("Network {id} requires a subnet in order to boot instances on.")).into());
    }
    Ok(row)
}

/// The one network that the project can mean when it names none.
fn only_network(tx: &mut Tx, project: &ProjectId) -> Result<Option<network::Row>, Unplanned> {
    let select = network::Row::select()
        .condition("external = 0 OR shared = 1")
        .filter("shared = 1 OR project_id = ", project)
        .condition("EXISTS (SELECT 1 FROM subnets s WHERE s.network_id = networks.id)")
        .sort(&[], "id")
        .limit(2);
    let rows = select.rows(tx)?;
    match rows.as_slice() {
        [] => Ok(None),
        [row] => Ok(Some(network::Row::read(row)?)),
        _ => Err(Refusal::conflict("Multiple possible networks found, use a Network ID to be more specific.").into()),
    }
}

fn check_address(tx: &mut Tx, network: &network::Row, address: Option<IpAddr>) -> Result<(), Unplanned> {
    let Some(address) = address else { return Ok(()) };
    let subnets = subnet::store::of_network(tx, &network.id)?;
    let usable = |subnet: &&subnet::Row| range::usable(&subnet.cidr).is_some_and(|all| all.contains(address));
    let Some(subnet) = subnets.iter().find(usable) else {
        let message = format!("Fixed IP {address} is not a valid ip address for network {}.", network.id);
        return Err(Refusal::invalid(message).into());
    };
    let sql = "SELECT 1 FROM port_addresses WHERE subnet_id = $1 AND place = $2";
    if tx.query_opt(sql, &params![&subnet.id, range::place(address)])?.is_some() {
        return Err(Refusal::invalid(format!("Fixed IP address {address} is already in use.")).into());
    }
    Ok(())
}

/// Groups by id or by name, each once.
fn named_groups(tx: &mut Tx, project: &ProjectId, names: &[String]) -> Result<Vec<SecurityGroupId>, Unplanned> {
    let mut groups: Vec<SecurityGroupId> = Vec::new();
    for name in names {
        let sql = "SELECT id FROM security_groups WHERE project_id = $1 AND (id = $2 OR name = $2) \
                   ORDER BY CASE WHEN id = $2 THEN 0 ELSE 1 END LIMIT 3";
        let found: Vec<SecurityGroupId> =
            tx.query(sql, &params![project, name])?.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
        let group = match found.as_slice() {
            // It comes with the project's first port, so it may be named before it is there.
            [] if name == DEFAULT => continue,
            [] => return Err(Refusal::invalid(format!("Security group {name} not found for project {project}.")).into()),
            [only] => only,
            [first, ..] if first.as_str() == name => first,
            _ => {
                let message = format!("Multiple security groups found matching '{name}'. Use an ID to be more specific.");
                return Err(Refusal::conflict(message).into());
            }
        };
        if !groups.contains(group) {
            groups.push(group.clone());
        }
    }
    Ok(groups)
}
