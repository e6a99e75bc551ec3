// SPDX-License-Identifier: Apache-2.0
//! The tables of roles and of their implications.

use std::collections::HashMap;

use access::{Allowed, Scope};
use store::{Actor, Row, Select, Tx, params};
use types::RoleId;

use super::{NewRole, Role, RoleUpdate};
use crate::{
    body::{merge, own_attributes, refuse_change},
    change,
    error::{Error, Result},
    options,
    power::{Cloud, Over},
};

const COLUMNS: &str = "id, name, domain_id, description, options, extra";

/// Every role by its id, and each prior role with those that it implies: both tables are small.
#[derive(Debug, Clone, Default)]
pub struct AllRoles {
    pub by_id: HashMap<RoleId, Role>,
    pub implications: Vec<(RoleId, RoleId)>,
}

impl AllRoles {
    pub fn load(tx: &mut Tx) -> Result<Self> {
        let roles: Vec<Role> = list(tx, &Select::new("roles", COLUMNS))?;
        let implications = implications(tx)?;
        Ok(Self { by_id: roles.into_iter().map(|role| (role.id.clone(), role)).collect(), implications })
    }

    /// These roles and all that they imply, directly or not, in order of discovery.
    pub fn closure(&self, roles: impl IntoIterator<Item = RoleId>) -> Vec<RoleId> {
        let mut found: Vec<RoleId> = vec![];
        let mut waiting: Vec<RoleId> = roles.into_iter().collect();
        waiting.reverse();
        while let Some(role) = waiting.pop() {
            if found.contains(&role) || !self.by_id.contains_key(&role) {
                continue;
            }
            waiting.extend(self.implications.iter().filter(|(prior, _)| *prior == role).map(|(_, implied)| implied.clone()));
            found.push(role);
        }
        found
    }
}

pub fn select(_: &Allowed<Scope>) -> Select {
    Select::new("roles", COLUMNS)
}

pub fn list(tx: &mut Tx, select: &Select) -> Result<Vec<Role>> {
    select.rows(tx)?.iter().map(read).collect()
}

pub fn get(tx: &mut Tx, id: &RoleId) -> Result<Role> {
    find(tx, id)?.ok_or_else(|| Error::not_found("role", id.as_str()))
}

pub fn find(tx: &mut Tx, id: &RoleId) -> Result<Option<Role>> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM roles WHERE id = $1"), &params![id])?;
    row.as_ref().map(read).transpose()
}

/// The cloud's own role of this name.
pub fn named(tx: &mut Tx, name: &str) -> Result<Option<Role>> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM roles WHERE name = $1 AND domain_id = ''"), &params![name])?;
    row.as_ref().map(read).transpose()
}

pub fn create(tx: &mut Tx, _: &Allowed<Scope>, actor: &Actor, new: &NewRole) -> Result<Role> {
    if let Some(domain) = &new.domain_id {
        tx.query_opt("SELECT 1 FROM domains WHERE id = $1", &params![domain])?
            .ok_or_else(|| Error::not_found("domain", domain.as_str()))?;
    }
    let role = Role {
        id: RoleId::generate(),
        name: new.name.as_str().to_owned(),
        domain_id: new.domain_id.clone(),
        description: new.description.clone(),
        options: new.options.kept(),
        extra: own_attributes(new.extra.clone()),
    };
    let sql = "INSERT INTO roles (id, name, domain_id, description, options, extra) VALUES ($1, $2, $3, $4, $5, $6)";
    let domain = role.domain_id.as_ref().map_or("", |domain| domain.as_str());
    let (options, extra) = documents(&role);
    tx.execute(sql, &params![&role.id, &role.name, domain, role.description.as_ref(), options, extra])
        .map_err(|error| Error::name_taken(error, "role", &role.name, ""))?;
    change::record(tx, actor, "role", role.id.as_str(), None, Some(&role))?;
    Ok(role)
}

/// A role is what rules call by its name, so that a new name may give those who have it anything.
pub fn update(tx: &mut Tx, _: &Allowed<Scope>, _: &Over<Cloud>, actor: &Actor, id: &RoleId, update: &RoleUpdate) -> Result<Role> {
    let before = get(tx, id)?;
    refuse_change("id", id.as_str(), &update.extra)?;
    if update.extra.get("domain_id").is_some_and(|asked| asked.as_str() != before.domain_id.as_ref().map(|own| own.as_str())) {
        return Err(Error::Invalid("The field 'domain_id' cannot be changed.".into()));
    }
    options::refuse_update("role", id.as_str(), &before.options, update.only_options())?;
    let mut role = before.clone();
    if let Some(name) = &update.name {
        role.name = name.as_str().to_owned();
    }
    if let Some(description) = &update.description {
        role.description = description.clone();
    }
    if let Some(options) = &update.options {
        options.apply(&mut role.options);
    }
    merge(&mut role.extra, update.extra.clone(), &["domain_id"]);
    let (options, extra) = documents(&role);
    let sql = "UPDATE roles SET name = $2, description = $3, options = $4, extra = $5 WHERE id = $1";
    tx.execute(sql, &params![id, &role.name, role.description.as_ref(), options, extra])
        .map_err(|error| Error::name_taken(error, "role", &role.name, ""))?;
    change::record(tx, actor, "role", id.as_str(), Some(&before), Some(&role))?;
    Ok(role)
}

pub fn delete(tx: &mut Tx, _: &Allowed<Scope>, _: &Over<Cloud>, actor: &Actor, id: &RoleId) -> Result<()> {
    let role = get(tx, id)?;
    options::refuse_delete("role", id.as_str(), &role.options)?;
    for sql in [
        "DELETE FROM role_assignments WHERE role_id = $1",
        "DELETE FROM implied_roles WHERE prior_role_id = $1 OR implied_role_id = $1",
        "DELETE FROM roles WHERE id = $1",
    ] {
        tx.execute(sql, &params![id])?;
    }
    change::record(tx, actor, "role", id.as_str(), Some(&role), None)
}

/// Pairs of a prior role and one that it implies.
pub fn implications(tx: &mut Tx) -> Result<Vec<(RoleId, RoleId)>> {
    let sql = "SELECT prior_role_id, implied_role_id FROM implied_roles ORDER BY prior_role_id, implied_role_id";
    tx.query(sql, &[])?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Makes one role imply another; that it does already is no error.
pub fn imply(tx: &mut Tx, _: &Allowed<Scope>, _: &Over<Cloud>, actor: &Actor, prior: &RoleId, implied: &RoleId) -> Result<()> {
    let sql = "INSERT INTO implied_roles (prior_role_id, implied_role_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    if tx.execute(sql, &params![prior, implied])? > 0 {
        let state = serde_json::json!({"prior_role_id": prior, "implied_role_id": implied});
        change::record(tx, actor, "implied_role", prior.as_str(), None, Some(&state))?;
    }
    Ok(())
}

pub fn imply_no_more(
    tx: &mut Tx,
    _: &Allowed<Scope>,
    _: &Over<Cloud>,
    actor: &Actor,
    prior: &RoleId,
    implied: &RoleId,
) -> Result<()> {
    let sql = "DELETE FROM implied_roles WHERE prior_role_id = $1 AND implied_role_id = $2";
    if tx.execute(sql, &params![prior, implied])? == 0 {
        return Err(not_implied(prior, implied));
    }
    let state = serde_json::json!({"prior_role_id": prior, "implied_role_id": implied});
    change::record(tx, actor, "implied_role", prior.as_str(), Some(&state), None)
}

pub fn not_implied(prior: &RoleId, implied: &RoleId) -> Error {
    Error::not_found("role inference", format!("{prior} does not imply {implied}"))
}

fn documents(role: &Role) -> (serde_json::Value, serde_json::Value) {
    (serde_json::Value::Object(role.options.clone()), serde_json::Value::Object(role.extra.clone()))
}

fn read(row: &Row) -> Result<Role> {
    let domain: String = row.get(2)?;
    Ok(Role {
        id: row.get(0)?,
        name: row.get(1)?,
        domain_id: if domain.is_empty() { None } else { Some(domain.into()) },
        description: row.get(3)?,
        options: row.json(4)?,
        extra: row.json(5)?,
    })
}
