// SPDX-License-Identifier: Apache-2.0
//! The rows of rules.

use access::{Allowed, Scope};
use store::{Direction, Tx, params};
use types::{SecurityGroupId, SecurityGroupRuleId, Timestamp};

use super::{Row, Says};
use crate::{
    Error, Result, address_group, keys, quota,
    resource::{Gathered, Kept},
    security_group,
    settings::Settings,
    who::Doer,
};

#[derive(Debug, Clone)]
pub struct Create {
    pub security_group_id: SecurityGroupId,
    pub description: String,
    pub says: Says,
}

impl Gathered for Row {
    type Found = Self;

    fn with_rest(_tx: &mut Tx, rows: Vec<Self>) -> Result<Vec<Self>> {
        Ok(rows)
    }
}

pub fn create(tx: &mut Tx, doer: &Doer, settings: &Settings, scope: &Allowed<Scope>, ask: &Create) -> Result<Row> {
    let group = security_group::Row::find(tx, scope, ask.security_group_id.as_str())?;
    quota::take(tx, &group.project_id, &super::QUOTA, 1, settings)?;
    if let Some(remote) = &ask.says.remote_group_id
        && *remote != group.id
    {
        security_group::Row::find(tx, scope, remote.as_str())?;
    }
    if let Some(remote) = &ask.says.remote_address_group_id {
        address_group::Row::find(tx, scope, remote.as_str())?;
    }
    // Not by the column: it says of older rules what was held to be the same when they were made.
    let sameness = ask.says.sameness();
    if let Some(twin) = of_groups(tx, [&group.id])?.into_iter().find(|other| other.says.sameness() == sameness) {
        return Err(Error::SecurityGroupRuleExists { rule_id: twin.id.to_string() });
    }
    let row = insert(tx, &group, &ask.description, &ask.says)?;
    touch(tx, &group.id)?;
    doer.made(tx, &row)?;
    Ok(row)
}

/// The group changed by its rules.
fn touch(tx: &mut Tx, group: &SecurityGroupId) -> Result<()> {
    let sql = "UPDATE security_groups SET generation = generation + 1, updated_at = $2 WHERE id = $1";
    tx.execute(sql, &params![group, Timestamp::now()])?;
    keys::mark(tx, &keys::security_group(group))?;
    Ok(())
}

/// Writes a rule without looking for its twin: for the rules of a new group.
pub fn insert(tx: &mut Tx, group: &security_group::Row, description: &str, says: &Says) -> Result<Row> {
    let now = Timestamp::now();
    let row = Row {
        id: SecurityGroupRuleId::generate(),
        security_group_id: group.id.clone(),
        project_id: group.project_id.clone(),
        description: description.to_owned(),
        says: says.clone(),
        created_at: now,
        updated_at: now,
        generation: 1,
        belongs_to_default: group.is_default,
    };
    tx.execute(
        "INSERT INTO security_group_rules (id, security_group_id, project_id, description, direction, ethertype, protocol, \
         port_range_min, port_range_max, remote_group_id, remote_ip_prefix, sameness, created_at, updated_at, generation, \
         normalized_cidr, remote_address_group_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        &params![
            &row.id,
            &row.security_group_id,
            &row.project_id,
            &row.description,
            &says.direction,
            &says.ethertype,
            says.protocol.as_deref(),
            says.port_range_min,
            says.port_range_max,
            says.remote_group_id.as_ref(),
            says.remote_ip_prefix.as_deref(),
            says.sameness(),
            row.created_at,
            row.updated_at,
            row.generation,
            says.normalized_cidr(),
            says.remote_address_group_id.as_ref(),
        ],
    )?;
    Ok(row)
}

/// The rules of many groups, oldest first, in one statement.
pub fn of_groups<'a>(tx: &mut Tx, groups: impl IntoIterator<Item = &'a SecurityGroupId>) -> Result<Vec<Row>> {
    let select = Row::select().filter_in("security_group_id", groups);
    Row::rows(tx, select.sort(&[("created_at", Direction::Asc)], "id"))
}

/// The rules of other groups that name this one.
pub fn naming(tx: &mut Tx, group: &SecurityGroupId) -> Result<Vec<Row>> {
    Row::rows(tx, Row::select().filter("remote_group_id = ", group).filter("security_group_id <> ", group))
}

pub fn delete(tx: &mut Tx, doer: &Doer, scope: &Allowed<Scope>, id: &str) -> Result<()> {
    let row = Row::find(tx, scope, id)?;
    remove(tx, doer, &row)
}

pub fn remove(tx: &mut Tx, doer: &Doer, row: &Row) -> Result<()> {
    tx.execute("DELETE FROM security_group_rules WHERE id = $1", &params![&row.id])?;
    touch(tx, &row.security_group_id)?;
    doer.removed(tx, row)?;
    Ok(())
}
