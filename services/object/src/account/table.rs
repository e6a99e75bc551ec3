// SPDX-License-Identifier: Apache-2.0
//! `object_accounts`

use store::{Actor, Change, Event, Row, Tx, params};
use types::{ProjectId, Timestamp};

use super::Account;
use crate::{
    Error,
    grant::{Granted, Owning},
    metadata::Metadata,
};

const COLUMNS: &str = "project_id, metadata, quota_bytes, containers, objects, bytes, created_at, changed_at";

/// What everybody may know who may know of any of its containers: how much it may hold.
pub fn find(tx: &mut Tx, project: &ProjectId) -> Result<Option<Account>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM object_accounts WHERE project_id = $1");
    let row = tx.query_opt(&sql, &params![project])?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// Makes it, unless it is there.
pub fn ensure(tx: &mut Tx, project: &ProjectId) -> Result<(), Error> {
    let now = Timestamp::now();
    let sql = "INSERT INTO object_accounts (project_id, metadata, containers, objects, bytes, created_at, changed_at) \
               VALUES ($1, '{}', 0, 0, 0, $2, $2) ON CONFLICT DO NOTHING";
    tx.execute(sql, &params![project, now])?;
    Ok(())
}

/// Changes what the owner, or a reseller, says of it.
pub fn update(
    tx: &mut Tx,
    granted: &Granted<Owning>,
    actor: &Actor,
    change: impl Fn(&mut Account) -> Result<(), Error>,
) -> Result<(), Error> {
    let project = granted.project();
    ensure(tx, project)?;
    let before = find(tx, project)?.ok_or(Error::NotFound)?;
    let mut after = Account { changed_at: Timestamp::now(), ..before.clone() };
    change(&mut after)?;
    let sql = "UPDATE object_accounts SET metadata = $2, quota_bytes = $3, changed_at = $4 WHERE project_id = $1";
    tx.execute(sql, &params![project, json(&after.metadata)?, after.quota_bytes, after.changed_at])?;
    let change = Change::changed(before.told(), after.told());
    let thing = ("object_account", project.as_str());
    tx.record(Event::of(actor, "object_account.update", thing, &change)?.of_project(project.as_str()))?;
    Ok(())
}

/// Its containers, objects and bytes are more by so many. Fails if they would be more bytes than it may hold.
pub fn count(tx: &mut Tx, project: &ProjectId, containers: i64, objects: i64, bytes: i64) -> Result<(), Error> {
    let sql = "UPDATE object_accounts SET containers = containers + $2, objects = objects + $3, bytes = bytes + $4 \
               WHERE project_id = $1 RETURNING bytes, quota_bytes";
    let row = tx.query_one(sql, &params![project, containers, objects, bytes])?;
    let (now, quota): (i64, Option<i64>) = (row.get(0)?, row.get(1)?);
    match quota {
        Some(quota) if bytes > 0 && now > quota => Err(Error::TooLarge("Upload exceeds quota.".to_owned())),
        _ => Ok(()),
    }
}

fn read(row: &Row) -> Result<Account, store::Error> {
    Ok(Account {
        project: row.get(0)?,
        metadata: row.json(1)?,
        quota_bytes: row.get(2)?,
        containers: row.get(3)?,
        objects: row.get(4)?,
        bytes: row.get(5)?,
        created_at: row.get(6)?,
        changed_at: row.get(7)?,
    })
}

/// As it is kept.
pub fn json(metadata: &Metadata) -> Result<String, Error> {
    serde_json::to_string(metadata).map_err(|error| Error::Invalid(format!("This metadata cannot be kept: {error}.")))
}
