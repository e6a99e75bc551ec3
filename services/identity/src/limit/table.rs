// SPDX-License-Identifier: Apache-2.0
//! The table of limits.

use std::collections::HashMap;

use access::{Allowed, Scope};
use contracts::caller::{Caller, TokenScope};
use store::{Actor, Row, Select, Tx, Value, params};
use types::{DomainId, ProjectId};

use super::{Limit, LimitUpdate, NewLimit};
use crate::{
    catalog, change,
    error::{Error, Result},
    registered_limit::{Amount, table as registered_limits},
};

const COLUMNS: &str = "id, service_id, region_id, resource_name, project_id, domain_id, resource_limit, description";

/// The limits that the caller may see. The policy admits everybody; what it means depends on the token: the cloud's own
/// people and services see all, others those of their domain or project.
pub fn select(_: &Allowed<Scope>, caller: &Caller) -> Select {
    let select = Select::new("limits", COLUMNS);
    if caller.scope == TokenScope::System || caller.has_role("admin") || caller.has_role("service") {
        return select;
    }
    match &caller.scope {
        TokenScope::Domain(domain) => select.condition_with(
            "(domain_id = ? OR project_id IN (SELECT id FROM projects WHERE domain_id = ?))",
            vec![(&domain.id).into(), (&domain.id).into()],
        ),
        TokenScope::Project(project) => select.scope("project_id = ", &project.id),
        TokenScope::Unscoped | TokenScope::System => select.condition("1 = 0"),
    }
}

pub fn list(tx: &mut Tx, select: &Select) -> Result<Vec<Limit>> {
    select.rows(tx)?.iter().map(read).collect()
}

/// The limits of these projects, by project.
pub fn of_projects<'a>(tx: &mut Tx, ids: impl Iterator<Item = &'a ProjectId>) -> Result<HashMap<ProjectId, Vec<Limit>>> {
    let ids: Vec<Value> = ids.map(Value::from).collect();
    let mut of: HashMap<ProjectId, Vec<Limit>> = HashMap::new();
    if ids.is_empty() {
        return Ok(of);
    }
    let places: Vec<String> = (1..=ids.len()).map(|place| format!("${place}")).collect();
    let sql = format!("SELECT {COLUMNS} FROM limits WHERE project_id IN ({}) ORDER BY id", places.join(", "));
    for row in tx.query(&sql, &ids)? {
        let limit = read(&row)?;
        if let Some(project) = limit.project_id.clone() {
            of.entry(project).or_default().push(limit);
        }
    }
    Ok(of)
}

/// The limit, whoever asks: for targets of policies.
pub fn find(tx: &mut Tx, id: &str) -> Result<Option<Limit>> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM limits WHERE id = $1"), &params![id])?;
    row.as_ref().map(read).transpose()
}

pub fn create(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, new: &NewLimit) -> Result<Limit> {
    catalog::refuse_unknown(tx, allowed, &new.service_id, new.region_id.as_deref())?;
    let (project_id, domain_id) = holder(tx, new)?;
    let registered =
        registered_limits::of_resource(tx, &new.service_id, new.region_id.as_deref(), new.resource_name.as_str())?
            .ok_or_else(|| Error::Forbidden("Unable to create a limit that has no corresponding registered limit.".to_owned()))?;
    let limit = Limit {
        id: uuid::Uuid::new_v4().simple().to_string(),
        service_id: registered.service_id,
        region_id: registered.region_id,
        resource_name: registered.resource_name,
        project_id,
        domain_id,
        resource_limit: new.resource_limit,
        description: new.description.clone(),
    };
    let sql = "INSERT INTO limits (id, registered_limit_id, service_id, region_id, resource_name, project_id, domain_id, \
               resource_limit, description) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let row = params![
        &limit.id,
        registered.id,
        &limit.service_id,
        limit.region_id.as_deref().unwrap_or_default(),
        &limit.resource_name,
        limit.project_id.as_ref().map_or("", ProjectId::as_str),
        limit.domain_id.as_ref().map_or("", DomainId::as_str),
        limit.resource_limit.0,
        limit.description.as_ref(),
    ];
    tx.execute(sql, &row).map_err(taken)?;
    change::record(tx, actor, "limit", &limit.id, None, Some(&limit))?;
    Ok(limit)
}

pub fn update(tx: &mut Tx, _: &Allowed<Scope>, actor: &Actor, id: &str, update: &LimitUpdate) -> Result<Limit> {
    let before = find(tx, id)?.ok_or_else(|| Error::not_found("limit", id))?;
    let mut limit = before.clone();
    if let Some(amount) = update.resource_limit {
        limit.resource_limit = amount;
    }
    if let Some(description) = &update.description {
        limit.description = description.clone();
    }
    let sql = "UPDATE limits SET resource_limit = $2, description = $3 WHERE id = $1";
    tx.execute(sql, &params![id, limit.resource_limit.0, limit.description.as_ref()])?;
    change::record(tx, actor, "limit", id, Some(&before), Some(&limit))?;
    Ok(limit)
}

pub fn delete(tx: &mut Tx, _: &Allowed<Scope>, actor: &Actor, id: &str) -> Result<()> {
    let limit = find(tx, id)?.ok_or_else(|| Error::not_found("limit", id))?;
    tx.execute("DELETE FROM limits WHERE id = $1", &params![id])?;
    change::record(tx, actor, "limit", id, Some(&limit), None)
}

/// Whom a new limit is for. A domain is also a project, and may be named as one.
fn holder(tx: &mut Tx, new: &NewLimit) -> Result<(Option<ProjectId>, Option<DomainId>)> {
    match (&new.project_id, &new.domain_id) {
        (Some(project), None) => {
            if tx.query_opt("SELECT 1 FROM projects WHERE id = $1", &params![project])?.is_some() {
                return Ok((Some(project.clone()), None));
            }
            let domain = DomainId::from(project.as_str());
            let known = tx.query_opt("SELECT 1 FROM domains WHERE id = $1", &params![&domain])?.is_some();
            if known { Ok((None, Some(domain))) } else { Err(Error::in_body(Error::not_found("project", project.as_str()))) }
        }
        (None, Some(domain)) => {
            let known = tx.query_opt("SELECT 1 FROM domains WHERE id = $1", &params![domain])?.is_some();
            if known {
                Ok((None, Some(domain.clone())))
            } else {
                Err(Error::in_body(Error::not_found("domain", domain.as_str())))
            }
        }
        _ => Err(Error::Invalid("A limit is for exactly one of project_id and domain_id.".to_owned())),
    }
}

fn taken(error: store::Error) -> Error {
    if error.is_unique("registered_limit_id") { Error::conflict("limit", "Duplicate entry") } else { error.into() }
}

fn read(row: &Row) -> Result<Limit> {
    let there = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(Limit {
        id: row.get(0)?,
        service_id: row.get(1)?,
        region_id: there(row.get(2)?),
        resource_name: row.get(3)?,
        project_id: there(row.get(4)?).map(Into::into),
        domain_id: there(row.get(5)?).map(Into::into),
        resource_limit: Amount(row.get(6)?),
        description: row.get(7)?,
    })
}
