// SPDX-License-Identifier: Apache-2.0
//! The table of services.

use access::{Allowed, Scope};
use store::{Actor, Row, Select, Tx, params};
use types::ServiceId;

use super::{NewService, Service, ServiceUpdate};
use crate::{
    body::{merge, own_attributes, refuse_change},
    change,
    error::{Error, Result},
    registered_limit::table as registered_limits,
};

const COLUMNS: &str = "id, type, name, description, enabled, extra";

pub fn select(_: &Allowed<Scope>) -> Select {
    Select::new("catalog_services", COLUMNS)
}

pub fn list(tx: &mut Tx, select: &Select) -> Result<Vec<Service>> {
    select.rows(tx)?.iter().map(read).collect()
}

pub fn get(tx: &mut Tx, _: &Allowed<Scope>, id: &ServiceId) -> Result<Service> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM catalog_services WHERE id = $1"), &params![id])?;
    row.as_ref().map(read).transpose()?.ok_or_else(|| Error::not_found("service", id.as_str()))
}

pub fn create(tx: &mut Tx, _: &Allowed<Scope>, actor: &Actor, new: &NewService) -> Result<Service> {
    let service = Service {
        id: ServiceId::generate(),
        kind: new.kind.as_str().to_owned(),
        name: new.name.clone().unwrap_or_default(),
        description: new.description.clone(),
        enabled: new.enabled,
        extra: own_attributes(new.extra.clone()),
    };
    let sql = "INSERT INTO catalog_services (id, type, name, description, enabled, extra) VALUES ($1, $2, $3, $4, $5, $6)";
    let extra = serde_json::Value::Object(service.extra.clone());
    let description = service.description.as_ref();
    tx.execute(sql, &params![&service.id, &service.kind, &service.name, description, service.enabled, extra])?;
    change::record(tx, actor, "catalog_service", service.id.as_str(), None, Some(&service))?;
    Ok(service)
}

pub fn update(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &ServiceId, update: &ServiceUpdate) -> Result<Service> {
    let before = get(tx, allowed, id)?;
    refuse_change("id", id.as_str(), &update.extra)?;
    let mut service = before.clone();
    if let Some(kind) = &update.kind {
        service.kind = kind.as_str().to_owned();
    }
    if let Some(name) = &update.name {
        service.name = name.clone().unwrap_or_default();
    }
    if let Some(description) = &update.description {
        service.description = description.clone();
    }
    if let Some(enabled) = update.enabled {
        service.enabled = enabled;
    }
    merge(&mut service.extra, update.extra.clone(), &[]);
    let sql = "UPDATE catalog_services SET type = $2, name = $3, description = $4, enabled = $5, extra = $6 WHERE id = $1";
    let extra = serde_json::Value::Object(service.extra.clone());
    tx.execute(sql, &params![id, &service.kind, &service.name, service.description.as_ref(), service.enabled, extra])?;
    change::record(tx, actor, "catalog_service", id.as_str(), Some(&before), Some(&service))?;
    Ok(service)
}

/// Its endpoints and its limits go with it.
pub fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &ServiceId) -> Result<()> {
    let service = get(tx, allowed, id)?;
    registered_limits::delete_of_service(tx, id)?;
    let policies = "DELETE FROM policy_associations WHERE service_id = $1 \
                    OR endpoint_id IN (SELECT id FROM catalog_endpoints WHERE service_id = $1)";
    tx.execute(policies, &params![id])?;
    tx.execute("DELETE FROM catalog_endpoints WHERE service_id = $1", &params![id])?;
    tx.execute("DELETE FROM catalog_services WHERE id = $1", &params![id])?;
    change::record(tx, actor, "catalog_service", id.as_str(), Some(&service), None)
}

fn read(row: &Row) -> Result<Service> {
    let name: Option<String> = row.get(2)?;
    Ok(Service {
        id: row.get(0)?,
        kind: row.get(1)?,
        name: name.unwrap_or_default(),
        description: row.get(3)?,
        enabled: row.get(4)?,
        extra: row.json(5)?,
    })
}
