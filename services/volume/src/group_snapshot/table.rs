// SPDX-License-Identifier: Apache-2.0
//! The table of group snapshots. Which snapshots are parts of one, the snapshots say.

use std::collections::HashMap;

use access::{Allowed, Scope};
use store::{Actor, Change, Event, Row, Select, Tx, params};

use super::GroupSnapshot;
use crate::{
    error::{Error, Result},
    volume::state::Life,
};

pub(super) const COLUMNS: &str = "id, group_id, project_id, user_id, name, description, group_type_id, forced_status, \
    deleting_at, revision, created_at";

impl GroupSnapshot {
    /// The word of the API.
    pub(super) fn status(&self, parts: &[Life]) -> String {
        if self.deleting_at.is_some() {
            return "deleting".to_owned();
        }
        let derived = match () {
            () if parts.iter().any(|life| matches!(life, Life::Failed | Life::Missing)) => "error",
            () if parts.iter().any(|life| *life != Life::There) => "creating",
            () => "available",
        };
        self.forced_status.clone().unwrap_or_else(|| derived.to_owned())
    }
}

fn from_row(row: &Row) -> store::Result<GroupSnapshot> {
    Ok(GroupSnapshot {
        id: row.get(0)?,
        group_id: row.get(1)?,
        project_id: row.get(2)?,
        user_id: row.get(3)?,
        name: row.get(4)?,
        description: row.get(5)?,
        group_type_id: row.get(6)?,
        forced_status: row.get(7)?,
        deleting_at: row.get(8)?,
        revision: row.get(9)?,
        created_at: row.get(10)?,
    })
}

pub(super) fn select() -> Select {
    Select::new("volume_group_snapshots", COLUMNS)
}

pub(super) fn rows(tx: &mut Tx, select: &Select) -> Result<Vec<GroupSnapshot>> {
    Ok(select.rows(tx)?.iter().map(from_row).collect::<store::Result<Vec<_>>>()?)
}

fn find(tx: &mut Tx, id: &str) -> Result<Option<GroupSnapshot>> {
    Ok(rows(tx, &select().filter("id = ", id))?.into_iter().next())
}

/// One of the caller's.
pub(crate) fn get(tx: &mut Tx, allowed: &Allowed<Scope>, id: &str) -> Result<GroupSnapshot> {
    let own = find(tx, id)?.filter(|whole| allowed.scope().admits(&whole.project_id, Some(&whole.user_id)));
    own.ok_or_else(|| Error::not_found(format!("GroupSnapshot {id} could not be found.")))
}

/// How far the parts of many have come, in one statement.
pub(super) fn lives(tx: &mut Tx, all: &[GroupSnapshot]) -> Result<HashMap<String, Vec<Life>>> {
    let ids = all.iter().map(|whole| whole.id.as_str());
    let select = Select::new("volume_snapshots", "group_snapshot_id, life").filter_in("group_snapshot_id", ids);
    let mut lives: HashMap<String, Vec<Life>> = HashMap::new();
    for row in select.rows(tx)? {
        let life: &str = row.get(1)?;
        let unknown = || store::Error::Constraint { rule: format!("'{life}' is a word of this table") };
        lives.entry(row.get(0)?).or_default().push(Life::read(life).ok_or_else(unknown)?);
    }
    Ok(lives)
}

pub(super) fn insert(tx: &mut Tx, actor: &Actor, whole: &GroupSnapshot) -> Result<()> {
    tx.execute(
        &format!("INSERT INTO volume_group_snapshots ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"),
        &params![
            &whole.id,
            &whole.group_id,
            &whole.project_id,
            &whole.user_id,
            whole.name.as_ref(),
            whole.description.as_ref(),
            &whole.group_type_id,
            whole.forced_status.as_ref(),
            whole.deleting_at,
            whole.revision,
            whole.created_at,
        ],
    )?;
    record(tx, actor, whole, &Change::made(whole))
}

/// Writes what changed, if the row is still as it was read.
pub(super) fn save(tx: &mut Tx, actor: &Actor, before: &GroupSnapshot, mut after: GroupSnapshot) -> Result<()> {
    after.revision = before.revision + 1;
    tx.execute_cas(
        "UPDATE volume_group_snapshots SET name = $3, description = $4, forced_status = $5, deleting_at = $6, revision = $7 \
         WHERE id = $1 AND revision = $2",
        &params![
            &after.id,
            before.revision,
            after.name.as_ref(),
            after.description.as_ref(),
            after.forced_status.as_ref(),
            after.deleting_at,
            after.revision,
        ],
    )?;
    record(tx, actor, &after, &Change::changed(before, &after))
}

/// A part of it is gone: with the last one it is.
pub(crate) fn part_went(tx: &mut Tx, actor: &Actor, id: &str) -> Result<()> {
    let Some(whole) = find(tx, id)? else { return Ok(()) };
    let left = tx.query_opt("SELECT 1 FROM volume_snapshots WHERE group_snapshot_id = $1 LIMIT 1", &params![id])?;
    if left.is_some() {
        return Ok(());
    }
    tx.execute("DELETE FROM volume_group_snapshots WHERE id = $1", &params![id])?;
    record(tx, actor, &whole, &Change::removed(&whole))
}

fn record(tx: &mut Tx, actor: &Actor, whole: &GroupSnapshot, change: &Change<&GroupSnapshot>) -> Result<()> {
    let verb = format!("volume_group_snapshot.{}", change.verb());
    let event = Event::of(actor, verb, ("volume_group_snapshot", &whole.id), change)?;
    Ok(tx.record(event.of_project(whole.project_id.to_string()))?)
}
