// SPDX-License-Identifier: Apache-2.0
//! The tables of identity providers and of their remote ids.

use std::collections::HashMap;

use access::{Allowed, Scope};
use store::{Actor, Row, Select, Tx, params};
use types::DomainId;

use super::{IdentityProvider, NewProvider, ProviderUpdate};
use crate::{
    body::{Extra, Name},
    change,
    domain::{NewDomain, table as domains},
    error::{Error, Result},
    options::ResourceOptions,
    power::{Cloud, Over},
};

const COLUMNS: &str = "id, domain_id, enabled, description, authorization_ttl";
const KIND: &str = "identity_provider";
const LONGEST_REMOTE_ID: usize = 255;

/// Identity providers are the whole cloud's.
pub fn select(allowed: &Allowed<Scope>) -> Select {
    let select = Select::new("identity_providers", COLUMNS);
    if allowed.scope().is_all() { select } else { select.condition("1 = 0") }
}

pub fn list(tx: &mut Tx, select: &Select) -> Result<Vec<IdentityProvider>> {
    let mut remote_ids: HashMap<String, Vec<String>> = HashMap::new();
    for row in tx.query("SELECT provider_id, remote_id FROM identity_provider_remote_ids ORDER BY remote_id", &[])? {
        remote_ids.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    let read = |row: &Row| {
        let id: String = row.get(0)?;
        let remote_ids = remote_ids.remove(&id).unwrap_or_default();
        read(row, remote_ids)
    };
    select.rows(tx)?.iter().map(read).collect()
}

pub fn get(tx: &mut Tx, allowed: &Allowed<Scope>, id: &str) -> Result<IdentityProvider> {
    let found = if allowed.scope().is_all() { find(tx, id)? } else { None };
    found.ok_or_else(|| not_found(id))
}

/// The identity provider, whoever asks: for logins.
pub fn find(tx: &mut Tx, id: &str) -> Result<Option<IdentityProvider>> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM identity_providers WHERE id = $1"), &params![id])?;
    let Some(row) = row else { return Ok(None) };
    let sql = "SELECT remote_id FROM identity_provider_remote_ids WHERE provider_id = $1 ORDER BY remote_id";
    let remote_ids: Result<_, _> = tx.query(sql, &params![id])?.iter().map(|row| row.get(0)).collect();
    read(&row, remote_ids?).map(Some)
}

pub fn create(
    tx: &mut Tx,
    allowed: &Allowed<Scope>,
    over: &Over<Cloud>,
    actor: &Actor,
    id: &str,
    new: &NewProvider,
) -> Result<IdentityProvider> {
    if tx.query_opt("SELECT 1 FROM identity_providers WHERE id = $1", &params![id])?.is_some() {
        return Err(Error::conflict(KIND, format!("Duplicate entry: {id}")));
    }
    let domain_id = match &new.domain_id {
        Some(domain_id) => domains::get(tx, allowed, domain_id)?.id,
        None => create_domain(tx, allowed, over, actor, id)?,
    };
    let provider = IdentityProvider {
        id: id.to_owned(),
        domain_id,
        enabled: new.enabled,
        description: new.description.clone(),
        remote_ids: sorted(new.remote_ids.clone().unwrap_or_default())?,
        authorization_ttl: new.authorization_ttl,
    };
    let sql =
        "INSERT INTO identity_providers (id, domain_id, enabled, description, authorization_ttl) VALUES ($1, $2, $3, $4, $5)";
    let row = params![id, &provider.domain_id, provider.enabled, provider.description.as_ref(), provider.authorization_ttl];
    tx.execute(sql, &row)?;
    add_remote_ids(tx, &provider)?;
    change::record(tx, actor, KIND, id, None, Some(&provider))?;
    Ok(provider)
}

pub fn update(
    tx: &mut Tx,
    allowed: &Allowed<Scope>,
    _: &Over<Cloud>,
    actor: &Actor,
    id: &str,
    update: &ProviderUpdate,
) -> Result<IdentityProvider> {
    let before = get(tx, allowed, id)?;
    let mut provider = before.clone();
    if let Some(enabled) = update.enabled {
        provider.enabled = enabled;
    }
    if let Some(description) = &update.description {
        provider.description = description.clone();
    }
    if let Some(minutes) = update.authorization_ttl {
        provider.authorization_ttl = minutes;
    }
    if let Some(remote_ids) = &update.remote_ids {
        provider.remote_ids = sorted(remote_ids.clone().unwrap_or_default())?;
        tx.execute("DELETE FROM identity_provider_remote_ids WHERE provider_id = $1", &params![id])?;
        add_remote_ids(tx, &provider)?;
    }
    let sql = "UPDATE identity_providers SET enabled = $2, description = $3, authorization_ttl = $4 WHERE id = $1";
    tx.execute(sql, &params![id, provider.enabled, provider.description.as_ref(), provider.authorization_ttl])?;
    change::record(tx, actor, KIND, id, Some(&before), Some(&provider))?;
    Ok(provider)
}

/// Its protocols go with it, and what ties people to it; the people and their domain stay.
pub fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, _: &Over<Cloud>, actor: &Actor, id: &str) -> Result<()> {
    let provider = get(tx, allowed, id)?;
    tx.execute("DELETE FROM identity_providers WHERE id = $1", &params![id])?;
    change::record(tx, actor, KIND, id, Some(&provider), None)
}

pub fn not_found(id: &str) -> Error {
    Error::not_found("Identity Provider", id)
}

fn create_domain(tx: &mut Tx, allowed: &Allowed<Scope>, over: &Over<Cloud>, actor: &Actor, provider: &str) -> Result<DomainId> {
    let id = DomainId::generate();
    let new = NewDomain {
        name: Name::parse(id.as_str()).map_err(Error::Invalid)?,
        description: Some(format!("Auto generated federated domain for Identity Provider: {provider}")),
        enabled: true,
        options: ResourceOptions::default(),
        extra: Extra::new(),
    };
    Ok(domains::create(tx, allowed, over, actor, id, &new)?.id)
}

fn sorted(mut remote_ids: Vec<String>) -> Result<Vec<String>> {
    remote_ids.sort();
    if remote_ids.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::Invalid("Invalid input for field 'remote_ids': each is named once.".into()));
    }
    if remote_ids.iter().any(|id| id.is_empty() || id.chars().count() > LONGEST_REMOTE_ID) {
        let message = format!("Invalid input for field 'remote_ids': each has 1 to {LONGEST_REMOTE_ID} characters.");
        return Err(Error::Invalid(message));
    }
    Ok(remote_ids)
}

fn add_remote_ids(tx: &mut Tx, provider: &IdentityProvider) -> Result<()> {
    let sql = "INSERT INTO identity_provider_remote_ids (remote_id, provider_id) VALUES ($1, $2)";
    for remote_id in &provider.remote_ids {
        tx.execute(sql, &params![remote_id, &provider.id]).map_err(|error| {
            if error.is_unique("remote_id") {
                return Error::conflict(KIND, format!("Duplicate remote ID: {remote_id}"));
            }
            error.into()
        })?;
    }
    Ok(())
}

fn read(row: &Row, remote_ids: Vec<String>) -> Result<IdentityProvider> {
    Ok(IdentityProvider {
        id: row.get(0)?,
        domain_id: row.get(1)?,
        enabled: row.get(2)?,
        description: row.get(3)?,
        authorization_ttl: row.get(4)?,
        remote_ids,
    })
}
