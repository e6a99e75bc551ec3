// SPDX-License-Identifier: Apache-2.0
//! The table of group types.

use store::{Actor, Change, Event, Row, Select, Tx, params};

use super::GroupType;
use crate::error::{Error, Result};

pub(super) const COLUMNS: &str = "id, name, description, is_public, specs, created_at";
/// What says that all snapshots of a group are of the same moment.
const CONSISTENT: &str = "consistent_group_snapshot_enabled";

fn from_row(row: &Row) -> store::Result<GroupType> {
    Ok(GroupType {
        id: row.get(0)?,
        name: row.get(1)?,
        description: row.get(2)?,
        is_public: row.get(3)?,
        specs: row.json(4)?,
        created_at: row.get(5)?,
    })
}

pub(super) fn select() -> Select {
    Select::new("volume_group_types", COLUMNS)
}

pub(super) fn rows(tx: &mut Tx, select: &Select) -> Result<Vec<GroupType>> {
    Ok(select.rows(tx)?.iter().map(from_row).collect::<store::Result<Vec<_>>>()?)
}

pub(super) fn get(tx: &mut Tx, id: &str) -> Result<GroupType> {
    let found = rows(tx, &select().filter("id = ", id))?.into_iter().next();
    found.ok_or_else(|| missing(id))
}

pub(super) fn missing(id: &str) -> Error {
    Error::not_found(format!("Group type {id} could not be found."))
}

/// That of a new group, by its id or name.
pub(crate) fn usable(tx: &mut Tx, word: &str) -> Result<GroupType> {
    let named = rows(tx, &select().condition_with("id = ? OR name = ?", vec![word.into(), word.into()]))?;
    let kind = named.iter().find(|kind| kind.id == word).or(named.first()).cloned().ok_or_else(|| missing(word))?;
    if kind.specs.get(CONSISTENT).is_some_and(|value| value.to_lowercase().contains("true")) {
        return Err(Error::invalid(format!(
            "Invalid group type: {} asks for snapshots of all volumes at the same moment, and hosts take them one by one.",
            kind.name
        )));
    }
    Ok(kind)
}

pub(super) fn insert(tx: &mut Tx, actor: &Actor, kind: &GroupType) -> Result<()> {
    let inserted = tx.execute(
        &format!("INSERT INTO volume_group_types ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"),
        &params![&kind.id, &kind.name, kind.description.as_ref(), kind.is_public, text(kind)?, kind.created_at],
    )?;
    if inserted == 0 {
        return Err(taken(&kind.name));
    }
    record(tx, actor, kind, &Change::made(kind))
}

pub(super) fn update(tx: &mut Tx, actor: &Actor, before: &GroupType, after: &GroupType) -> Result<()> {
    let sql = "SELECT 1 FROM volume_group_types WHERE name = $1 AND id <> $2";
    if tx.query_opt(sql, &params![&after.name, &after.id])?.is_some() {
        return Err(taken(&after.name));
    }
    tx.execute(
        "UPDATE volume_group_types SET name = $2, description = $3, is_public = $4, specs = $5 WHERE id = $1",
        &params![&after.id, &after.name, after.description.as_ref(), after.is_public, text(after)?],
    )?;
    record(tx, actor, after, &Change::changed(before, after))
}

pub(super) fn remove(tx: &mut Tx, actor: &Actor, kind: &GroupType) -> Result<()> {
    let used = tx.query_opt("SELECT 1 FROM volume_groups WHERE group_type_id = $1 LIMIT 1", &params![&kind.id])?;
    if used.is_some() {
        return Err(Error::invalid("Target group type is still in use: there are groups of it."));
    }
    tx.execute("DELETE FROM volume_group_types WHERE id = $1", &params![&kind.id])?;
    record(tx, actor, kind, &Change::removed(kind))
}

fn taken(name: &str) -> Error {
    Error::conflict(format!("Group Type {name} already exists."))
}

fn text(kind: &GroupType) -> Result<String> {
    serde_json::to_string(&kind.specs).map_err(|error| store::Error::Constraint { rule: error.to_string() }.into())
}

fn record(tx: &mut Tx, actor: &Actor, kind: &GroupType, change: &Change<&GroupType>) -> Result<()> {
    let verb = format!("volume_group_type.{}", change.verb());
    Ok(tx.record(Event::of(actor, verb, ("volume_group_type", &kind.id), change)?)?)
}
