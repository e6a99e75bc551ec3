// SPDX-License-Identifier: Apache-2.0
//! The rows of networks.

use std::collections::HashMap;

use access::{Allowed, Scope};
use store::{Select, Tx, params};
use types::{NetworkId, ProjectId, SubnetId, Timestamp};

use super::{COLUMNS, Row, segment::Wish};
use crate::{
    Error, Result, floating_ip, keys,
    listing::{Listing, check_revision},
    quota, security_group,
    settings::Settings,
    tag,
    who::{Change, Doer, within},
};

/// A network with what its view shows beside the row.
pub struct Found {
    pub row: Row,
    pub subnets: Vec<SubnetId>,
    pub tags: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Create {
    pub project_id: ProjectId,
    pub name: String,
    pub description: String,
    pub admin_state_up: bool,
    pub shared: bool,
    pub external: bool,
    pub is_default: bool,
    pub port_security_enabled: bool,
    pub mtu: Option<u32>,
    pub segment: Wish,
    pub availability_zone_hints: Vec<String>,
    pub dns_domain: String,
}

#[derive(Debug, Clone, Default)]
pub struct Update {
    pub name: Option<String>,
    pub description: Option<String>,
    pub admin_state_up: Option<bool>,
    pub shared: Option<bool>,
    pub external: Option<bool>,
    pub is_default: Option<bool>,
    pub port_security_enabled: Option<bool>,
    pub mtu: Option<u32>,
    pub dns_domain: Option<String>,
}

/// Everybody sees shared and external networks.
const VISIBLE: &str = "shared = 1 OR external = 1 OR project_id = ";

pub fn create(tx: &mut Tx, doer: &Doer, _proof: &Allowed<()>, settings: &Settings, ask: &Create) -> Result<Found> {
    quota::take(tx, &ask.project_id, quota::Resource::Network, 1, settings)?;
    security_group::store::ensure_default(tx, doer, &ask.project_id, settings)?;
    let segment = ask.segment.allocate(tx, settings)?;
    let greatest = settings.greatest_mtu(&segment.network_type);
    let mtu = checked_mtu(ask.mtu, greatest)?;
    let now = Timestamp::now();
    let row = Row {
        id: NetworkId::generate(),
        project_id: ask.project_id.clone(),
        name: ask.name.clone(),
        description: ask.description.clone(),
        admin_state_up: ask.admin_state_up,
        shared: ask.shared,
        external: ask.external,
        is_default: ask.is_default,
        port_security_enabled: ask.port_security_enabled,
        mtu,
        segment,
        availability_zone_hints: ask.availability_zone_hints.clone(),
        dns_domain: ask.dns_domain.clone(),
        created_at: now,
        updated_at: now,
        generation: 1,
    };
    let sql = format!(
        "INSERT INTO networks ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"
    );
    tx.execute(
        &sql,
        &params![
            &row.id,
            &row.project_id,
            &row.name,
            &row.description,
            row.admin_state_up,
            row.shared,
            row.external,
            row.is_default,
            row.port_security_enabled,
            row.mtu,
            &row.segment.network_type,
            row.segment.physical_network.as_deref(),
            row.segment.segmentation_id,
            serde_json::json!(row.availability_zone_hints),
            &row.dns_domain,
            row.created_at,
            row.updated_at,
            row.generation,
        ],
    )?;
    keys::mark(tx, &keys::network(&row.id))?;
    doer.record(tx, change("network.create", &row), None, Some(&row))?;
    Ok(Found { row, subnets: Vec::new(), tags: Vec::new() })
}

/// The network, if it is within the scope, shared or external.
pub fn find(tx: &mut Tx, scope: &Allowed<Scope>, id: &str) -> Result<Row> {
    let select = Select::new("networks", COLUMNS).filter("id = ", id);
    let rows = within(select, scope.scope(), VISIBLE).rows(tx)?;
    match rows.first() {
        Some(row) => Ok(Row::from_row(row)?),
        None => Err(Error::NetworkNotFound { net_id: id.to_owned() }),
    }
}

/// The network, whoever asks: for what follows from something already allowed.
pub fn get(tx: &mut Tx, id: &NetworkId) -> Result<Row> {
    let sql = format!("SELECT {COLUMNS} FROM networks WHERE id = $1");
    match tx.query_opt(&sql, &params![id])? {
        Some(row) => Ok(Row::from_row(&row)?),
        None => Err(Error::NetworkNotFound { net_id: id.to_string() }),
    }
}

pub fn page(tx: &mut Tx, scope: &Allowed<Scope>, listing: &Listing) -> Result<Vec<Found>> {
    let select = listing.apply(within(Select::new("networks", COLUMNS), scope.scope(), VISIBLE));
    let rows: Vec<Row> = select.rows(tx)?.iter().map(Row::from_row).collect::<Result<_, _>>()?;
    found(tx, listing.ordered(rows))
}

/// Adds subnets and tags, in two statements however many rows there are.
pub fn found(tx: &mut Tx, rows: Vec<Row>) -> Result<Vec<Found>> {
    let ids: Vec<&NetworkId> = rows.iter().map(|row| &row.id).collect();
    let mut subnets: HashMap<NetworkId, Vec<SubnetId>> = HashMap::new();
    let select = Select::new("subnets", "network_id, id").filter_in("network_id", ids.iter().copied());
    for row in select.sort(&[], "id").rows(tx)? {
        subnets.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    let mut tags = tag::of(tx, ids.iter().map(|id| id.as_str()))?;
    let with = |row: Row| Found {
        subnets: subnets.remove(&row.id).unwrap_or_default(),
        tags: tags.remove(row.id.as_str()).unwrap_or_default(),
        row,
    };
    Ok(rows.into_iter().map(with).collect())
}

pub fn update(
    tx: &mut Tx,
    doer: &Doer,
    _proof: &Allowed<()>,
    settings: &Settings,
    id: &NetworkId,
    revision: Option<i64>,
    ask: &Update,
) -> Result<Found> {
    let before = get(tx, id)?;
    check_revision(revision, before.generation)?;
    if before.shared && ask.shared == Some(false) {
        refuse_if_others_use(tx, &before)?;
    }
    if before.external && ask.external == Some(false) {
        let sql =
            "SELECT 1 FROM ports WHERE network_id = $1 AND device_owner IN ('network:router_gateway', 'network:floatingip')";
        if tx.query_opt(sql, &params![id])?.is_some() {
            return Err(Error::ExternalNetworkInUse { net_id: id.to_string() });
        }
    }
    let mut row = before.clone();
    let replace = |field: &mut String, value: &Option<String>| {
        if let Some(value) = value {
            field.clone_from(value);
        }
    };
    replace(&mut row.name, &ask.name);
    replace(&mut row.description, &ask.description);
    replace(&mut row.dns_domain, &ask.dns_domain);
    row.admin_state_up = ask.admin_state_up.unwrap_or(row.admin_state_up);
    row.shared = ask.shared.unwrap_or(row.shared);
    row.external = ask.external.unwrap_or(row.external);
    row.is_default = ask.is_default.unwrap_or(row.is_default);
    row.port_security_enabled = ask.port_security_enabled.unwrap_or(row.port_security_enabled);
    if ask.mtu.is_some() {
        row.mtu = checked_mtu(ask.mtu, settings.greatest_mtu(&row.segment.network_type))?;
    }
    row.updated_at = Timestamp::now();
    row.generation += 1;
    tx.execute_cas(
        "UPDATE networks SET name = $2, description = $3, dns_domain = $4, admin_state_up = $5, shared = $6, external = $7, \
         is_default = $8, port_security_enabled = $9, mtu = $10, updated_at = $11, generation = $12 \
         WHERE id = $1 AND generation = $13",
        &params![
            id,
            &row.name,
            &row.description,
            &row.dns_domain,
            row.admin_state_up,
            row.shared,
            row.external,
            row.is_default,
            row.port_security_enabled,
            row.mtu,
            row.updated_at,
            row.generation,
            before.generation,
        ],
    )?;
    keys::mark(tx, &keys::network(id))?;
    if row.mtu != before.mtu {
        keys::mark_routers_on(tx, id.as_str())?;
    }
    if row.admin_state_up != before.admin_state_up || row.mtu != before.mtu {
        keys::mark_ports(tx, "network_id = $1", id.as_str())?;
    }
    doer.record(tx, change("network.update", &row), Some(&before), Some(&row))?;
    Ok(found(tx, vec![row])?.remove(0))
}

/// Deletes the network with its subnets. The ports that only serve the network itself go with it, and floating addresses
/// that lead nowhere.
pub fn delete(tx: &mut Tx, doer: &Doer, _proof: &Allowed<()>, id: &NetworkId, revision: Option<i64>) -> Result<()> {
    let row = get(tx, id)?;
    check_revision(revision, row.generation)?;
    floating_ip::store::delete_idle(tx, doer, id)?;
    let sql = "SELECT id, project_id FROM ports WHERE network_id = $1 AND device_owner <> 'network:distributed' LIMIT 20";
    let ports = tx.query(sql, &params![id])?;
    if !ports.is_empty() {
        let mut names = Vec::new();
        for port in &ports {
            if doer.sees_project(port.get::<&str>(1)?) {
                names.push(port.get::<String>(0)?);
            }
        }
        let reason = match names.is_empty() {
            true => "Ports of others are still on it.".to_owned(),
            false => {
                format!("There are one or more ports still in use on the network, id for these ports is: {}.", names.join(", "))
            }
        };
        return Err(Error::NetworkInUse { net_id: id.to_string(), reason });
    }
    for port in tx.query("SELECT id FROM ports WHERE network_id = $1", &params![id])? {
        crate::port::store::erase(tx, &port.get(0)?)?;
    }
    tag::forget_all(tx, "SELECT id FROM subnets WHERE network_id = $1", id.as_str())?;
    tag::forget(tx, id.as_str())?;
    tx.execute("DELETE FROM subnets WHERE network_id = $1", &params![id])?;
    tx.execute("DELETE FROM networks WHERE id = $1", &params![id])?;
    keys::mark(tx, &keys::network(id))?;
    doer.record(tx, change("network.delete", &row), Some(&row), None)?;
    Ok(())
}

fn change<'a>(action: &'static str, row: &'a Row) -> Change<'a> {
    Change { action, kind: "network", id: row.id.as_str(), project: row.project_id.as_str() }
}

fn checked_mtu(asked: Option<u32>, greatest: u32) -> Result<u32> {
    match asked {
        None | Some(0) => Ok(greatest),
        Some(mtu) if mtu < 68 => Err(Error::invalid(format!("mtu {mtu} is below 68, the least that IP works with"))),
        Some(mtu) if mtu > greatest => {
            Err(Error::invalid(format!("mtu {mtu} is above {greatest}, the most that the physical network carries")))
        }
        Some(mtu) => Ok(mtu),
    }
}

fn refuse_if_others_use(tx: &mut Tx, row: &Row) -> Result<()> {
    let sql = "SELECT 1 FROM ports WHERE network_id = $1 AND project_id <> $2 AND project_id <> '' LIMIT 1";
    match tx.query_opt(sql, &params![&row.id, &row.project_id])? {
        Some(_) => Err(Error::InvalidSharedSetting { network: row.name.clone() }),
        None => Ok(()),
    }
}
