// SPDX-License-Identifier: Apache-2.0
//! The table of keypairs.

use access::{Allowed, Scope};
use store::{Actor, Change, Event, Row, Select, Tx, params};
use types::UserId;

use super::Keypair;
use crate::error::{Error, Result};

const COLUMNS: &str = "id, user_id, name, type, public_key, fingerprint, created_at";

/// Proof that the caller may deal with this user's keypairs.
pub(crate) fn admits(allowed: &Allowed<Scope>, user: &UserId) -> bool {
    match allowed.scope() {
        Scope::All => true,
        Scope::User { user: own, .. } => own == user,
        Scope::Domain(_) | Scope::Project(_) => false,
    }
}

pub(super) fn from_row(row: &Row) -> store::Result<Keypair> {
    Ok(Keypair {
        id: row.get(0)?,
        user_id: row.get(1)?,
        name: row.get(2)?,
        kind: row.get(3)?,
        public_key: row.get(4)?,
        fingerprint: row.get(5)?,
        created_at: row.get(6)?,
    })
}

/// The keypairs of a user, by name.
pub(super) fn select(user: &UserId) -> Select {
    Select::new("keypairs", COLUMNS).scope("user_id = ", user).sort(&[], "name")
}

pub(crate) fn get(tx: &mut Tx, user: &UserId, name: &str) -> Result<Keypair> {
    let rows = Select::new("keypairs", COLUMNS).filter("user_id = ", user).filter("name = ", name).rows(tx)?;
    let row = rows.first().ok_or_else(|| missing(user, name))?;
    Ok(from_row(row)?)
}

pub(super) fn count(tx: &mut Tx, user: &UserId) -> Result<i64> {
    Ok(tx.query_one("SELECT count(*) FROM keypairs WHERE user_id = $1", &params![user])?.get(0)?)
}

pub(super) fn insert(tx: &mut Tx, actor: &Actor, keypair: &Keypair) -> Result<()> {
    let inserted = tx.execute(
        "INSERT INTO keypairs (id, user_id, name, type, public_key, fingerprint, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        &params![
            &keypair.id,
            &keypair.user_id,
            &keypair.name,
            &keypair.kind,
            &keypair.public_key,
            &keypair.fingerprint,
            keypair.created_at
        ],
    )?;
    if inserted == 0 {
        return Err(Error::conflict(format!("Key pair '{}' already exists.", keypair.name)));
    }
    record(tx, actor, &keypair.id, &Change::made(keypair))
}

pub(super) fn delete(tx: &mut Tx, actor: &Actor, user: &UserId, name: &str) -> Result<()> {
    let keypair = get(tx, user, name)?;
    tx.execute("DELETE FROM keypairs WHERE user_id = $1 AND name = $2", &params![user, name])?;
    record(tx, actor, &keypair.id, &Change::removed(&keypair))
}

fn missing(user: &UserId, name: &str) -> Error {
    Error::not_found(format!("Keypair {name} not found for user {user}"))
}

fn record(tx: &mut Tx, actor: &Actor, id: &str, change: &Change<&Keypair>) -> Result<()> {
    Ok(tx.record(Event::of(actor, format!("keypair.{}", change.verb()), ("keypair", id), change)?)?)
}
