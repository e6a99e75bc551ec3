// SPDX-License-Identifier: Apache-2.0
//! Checks what a user wishes for his server's NICs before anything is made, so that he is told at once.
//!
//! The cloud makes the ports later, on nobody's request; so here the caller meets the policies that he would meet if he made
//! them himself, and sees the networks and ports that he would see.

use std::net::IpAddr;

use access::{Allowed, Asker, Denied, Scope};
use contracts::{
    Refusal, RefusalKind,
    ports::{NicAsk, NicWish},
};
use store::{Tx, params};
use types::{NetworkId, PortId, ProjectId, SecurityGroupId};

use crate::{
    Error, Result, network,
    port::{self, addresses::Wish},
    quota, range,
    resource::Kept,
    security_group::DEFAULT,
    settings::Settings,
    subnet,
};

/// A caller with what he sees.
pub struct Planner<'a> {
    asker: &'a Asker,
    /// Whose the server will be.
    project: &'a ProjectId,
    networks: Allowed<Scope>,
    ports: Allowed<Scope>,
}

impl<'a> Planner<'a> {
    pub fn of(asker: &'a Asker) -> Result<Self, Unplanned> {
        let project = asker.caller().project_id();
        Ok(Self {
            asker,
            project: project.ok_or_else(|| Refusal::invalid("A server needs a token that is scoped to its project."))?,
            networks: asker.scope(&network::api::GET)?,
            ports: asker.scope(&port::api::GET)?,
        })
    }

    pub fn plan(
        &self,
        tx: &mut Tx,
        settings: &Settings,
        wishes: &[NicWish],
        groups: &[String],
    ) -> Result<Vec<NicAsk>, Unplanned> {
        // Neutron gives the default group by itself, so it alone is no wish.
        let wished = if groups == [DEFAULT] { &[] } else { groups };
        let groups = named_groups(tx, self.project, wished)?;
        let mut asks: Vec<NicAsk> = Vec::with_capacity(wishes.len());
        let any = [NicWish::Any];
        for wish in if wishes.is_empty() { &any } else { wishes } {
            match wish {
                NicWish::Port(id) => {
                    if asks.iter().any(|ask| ask.port_id == *id) {
                        return Err(Refusal::invalid(format!("Port {id} is named twice.")).into());
                    }
                    asks.push(self.brought(tx, id, &groups)?);
                }
                NicWish::Network { id, fixed_ip } => {
                    let network = self.named(tx, id)?;
                    self.permit(&network, *fixed_ip)?;
                    check_address(tx, &network, *fixed_ip)?;
                    asks.push(fresh(&network, *fixed_ip, &groups));
                }
                NicWish::Any => {
                    if let Some(network) = only_network(tx, self.project)? {
                        self.permit(&network, None)?;
                        asks.push(fresh(&network, None, &groups));
                    }
                }
            }
        }
        let made = i64::try_from(asks.iter().filter(|ask| ask.made_by_compute).count()).unwrap_or(i64::MAX);
        quota::take(tx, self.project, &port::QUOTA, made, settings)?;
        Ok(asks)
    }

    /// Refuses a port that the caller could not make himself.
    fn permit(&self, network: &network::Row, fixed_ip: Option<IpAddr>) -> Result<(), Unplanned> {
        let target = port::api::place(self.asker, network, self.project).map_err(|_| {
            let message = format!("It is not allowed to create an interface on external network {}", network.id);
            Refusal::new(RefusalKind::Forbidden, message)
        })?;
        let wish = |address| vec![Wish { subnet: None, address: Some(address) }];
        let choices = port::api::Choices { fixed_ips: fixed_ip.map(wish), ..Default::default() };
        choices.permit(self.asker, &target)?;
        self.asker.check(&port::api::CREATE, &target)?;
        Ok(())
    }

    /// A port that the caller made himself: his project's, free, and with an address.
    fn brought(&self, tx: &mut Tx, id: &PortId, groups: &[SecurityGroupId]) -> Result<NicAsk, Unplanned> {
        let row = match port::Row::find(tx, &self.ports, id.as_str()) {
            Ok(row) => row,
            Err(Error::PortNotFound { .. }) => {
                return Err(Refusal::not_found(format!("Port id {id} could not be found.")).into());
            }
            Err(error) => return Err(error.into()),
        };
        if row.project_id != *self.project {
            return Err(Refusal::invalid(format!("Port {id} not usable: it belongs to another project than the server.")).into());
        }
        if !row.device_id.is_empty() {
            return Err(Refusal::conflict(format!("Port {id} is still in use.")).into());
        }
        if port::table::addresses_of(tx, id)?.is_empty() {
            return Err(Refusal::invalid(format!("Port {id} requires a FixedIP in order to be used.")).into());
        }
        Ok(NicAsk {
            port_id: row.id,
            made_by_compute: false,
            network_id: row.network_id,
            fixed_ip: None,
            security_groups: groups.to_vec(),
            tag: None,
        })
    }

    /// A network that the caller sees and that machines can be plugged into.
    fn named(&self, tx: &mut Tx, id: &NetworkId) -> Result<network::Row, Unplanned> {
        let row = match network::Row::find(tx, &self.networks, id.as_str()) {
            Ok(row) => row,
            Err(Error::NetworkNotFound { .. }) => {
                return Err(Refusal::not_found(format!("Network {id} could not be found.")).into());
            }
            Err(error) => return Err(error.into()),
        };
        if subnet::of_network(tx, id)?.is_empty() {
            return Err(Refusal::invalid(format!("Network {id} requires a subnet in order to boot instances on.")).into());
        }
        Ok(row)
    }
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

impl From<Denied> for Unplanned {
    fn from(denied: Denied) -> Self {
        Self::Failed(denied.into())
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
    let subnets = subnet::of_network(tx, &network.id)?;
    let usable = |subnet: &&subnet::Row| range::usable(&subnet.cidr).is_some_and(|all| all.contains(address));
    let Some(subnet) = subnets.iter().find(usable) else {
        let message = format!("Fixed IP {address} is not a valid ip address for network {}.", network.id);
        return Err(Refusal::invalid(message).into());
    };
    let sql = "SELECT 1 FROM port_addresses WHERE subnet_id = $1 AND place = $2";
    if tx.query_opt(sql, &params![&subnet.id, range::place(address)])?.is_some() {
        return Err(Refusal::conflict(format!("Fixed IP address {address} is already in use.")).into());
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
