// SPDX-License-Identifier: Apache-2.0
//! The table of offers.

use access::{Allowed, Scope};
use sha2::{Digest, Sha256};
use store::{Actor, Change, Event, Row, Select, Tx, params};
use types::Secret;

use super::Transfer;
use crate::error::{Error, Result};

pub(super) const COLUMNS: &str = "id, volume_id, project_id, name, salt, key_hash, no_snapshots, created_at";

fn from_row(row: &Row) -> store::Result<Transfer> {
    Ok(Transfer {
        id: row.get(0)?,
        volume_id: row.get(1)?,
        project_id: row.get(2)?,
        name: row.get(3)?,
        salt: row.get(4)?,
        key_hash: Secret::new(row.get(5)?),
        no_snapshots: row.get(6)?,
        created_at: row.get(7)?,
    })
}

pub(super) fn rows(tx: &mut Tx, select: &Select) -> Result<Vec<Transfer>> {
    Ok(select.rows(tx)?.iter().map(from_row).collect::<store::Result<Vec<_>>>()?)
}

pub(super) fn find(tx: &mut Tx, id: &str) -> Result<Transfer> {
    let found = rows(tx, &Select::new("volume_transfers", COLUMNS).filter("id = ", id))?.into_iter().next();
    found.ok_or_else(|| missing(id))
}

pub(super) fn get(tx: &mut Tx, allowed: &Allowed<Scope>, id: &str) -> Result<Transfer> {
    let found = find(tx, id)?;
    if allowed.scope().admits(&found.project_id, None) { Ok(found) } else { Err(missing(id)) }
}

fn missing(id: &str) -> Error {
    Error::not_found(format!("Transfer {id} could not be found."))
}

/// What is kept of a key.
pub(super) fn hash(salt: &str, key: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(salt.as_bytes());
    hasher.update(key.as_bytes());
    hex::encode(hasher.finalize())
}

/// Whether this is the key; as long for a wrong one.
pub(super) fn opens(transfer: &Transfer, key: &str) -> bool {
    let (known, said) = (transfer.key_hash.reveal(), hash(&transfer.salt, key));
    known.len() == said.len() && known.bytes().zip(said.bytes()).fold(0, |differs, (one, other)| differs | (one ^ other)) == 0
}

pub(super) fn insert(tx: &mut Tx, actor: &Actor, transfer: &Transfer) -> Result<()> {
    tx.execute(
        &format!("INSERT INTO volume_transfers ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"),
        &params![
            &transfer.id,
            &transfer.volume_id,
            &transfer.project_id,
            transfer.name.as_ref(),
            &transfer.salt,
            transfer.key_hash.reveal(),
            transfer.no_snapshots,
            transfer.created_at,
        ],
    )?;
    record(tx, actor, transfer, &Change::made(transfer))
}

pub(super) fn remove(tx: &mut Tx, actor: &Actor, transfer: &Transfer) -> Result<()> {
    tx.execute("DELETE FROM volume_transfers WHERE id = $1", &params![&transfer.id])?;
    record(tx, actor, transfer, &Change::removed(transfer))
}

fn record(tx: &mut Tx, actor: &Actor, transfer: &Transfer, change: &Change<&Transfer>) -> Result<()> {
    let event = Event::of(actor, format!("volume_transfer.{}", change.verb()), ("volume_transfer", &transfer.id), change)?;
    Ok(tx.record(event.of_project(transfer.project_id.to_string()))?)
}
