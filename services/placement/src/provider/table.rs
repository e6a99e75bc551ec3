// SPDX-License-Identifier: Apache-2.0
//! The table of providers.

use std::collections::BTreeSet;

use serde::Serialize;
use store::{Actor, Change, Event, Row, Tx, params};
use types::{ProviderId, Timestamp};

use crate::{
    error::Error,
    inventory::{self, table::Inventories},
    names,
};

#[derive(Debug, Clone)]
pub struct Provider {
    pub id: ProviderId,
    pub name: String,
    pub generation: i64,
}

const COLUMNS: &str = "id, name, generation";

pub const GET: &str = "SELECT id, name, generation FROM placement_providers WHERE id = $1";

pub fn from_row(row: &Row) -> Result<Provider, store::Error> {
    Ok(Provider { id: ProviderId::new(row.get::<String>(0)?), name: row.get(1)?, generation: row.get(2)? })
}

pub fn list(tx: &mut Tx) -> Result<Vec<Provider>, Error> {
    let rows = tx.query(&format!("SELECT {COLUMNS} FROM placement_providers ORDER BY name"), &[])?;
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

pub fn get(tx: &mut Tx, id: &str) -> Result<Provider, Error> {
    let row = tx.query_opt(GET, &params![id])?;
    Ok(from_row(&row.ok_or_else(|| Error::NoProvider(id.to_owned()))?)?)
}

pub fn insert(tx: &mut Tx, actor: &Actor, id: &str, name: &str) -> Result<Provider, Error> {
    changing(tx, actor, "resource_provider.create", id, |tx| {
        let sql = "INSERT INTO placement_providers (id, name, generation, created_at, updated_at) VALUES ($1, $2, 0, $3, $3)";
        match tx.execute(sql, &params![id, name, Timestamp::now().micros()]) {
            Err(store::Error::Unique { .. }) => Err(Error::NameTaken(name.to_owned())),
            done => Ok(done.map(drop)?),
        }
    })?;
    get(tx, id)
}

pub fn rename(tx: &mut Tx, actor: &Actor, id: &str, name: &str) -> Result<Provider, Error> {
    changing(tx, actor, "resource_provider.update", id, |tx| {
        let sql = "UPDATE placement_providers SET name = $2, updated_at = $3 WHERE id = $1";
        match tx.execute(sql, &params![id, name, Timestamp::now().micros()]) {
            Err(store::Error::Unique { .. }) => Err(Error::NameTaken(name.to_owned())),
            done => Ok(done.map(drop)?),
        }
    })?;
    get(tx, id)
}

pub fn delete(tx: &mut Tx, actor: &Actor, id: &str) -> Result<(), Error> {
    get(tx, id)?;
    if tx.query_opt("SELECT 1 FROM placement_allocations WHERE provider_id = $1 LIMIT 1", &params![id])?.is_some() {
        return Err(Error::ProviderInUse(id.to_owned()));
    }
    changing(tx, actor, "resource_provider.delete", id, |tx| {
        tx.execute("DELETE FROM placement_inventories WHERE provider_id = $1", &params![id])?;
        tx.execute("DELETE FROM placement_traits WHERE provider_id = $1", &params![id])?;
        tx.execute("DELETE FROM placement_providers WHERE id = $1", &params![id])?;
        Ok(())
    })
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

/// Makes a change of a provider, or of what belongs to it, and records the whole before and after.
pub fn changing<T>(
    tx: &mut Tx,
    actor: &Actor,
    action: &str,
    id: &str,
    change: impl FnOnce(&mut Tx) -> Result<T, Error>,
) -> Result<T, Error> {
    let before = whole(tx, id)?;
    let done = change(tx)?;
    let change = Change { before, after: whole(tx, id)? };
    tx.record(Event::of(actor, action, ("resource_provider", id), &change)?)?;
    Ok(done)
}

/// A provider with all that belongs to it, as events show it.
#[derive(Serialize)]
struct Whole {
    id: ProviderId,
    name: String,
    inventories: Inventories,
    traits: BTreeSet<String>,
}

fn whole(tx: &mut Tx, id: &str) -> Result<Option<Whole>, Error> {
    let Provider { id, name, .. } = match get(tx, id) {
        Err(Error::NoProvider(_)) => return Ok(None),
        found => found?,
    };
    let (inventories, traits) = (inventory::table::of_provider(tx, id.as_str())?, names::table::traits_of(tx, id.as_str())?);
    Ok(Some(Whole { id, name, inventories, traits }))
}
