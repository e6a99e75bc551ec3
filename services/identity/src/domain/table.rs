// SPDX-License-Identifier: Apache-2.0
//! The table of domains.

use access::{Allowed, Scope};
use store::{Actor, Row, Select, Tx, params};
use types::DomainId;

use super::{DEFAULT_ID, Domain, DomainUpdate, NewDomain};
use crate::{
    body::{merge, own_attributes, refuse_change},
    change,
    error::{Error, Result},
    options,
    power::{Cloud, Over},
};

const COLUMNS: &str = "id, name, description, enabled, options, extra";

/// All domains, or the one that the caller may see.
pub fn select(allowed: &Allowed<Scope>) -> Select {
    let select = Select::new("domains", COLUMNS);
    match allowed.scope() {
        Scope::All => select,
        Scope::Domain(own) => select.scope("id = ", own),
        Scope::Project(_) | Scope::User { .. } => select.condition("1 = 0"),
    }
}

pub fn list(tx: &mut Tx, select: &Select) -> Result<Vec<Domain>> {
    select.rows(tx)?.iter().map(read).collect()
}

pub fn get(tx: &mut Tx, allowed: &Allowed<Scope>, id: &DomainId) -> Result<Domain> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM domains WHERE id = $1"), &params![id])?;
    let domain = row.as_ref().map(read).transpose()?;
    let admitted = domain.filter(|domain| allowed.scope().admits_domain(&domain.id));
    admitted.ok_or_else(|| Error::out_of_reach(allowed, "domain", id.as_str()))
}

pub fn create(tx: &mut Tx, _: &Allowed<Scope>, _: &Over<Cloud>, actor: &Actor, id: DomainId, new: &NewDomain) -> Result<Domain> {
    let domain = Domain {
        id,
        name: new.name.as_str().to_owned(),
        description: new.description.clone().unwrap_or_default(),
        enabled: new.enabled,
        tags: [],
        options: new.options.kept(),
        extra: own_attributes(new.extra.clone()),
    };
    let sql = "INSERT INTO domains (id, name, description, enabled, options, extra) VALUES ($1, $2, $3, $4, $5, $6)";
    let (options, extra) = documents(&domain);
    tx.execute(sql, &params![&domain.id, &domain.name, &domain.description, domain.enabled, options, extra])
        .map_err(|error| Error::name_taken(error, "domain", &domain.name, ""))?;
    change::record(tx, actor, "domain", domain.id.as_str(), None, Some(&domain))?;
    Ok(domain)
}

pub fn update(
    tx: &mut Tx,
    allowed: &Allowed<Scope>,
    _: &Over<Cloud>,
    actor: &Actor,
    id: &DomainId,
    update: &DomainUpdate,
) -> Result<Domain> {
    let before = get(tx, allowed, id)?;
    refuse_change("id", id.as_str(), &update.extra)?;
    options::refuse_update("domain", id.as_str(), &before.options, update.only_options())?;
    let mut domain = before.clone();
    if let Some(name) = &update.name {
        domain.name = name.as_str().to_owned();
    }
    if let Some(description) = &update.description {
        domain.description = description.clone().unwrap_or_default();
    }
    if let Some(enabled) = update.enabled {
        if !enabled && id.as_str() == DEFAULT_ID {
            return Err(Error::Forbidden("The default domain holds the cloud's administrators and stays enabled.".into()));
        }
        domain.enabled = enabled;
    }
    if let Some(options) = &update.options {
        options.apply(&mut domain.options);
    }
    merge(&mut domain.extra, update.extra.clone(), &[]);
    let sql = "UPDATE domains SET name = $2, description = $3, enabled = $4, options = $5, extra = $6 WHERE id = $1";
    let (options, extra) = documents(&domain);
    tx.execute(sql, &params![id, &domain.name, &domain.description, domain.enabled, options, extra])
        .map_err(|error| Error::name_taken(error, "domain", &domain.name, ""))?;
    change::record(tx, actor, "domain", id.as_str(), Some(&before), Some(&domain))?;
    Ok(domain)
}

/// Deletes a disabled domain with all that it holds.
pub fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, _: &Over<Cloud>, actor: &Actor, id: &DomainId) -> Result<()> {
    let domain = get(tx, allowed, id)?;
    options::refuse_delete("domain", id.as_str(), &domain.options)?;
    if domain.enabled {
        return Err(Error::Forbidden("Cannot delete a domain that is enabled, please disable it first.".into()));
    }
    let users = "SELECT id FROM users WHERE domain_id = $1";
    let projects = "SELECT id FROM projects WHERE domain_id = $1";
    let groups = "SELECT id FROM user_groups WHERE domain_id = $1";
    let roles = "SELECT id FROM roles WHERE domain_id = $1";
    for statement in [
        format!("DELETE FROM former_passwords WHERE user_id IN ({users})"),
        format!("DELETE FROM used_passcodes WHERE user_id IN ({users})"),
        format!("DELETE FROM application_credentials WHERE user_id IN ({users}) OR project_id IN ({projects})"),
        format!("DELETE FROM role_assignments WHERE actor_kind = 'user' AND actor_id IN ({users})"),
        format!("DELETE FROM role_assignments WHERE actor_kind = 'group' AND actor_id IN ({groups})"),
        format!("DELETE FROM role_assignments WHERE target_kind = 'project' AND target_id IN ({projects})"),
        "DELETE FROM role_assignments WHERE target_kind = 'domain' AND target_id = $1".to_owned(),
        format!("DELETE FROM role_assignments WHERE role_id IN ({roles})"),
        format!("DELETE FROM implied_roles WHERE prior_role_id IN ({roles}) OR implied_role_id IN ({roles})"),
        format!("DELETE FROM limits WHERE domain_id = $1 OR project_id IN ({projects})"),
        format!("DELETE FROM group_members WHERE user_id IN ({users}) OR group_id IN ({groups})"),
        "DELETE FROM user_groups WHERE domain_id = $1".to_owned(),
        "DELETE FROM users WHERE domain_id = $1".to_owned(),
        "DELETE FROM roles WHERE domain_id = $1".to_owned(),
        // Children before parents: each parent of this domain lies in this domain too.
        "UPDATE projects SET parent_id = NULL WHERE domain_id = $1".to_owned(),
        "DELETE FROM projects WHERE domain_id = $1".to_owned(),
        "DELETE FROM domains WHERE id = $1".to_owned(),
    ] {
        tx.execute(&statement, &params![id])?;
    }
    change::record(tx, actor, "domain", id.as_str(), Some(&domain), None)
}

fn documents(domain: &Domain) -> (serde_json::Value, serde_json::Value) {
    (serde_json::Value::Object(domain.options.clone()), serde_json::Value::Object(domain.extra.clone()))
}

fn read(row: &Row) -> Result<Domain> {
    Ok(Domain {
        id: row.get(0)?,
        name: row.get(1)?,
        description: row.get(2)?,
        enabled: row.get(3)?,
        tags: [],
        options: row.json(4)?,
        extra: row.json(5)?,
    })
}
