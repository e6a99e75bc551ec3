// SPDX-License-Identifier: Apache-2.0
//! The rows of networks.

use access::Allowed;
use std::collections::HashMap;

use store::{Select, Tx, params};
use types::{NetworkId, ProjectId, SubnetId, Timestamp};

use super::{Row, segment::Wish};
use crate::{
    Error, Result, floating_ip, keys, port, quota,
    resource::{By, Gathered, Kept, Managed},
    security_group, tag,
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

impl Gathered for Row {
    type Found = Found;

    /// Adds subnets and tags, in two statements however many rows there are.
    fn with_rest(tx: &mut Tx, rows: Vec<Self>) -> Result<Vec<Found>> {
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
}

impl Managed for Row {
    type Create = Create;
    type Update = Update;

    fn create(tx: &mut Tx, by: &By, allowed: &Allowed<Create>) -> Result<Found> {
        let ask = allowed.thing();
        let By { doer, settings, .. } = by;
        quota::take(tx, &ask.project_id, &super::QUOTA, 1, settings)?;
        security_group::table::ensure_default(tx, doer, &ask.project_id, settings)?;
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
        Row::insert(
            tx,
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
        doer.made(tx, &row)?;
        Ok(Found { row, subnets: Vec::new(), tags: Vec::new() })
    }

    fn update(tx: &mut Tx, by: &By, allowed: &Allowed<Self>, ask: &Update) -> Result<Found> {
        let this = allowed.thing();
        let By { doer, settings, .. } = by;
        if this.shared && ask.shared == Some(false) {
            refuse_if_others_use(tx, this)?;
        }
        if this.external && ask.external == Some(false) {
            let sql =
                "SELECT 1 FROM ports WHERE network_id = $1 AND device_owner IN ('network:router_gateway', 'network:floatingip')";
            if tx.query_opt(sql, &params![&this.id])?.is_some() {
                return Err(Error::ExternalNetworkInUse { net_id: this.id.to_string() });
            }
        }
        let mut row = this.clone();
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
                &row.id,
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
                this.generation,
            ],
        )?;
        keys::mark(tx, &keys::network(&row.id))?;
        if row.mtu != this.mtu {
            keys::mark_routers_on(tx, row.id.as_str())?;
        }
        if row.admin_state_up != this.admin_state_up || row.mtu != this.mtu {
            keys::mark_ports(tx, "network_id = $1", row.id.as_str())?;
        }
        doer.changed(tx, this, &row)?;
        row.with_rest_of_one(tx)
    }

    /// Deletes the network with its subnets. The ports that only serve the network itself go with it, and floating addresses
    /// that lead nowhere.
    fn delete(tx: &mut Tx, by: &By, allowed: &Allowed<Self>) -> Result<()> {
        let this = allowed.thing();
        let By { doer, .. } = by;
        floating_ip::table::delete_idle(tx, doer, &this.id)?;
        let sql = "SELECT id, project_id FROM ports WHERE network_id = $1 AND device_owner <> 'network:distributed' LIMIT 20";
        let ports = tx.query(sql, &params![&this.id])?;
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
                    format!(
                        "There are one or more ports still in use on the network, id for these ports is: {}.",
                        names.join(", ")
                    )
                }
            };
            return Err(Error::NetworkInUse { net_id: this.id.to_string(), reason });
        }
        for port in port::Row::rows(tx, port::Row::select().filter("network_id = ", &this.id))? {
            port::table::erase(tx, doer, &port)?;
        }
        tag::forget_all(tx, "SELECT id FROM subnets WHERE network_id = $1", this.id.as_str())?;
        tag::forget(tx, this.id.as_str())?;
        tx.execute("DELETE FROM subnets WHERE network_id = $1", &params![&this.id])?;
        tx.execute("DELETE FROM networks WHERE id = $1", &params![&this.id])?;
        keys::mark(tx, &keys::network(&this.id))?;
        doer.removed(tx, this)?;
        Ok(())
    }
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
