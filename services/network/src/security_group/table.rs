// SPDX-License-Identifier: Apache-2.0
//! The rows of security groups.

use access::Allowed;
use std::collections::HashMap;

use store::{Tx, params};
use types::{ProjectId, SecurityGroupId, Timestamp};

use super::{DEFAULT, Row, rule};
use crate::{
    Error, Result, keys, quota,
    resource::{By, Gathered, Kept, Managed},
    settings::Settings,
    tag,
    who::Doer,
};

/// A group with its rules.
pub struct Found {
    pub row: Row,
    pub rules: Vec<rule::Row>,
    pub tags: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Create {
    pub project_id: ProjectId,
    pub name: String,
    pub description: String,
    pub stateful: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Update {
    pub name: Option<String>,
    pub description: Option<String>,
    pub stateful: Option<bool>,
}

impl Gathered for Row {
    type Found = Found;

    /// Adds rules and tags, in two statements however many groups there are.
    fn with_rest(tx: &mut Tx, rows: Vec<Self>) -> Result<Vec<Found>> {
        let mut rules: HashMap<SecurityGroupId, Vec<rule::Row>> = HashMap::new();
        for row in rule::table::of_groups(tx, rows.iter().map(|row| &row.id))? {
            rules.entry(row.security_group_id.clone()).or_default().push(row);
        }
        let mut tags = tag::of(tx, rows.iter().map(|row| row.id.as_str()))?;
        let with = |row: Row| Found {
            rules: rules.remove(&row.id).unwrap_or_default(),
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
        ensure_default(tx, doer, &ask.project_id, settings)?;
        if ask.name.eq_ignore_ascii_case(DEFAULT) {
            return Err(Error::SecurityGroupDefaultAlreadyExists { project: ask.project_id.to_string() });
        }
        quota::take(tx, &ask.project_id, &super::QUOTA, 1, settings)?;
        insert(tx, doer, ask, settings)
    }

    fn update(tx: &mut Tx, by: &By, allowed: &Allowed<Self>, ask: &Update) -> Result<Found> {
        let this = allowed.thing();
        let By { doer, .. } = by;
        let mut row = this.clone();
        if let Some(name) = &ask.name {
            if this.is_default && *name != this.name {
                return Err(Error::SecurityGroupCannotUpdateDefault { id: row.id.to_string() });
            }
            if !this.is_default && name.eq_ignore_ascii_case(DEFAULT) {
                return Err(Error::SecurityGroupDefaultAlreadyExists { project: row.project_id.to_string() });
            }
            row.name.clone_from(name);
        }
        if let Some(description) = &ask.description {
            row.description.clone_from(description);
        }
        if let Some(stateful) = ask.stateful.filter(|stateful| *stateful != this.stateful) {
            refuse_if_used(tx, this)?;
            row.stateful = stateful;
        }
        row.updated_at = Timestamp::now();
        row.generation += 1;
        tx.execute_cas(
            "UPDATE security_groups SET name = $2, description = $3, stateful = $4, updated_at = $5, generation = $6 \
             WHERE id = $1 AND generation = $7",
            &params![&row.id, &row.name, &row.description, row.stateful, row.updated_at, row.generation, this.generation],
        )?;
        keys::mark(tx, &keys::security_group(&row.id))?;
        doer.changed(tx, this, &row)?;
        row.with_rest_of_one(tx)
    }

    /// Deletes a group that no port is in, and with it the rules that name it: they would allow nobody any more.
    fn delete(tx: &mut Tx, by: &By, allowed: &Allowed<Self>) -> Result<()> {
        let this = allowed.thing();
        let By { doer, .. } = by;
        refuse_if_used(tx, this)?;
        for rule in rule::table::naming(tx, &this.id)? {
            rule::table::remove(tx, doer, &rule)?;
        }
        tag::forget(tx, this.id.as_str())?;
        tx.execute("DELETE FROM security_group_rules WHERE security_group_id = $1", &params![&this.id])?;
        tx.execute("DELETE FROM security_groups WHERE id = $1", &params![&this.id])?;
        keys::mark(tx, &keys::security_group(&this.id))?;
        doer.removed(tx, this)?;
        Ok(())
    }
}

/// The default group of a project: it lets its members reach each other and everything outside.
pub fn ensure_default(tx: &mut Tx, doer: &Doer, project: &ProjectId, settings: &Settings) -> Result<()> {
    // Ports of the cloud itself belong to no project.
    if project.as_str().is_empty() || has_default(tx, project)? {
        return Ok(());
    }
    let ask = Create {
        project_id: project.clone(),
        name: DEFAULT.to_owned(),
        description: "Default security group".to_owned(),
        stateful: true,
    };
    insert(tx, doer, &ask, settings).map(drop)
}

pub fn has_default(tx: &mut Tx, project: &ProjectId) -> Result<bool> {
    let sql = "SELECT 1 FROM security_groups WHERE project_id = $1 AND is_default = 1";
    Ok(tx.query_opt(sql, &params![project])?.is_some())
}

pub fn default_of(tx: &mut Tx, project: &ProjectId) -> Result<SecurityGroupId> {
    let sql = "SELECT id FROM security_groups WHERE project_id = $1 AND is_default = 1";
    let found = tx.query_opt(sql, &params![project])?;
    let found = found.ok_or_else(|| Error::SecurityGroupNotFound { id: DEFAULT.to_owned() })?;
    Ok(found.get(0)?)
}

fn insert(tx: &mut Tx, doer: &Doer, ask: &Create, settings: &Settings) -> Result<Found> {
    let now = Timestamp::now();
    let row = Row {
        id: SecurityGroupId::generate(),
        project_id: ask.project_id.clone(),
        name: ask.name.clone(),
        description: ask.description.clone(),
        stateful: ask.stateful,
        is_default: ask.name == DEFAULT,
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
            row.stateful,
            row.is_default,
            row.created_at,
            row.updated_at,
            row.generation,
        ],
    )?;
    let standard = standard_rules(&row);
    let more = i64::try_from(standard.len()).unwrap_or(i64::MAX);
    quota::take(tx, &row.project_id, &super::rule::QUOTA, more, settings)?;
    let rules = standard.iter().map(|says| rule::table::insert(tx, &row, "", says)).collect::<Result<Vec<_>>>()?;
    keys::mark(tx, &keys::security_group(&row.id))?;
    doer.made(tx, &row)?;
    Ok(Found { row, rules, tags: Vec::new() })
}

/// Everything may go out; into a default group, everything from the group itself may come in.
fn standard_rules(group: &Row) -> Vec<rule::Says> {
    let says = |direction: &str, ethertype: &str, remote: Option<&SecurityGroupId>| rule::Says {
        direction: direction.to_owned(),
        ethertype: ethertype.to_owned(),
        protocol: None,
        port_range_min: None,
        port_range_max: None,
        remote_group_id: remote.cloned(),
        remote_ip_prefix: None,
        remote_address_group_id: None,
    };
    let mut rules = vec![says("egress", "IPv4", None), says("egress", "IPv6", None)];
    if group.is_default {
        rules.extend(["IPv4", "IPv6"].map(|ethertype| says("ingress", ethertype, Some(&group.id))));
    }
    rules
}

fn refuse_if_used(tx: &mut Tx, row: &Row) -> Result<()> {
    let sql = "SELECT 1 FROM port_security_groups WHERE security_group_id = $1";
    match tx.query_opt(sql, &params![&row.id])? {
        Some(_) => Err(Error::SecurityGroupInUse { id: row.id.to_string() }),
        None => Ok(()),
    }
}
