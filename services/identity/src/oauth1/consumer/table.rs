// SPDX-License-Identifier: Apache-2.0
//! The table of consumers.

use access::{Allowed, Scope, keys::KeyRing};
use serde_json::Value;
use store::{Actor, Row, Tx, params};
use types::Secret;

use super::{Consumer, ConsumerUpdate};
use crate::{
    body::{merge, refuse_change},
    change,
    error::{Error, Result},
    oauth1::{open, seal},
};

const COLUMNS: &str = "id, description, extra";

pub fn list(tx: &mut Tx, _: &Allowed<Scope>) -> Result<Vec<Consumer>> {
    tx.query(&format!("SELECT {COLUMNS} FROM oauth1_consumers ORDER BY id"), &[])?.iter().map(read).collect()
}

pub fn get(tx: &mut Tx, _: &Allowed<Scope>, id: &str) -> Result<Consumer> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM oauth1_consumers WHERE id = $1"), &params![id])?;
    row.as_ref().map(read).transpose()?.ok_or_else(|| Error::not_found("consumer", id))
}

/// The secret with which a consumer signs, whoever asks: it is about to prove that it knows it.
pub fn secret(tx: &mut Tx, ring: &KeyRing, id: &str) -> Result<Option<Secret<String>>> {
    let row = tx.query_opt("SELECT secret FROM oauth1_consumers WHERE id = $1", &params![id])?;
    row.map(|row| open(ring, row.get(0)?)).transpose()
}

pub fn create(
    tx: &mut Tx,
    ring: &KeyRing,
    _: &Allowed<Scope>,
    actor: &Actor,
    new: &Consumer,
    secret: &Secret<String>,
) -> Result<()> {
    let sql = "INSERT INTO oauth1_consumers (id, description, secret, extra) VALUES ($1, $2, $3, $4)";
    let extra = Value::Object(new.extra.clone());
    tx.execute(sql, &params![&new.id, new.description.as_ref(), seal(ring, secret)?, extra])?;
    change::record(tx, actor, "oauth1_consumer", &new.id, None, Some(new))
}

pub fn update(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &str, update: &ConsumerUpdate) -> Result<Consumer> {
    let before = get(tx, allowed, id)?;
    refuse_change("id", id, &update.extra)?;
    let mut consumer = before.clone();
    if let Some(description) = &update.description {
        consumer.description.clone_from(description);
    }
    merge(&mut consumer.extra, update.extra.clone(), &[]);
    let extra = Value::Object(consumer.extra.clone());
    let sql = "UPDATE oauth1_consumers SET description = $2, extra = $3 WHERE id = $1";
    tx.execute(sql, &params![id, consumer.description.as_ref(), extra])?;
    change::record(tx, actor, "oauth1_consumer", id, Some(&before), Some(&consumer))?;
    Ok(consumer)
}

/// What the consumer was given goes with it.
pub fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &str) -> Result<()> {
    let consumer = get(tx, allowed, id)?;
    tx.execute("DELETE FROM oauth1_consumers WHERE id = $1", &params![id])?;
    change::record(tx, actor, "oauth1_consumer", id, Some(&consumer), None)
}

fn read(row: &Row) -> Result<Consumer> {
    Ok(Consumer { id: row.get(0)?, description: row.get(1)?, extra: row.json(2)? })
}
