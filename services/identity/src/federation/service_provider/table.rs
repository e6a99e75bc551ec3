// SPDX-License-Identifier: Apache-2.0
//! The table of service providers.

use access::{Allowed, Scope};
use store::{Actor, Row, Select, Tx, params};

use super::{Advertised, NewServiceProvider, ServiceProvider, ServiceProviderUpdate};
use crate::{
    change,
    error::{Error, Result},
};

const COLUMNS: &str = "id, auth_url, sp_url, description, enabled, relay_state_prefix";
const KIND: &str = "service_provider";
/// Keystone's default.
const RELAY_STATE_PREFIX: &str = "ss:mem:";

/// Service providers are the whole cloud's.
pub fn select(allowed: &Allowed<Scope>) -> Select {
    let select = Select::new("service_providers", COLUMNS);
    if allowed.scope().is_all() { select } else { select.condition("1 = 0") }
}

pub fn list(tx: &mut Tx, select: &Select) -> Result<Vec<ServiceProvider>> {
    select.rows(tx)?.iter().map(read).collect()
}

/// What tokens say.
pub fn advertised(tx: &mut Tx) -> Result<Vec<Advertised>> {
    let rows = tx.query("SELECT auth_url, id, sp_url FROM service_providers WHERE enabled = 1 ORDER BY id", &[])?;
    rows.iter().map(|row| Ok(Advertised { auth_url: row.get(0)?, id: row.get(1)?, sp_url: row.get(2)? })).collect()
}

pub fn get(tx: &mut Tx, allowed: &Allowed<Scope>, id: &str) -> Result<ServiceProvider> {
    let found = if allowed.scope().is_all() { find(tx, id)? } else { None };
    found.ok_or_else(|| Error::not_found("service provider", id))
}

/// The service provider, whoever asks: for assertions.
pub fn find(tx: &mut Tx, id: &str) -> Result<Option<ServiceProvider>> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM service_providers WHERE id = $1"), &params![id])?;
    row.as_ref().map(read).transpose()
}

pub fn create(tx: &mut Tx, _: &Allowed<Scope>, actor: &Actor, id: &str, new: &NewServiceProvider) -> Result<ServiceProvider> {
    let provider = ServiceProvider {
        id: id.to_owned(),
        auth_url: new.auth_url.0.clone(),
        sp_url: new.sp_url.0.clone(),
        description: new.description.clone(),
        enabled: new.enabled,
        relay_state_prefix: new.relay_state_prefix.clone().unwrap_or_else(|| RELAY_STATE_PREFIX.to_owned()),
    };
    if find(tx, id)?.is_some() {
        return Err(Error::conflict(KIND, format!("Duplicate entry: {id}")));
    }
    let sql = "INSERT INTO service_providers (id, auth_url, sp_url, description, enabled, relay_state_prefix) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    tx.execute(sql, &row(&provider))?;
    change::record(tx, actor, KIND, id, None, Some(&provider))?;
    Ok(provider)
}

pub fn update(
    tx: &mut Tx,
    allowed: &Allowed<Scope>,
    actor: &Actor,
    id: &str,
    update: &ServiceProviderUpdate,
) -> Result<ServiceProvider> {
    let before = get(tx, allowed, id)?;
    let mut provider = before.clone();
    if let Some(url) = &update.auth_url {
        provider.auth_url = url.0.clone();
    }
    if let Some(url) = &update.sp_url {
        provider.sp_url = url.0.clone();
    }
    if let Some(description) = &update.description {
        provider.description = description.clone();
    }
    if let Some(enabled) = update.enabled {
        provider.enabled = enabled;
    }
    if let Some(prefix) = &update.relay_state_prefix {
        provider.relay_state_prefix = prefix.clone().unwrap_or_else(|| RELAY_STATE_PREFIX.to_owned());
    }
    let sql = "UPDATE service_providers SET auth_url = $2, sp_url = $3, description = $4, enabled = $5, \
               relay_state_prefix = $6 WHERE id = $1";
    tx.execute(sql, &row(&provider))?;
    change::record(tx, actor, KIND, id, Some(&before), Some(&provider))?;
    Ok(provider)
}

pub fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &str) -> Result<()> {
    let provider = get(tx, allowed, id)?;
    tx.execute("DELETE FROM service_providers WHERE id = $1", &params![id])?;
    change::record(tx, actor, KIND, id, Some(&provider), None)
}

fn row(provider: &ServiceProvider) -> [store::Value; 6] {
    params![
        &provider.id,
        &provider.auth_url,
        &provider.sp_url,
        provider.description.as_ref(),
        provider.enabled,
        &provider.relay_state_prefix,
    ]
}

fn read(row: &Row) -> Result<ServiceProvider> {
    Ok(ServiceProvider {
        id: row.get(0)?,
        auth_url: row.get(1)?,
        sp_url: row.get(2)?,
        description: row.get(3)?,
        enabled: row.get(4)?,
        relay_state_prefix: row.get(5)?,
    })
}
