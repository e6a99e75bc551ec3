// SPDX-License-Identifier: Apache-2.0
//! The table of registered limits.

use access::{Allowed, Scope};
use store::{Actor, Row, Select, Tx, Value, params};
use types::ServiceId;

use super::{Amount, NewRegisteredLimit, RegisteredLimit, RegisteredLimitUpdate};
use crate::{
    catalog, change,
    error::{Error, Result},
};

const COLUMNS: &str = "id, service_id, region_id, resource_name, default_limit, description";

pub fn select(_: &Allowed<Scope>) -> Select {
    Select::new("registered_limits", COLUMNS)
}

pub fn list(tx: &mut Tx, select: &Select) -> Result<Vec<RegisteredLimit>> {
    select.rows(tx)?.iter().map(read).collect()
}

pub fn get(tx: &mut Tx, _: &Allowed<Scope>, id: &str) -> Result<RegisteredLimit> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM registered_limits WHERE id = $1"), &params![id])?;
    row.as_ref().map(read).transpose()?.ok_or_else(|| Error::not_found("registered limit", id))
}

/// The one of which limits may be made.
pub fn of_resource(tx: &mut Tx, service: &ServiceId, region: Option<&str>, name: &str) -> Result<Option<RegisteredLimit>> {
    let sql = format!("SELECT {COLUMNS} FROM registered_limits WHERE service_id = $1 AND region_id = $2 AND resource_name = $3");
    let row = tx.query_opt(&sql, &params![service, region.unwrap_or_default(), name])?;
    row.as_ref().map(read).transpose()
}

pub fn create(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, new: &NewRegisteredLimit) -> Result<RegisteredLimit> {
    let limit = RegisteredLimit {
        id: uuid::Uuid::new_v4().simple().to_string(),
        service_id: new.service_id.clone(),
        region_id: new.region_id.clone(),
        resource_name: new.resource_name.as_str().to_owned(),
        default_limit: new.default_limit,
        description: new.description.clone(),
    };
    catalog::refuse_unknown(tx, allowed, &limit.service_id, limit.region_id.as_deref())?;
    let sql = "INSERT INTO registered_limits (id, service_id, region_id, resource_name, default_limit, description) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    tx.execute(sql, &row(&limit)).map_err(taken)?;
    change::record(tx, actor, "registered_limit", &limit.id, None, Some(&limit))?;
    Ok(limit)
}

pub fn update(
    tx: &mut Tx,
    allowed: &Allowed<Scope>,
    actor: &Actor,
    id: &str,
    update: &RegisteredLimitUpdate,
) -> Result<RegisteredLimit> {
    let before = get(tx, allowed, id)?;
    refuse_used(tx, id)?;
    let mut limit = before.clone();
    if let Some(service) = &update.service_id {
        limit.service_id = service.clone();
    }
    if let Some(region) = &update.region_id {
        limit.region_id = region.clone();
    }
    if let Some(name) = &update.resource_name {
        limit.resource_name = name.as_str().to_owned();
    }
    if let Some(amount) = update.default_limit {
        limit.default_limit = amount;
    }
    if let Some(description) = &update.description {
        limit.description = description.clone();
    }
    catalog::refuse_unknown(tx, allowed, &limit.service_id, limit.region_id.as_deref())?;
    let sql = "UPDATE registered_limits SET service_id = $2, region_id = $3, resource_name = $4, default_limit = $5, \
               description = $6 WHERE id = $1";
    tx.execute(sql, &row(&limit)).map_err(taken)?;
    change::record(tx, actor, "registered_limit", id, Some(&before), Some(&limit))?;
    Ok(limit)
}

pub fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &str) -> Result<()> {
    let limit = get(tx, allowed, id)?;
    refuse_used(tx, id)?;
    tx.execute("DELETE FROM registered_limits WHERE id = $1", &params![id])?;
    change::record(tx, actor, "registered_limit", id, Some(&limit), None)
}

/// What a service that goes takes with it.
pub fn delete_of_service(tx: &mut Tx, service: &ServiceId) -> Result<()> {
    tx.execute("DELETE FROM limits WHERE service_id = $1", &params![service])?;
    tx.execute("DELETE FROM registered_limits WHERE service_id = $1", &params![service])?;
    Ok(())
}

fn refuse_used(tx: &mut Tx, id: &str) -> Result<()> {
    if tx.query_opt("SELECT 1 FROM limits WHERE registered_limit_id = $1 LIMIT 1", &params![id])?.is_some() {
        return Err(Error::Forbidden(format!(
            "Unable to update or delete registered limit {id}: there are limits of projects or domains that deviate from it."
        )));
    }
    Ok(())
}

fn taken(error: store::Error) -> Error {
    if error.is_unique("resource_name") { Error::conflict("registered_limit", "Duplicate entry") } else { error.into() }
}

fn row(limit: &RegisteredLimit) -> [Value; 6] {
    params![
        &limit.id,
        &limit.service_id,
        limit.region_id.as_deref().unwrap_or_default(),
        &limit.resource_name,
        limit.default_limit.0,
        limit.description.as_ref(),
    ]
}

fn read(row: &Row) -> Result<RegisteredLimit> {
    let region: String = row.get(2)?;
    Ok(RegisteredLimit {
        id: row.get(0)?,
        service_id: row.get(1)?,
        region_id: Some(region).filter(|region| !region.is_empty()),
        resource_name: row.get(3)?,
        default_limit: Amount(row.get(4)?),
        description: row.get(5)?,
    })
}
