// SPDX-License-Identifier: Apache-2.0
//! The table of providers.

use store::{Actor, Event, Row, Tx, params};
use types::{ProviderId, Timestamp};

use crate::error::Error;

#[derive(Debug, Clone)]
pub struct Provider {
    pub id: ProviderId,
    pub name: String,
    pub generation: i64,
}

const COLUMNS: &str = "id, name, generation";

fn from_row(row: &Row) -> Result<Provider, store::Error> {
    Ok(Provider { id: ProviderId::new(row.get::<String>(0)?), name: row.get(1)?, generation: row.get(2)? })
}

pub fn list(tx: &mut Tx) -> Result<Vec<Provider>, Error> {
    let rows = tx.query(&format!("SELECT {COLUMNS} FROM placement_providers ORDER BY name"), &[])?;
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

pub fn get(tx: &mut Tx, id: &str) -> Result<Provider, Error> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM placement_providers WHERE id = $1"), &params![id])?;
    Ok(from_row(&row.ok_or_else(|| Error::NoProvider(id.to_owned()))?)?)
}

pub fn insert(tx: &mut Tx, actor: &Actor, id: &str, name: &str) -> Result<Provider, Error> {
    let now = Timestamp::now().micros();
    let done = tx.execute(
        "INSERT INTO placement_providers (id, name, generation, created_at, updated_at) VALUES ($1, $2, 0, $3, $3)",
        &params![id, name, now],
    );
    match done {
        Err(store::Error::Unique { .. }) => return Err(Error::NameTaken(name.to_owned())),
        other => other?,
    };
    record(tx, actor, "resource_provider.create", id)?;
    get(tx, id)
}

pub fn rename(tx: &mut Tx, actor: &Actor, id: &str, name: &str) -> Result<Provider, Error> {
    let done = tx.execute(
        "UPDATE placement_providers SET name = $2, updated_at = $3 WHERE id = $1",
        &params![id, name, Timestamp::now().micros()],
    );
    match done {
        Err(store::Error::Unique { .. }) => return Err(Error::NameTaken(name.to_owned())),
        other => other?,
    };
    record(tx, actor, "resource_provider.update", id)?;
    get(tx, id)
}

pub fn delete(tx: &mut Tx, actor: &Actor, id: &str) -> Result<(), Error> {
    get(tx, id)?;
    if tx.query_opt("SELECT 1 FROM placement_allocations WHERE provider_id = $1 LIMIT 1", &params![id])?.is_some() {
        return Err(Error::ProviderInUse(id.to_owned()));
    }
    tx.execute("DELETE FROM placement_inventories WHERE provider_id = $1", &params![id])?;
    tx.execute("DELETE FROM placement_traits WHERE provider_id = $1", &params![id])?;
    tx.execute("DELETE FROM placement_providers WHERE id = $1", &params![id])?;
    record(tx, actor, "resource_provider.delete", id)
}

/// Raises the generation that the writer read; if another raised it first, nothing of this transaction stands.
pub fn raise_generation(tx: &mut Tx, id: &str, read: i64) -> Result<i64, Error> {
    tx.execute_cas(
        "UPDATE placement_providers SET generation = generation + 1, updated_at = $3 WHERE id = $1 AND generation = $2",
        &params![id, read, Timestamp::now().micros()],
    )
    .map_err(|error| if matches!(error, store::Error::Conflict) { Error::Generation } else { error.into() })?;
    Ok(read + 1)
}

pub fn record(tx: &mut Tx, actor: &Actor, action: &str, id: &str) -> Result<(), Error> {
    Ok(tx.record(Event {
        actor: actor.clone(),
        action: action.to_owned(),
        resource_type: "resource_provider",
        resource_id: id.to_owned(),
        project_id: None,
        before: None,
        after: None,
    })?)
}
