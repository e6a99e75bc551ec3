// SPDX-License-Identifier: Apache-2.0
//! The table of volume types, who may use those that are not public, and which one a project's volumes get.

use std::collections::HashMap;

use access::{Allowed, Scope};
use store::{Actor, Change, Event, Row, Select, Tx, params};
use types::{ProjectId, Timestamp};

use super::VolumeType;
use crate::error::{Error, Result};

/// The type of volumes for which nobody chose one; Cinder's name.
pub(crate) const DEFAULT: &str = "__DEFAULT__";

pub(super) const COLUMNS: &str = "id, name, description, is_public, extra_specs, qos_id, created_at, updated_at";

pub(super) fn from_row(row: &Row) -> store::Result<VolumeType> {
    Ok(VolumeType {
        id: row.get(0)?,
        name: row.get(1)?,
        description: row.get(2)?,
        is_public: row.get(3)?,
        extra_specs: row.json(4)?,
        qos_id: row.get(5)?,
        created_at: row.get(6)?,
        updated_at: row.get(7)?,
    })
}

pub(crate) fn missing(id: &str) -> Error {
    Error::not_found(format!("Volume type {id} could not be found."))
}

pub(super) fn rows(tx: &mut Tx, select: &Select) -> Result<Vec<VolumeType>> {
    Ok(select.rows(tx)?.iter().map(from_row).collect::<store::Result<Vec<_>>>()?)
}

pub(super) fn select() -> Select {
    Select::new("volume_types", COLUMNS)
}

pub(crate) fn find(tx: &mut Tx, id: &str) -> Result<Option<VolumeType>> {
    Ok(rows(tx, &select().filter("id = ", id))?.into_iter().next())
}

/// One that the caller may use: public, or given to his project.
pub(crate) fn get(tx: &mut Tx, allowed: &Allowed<Scope>, id: &str) -> Result<VolumeType> {
    let found = find(tx, id)?.ok_or_else(|| missing(id))?;
    if is_seen(tx, allowed, &found)? { Ok(found) } else { Err(missing(id)) }
}

fn is_seen(tx: &mut Tx, allowed: &Allowed<Scope>, kind: &VolumeType) -> Result<bool> {
    if kind.is_public || allowed.scope().is_all() {
        return Ok(true);
    }
    match allowed.scope().project() {
        Some(project) => may_use(tx, project, kind),
        None => Ok(false),
    }
}

pub(crate) fn may_use(tx: &mut Tx, project: &ProjectId, kind: &VolumeType) -> Result<bool> {
    if kind.is_public {
        return Ok(true);
    }
    let sql = "SELECT 1 FROM volume_type_access WHERE type_id = $1 AND project_id = $2";
    Ok(tx.query_opt(sql, &params![&kind.id, project])?.is_some())
}

/// The type of a new volume: that which was named by id or name, else the project's, else the cloud's.
pub(crate) fn chosen(tx: &mut Tx, project: &ProjectId, allowed: &Allowed<Scope>, asked: Option<&str>) -> Result<VolumeType> {
    let kind = match asked {
        Some(word) => {
            let named = rows(tx, &select().condition_with("id = ? OR name = ?", vec![word.into(), word.into()]))?;
            let exact = named.iter().find(|kind| kind.id == word).or(named.first()).cloned();
            let found = exact.ok_or_else(|| Error::not_found(format!("Volume type with name {word} could not be found.")))?;
            if !is_seen(tx, allowed, &found)? && !may_use(tx, project, &found)? {
                return Err(Error::not_found(format!("Volume type with name {word} could not be found.")));
            }
            found
        }
        None => default_of(tx, project)?,
    };
    if kind.extra_specs.get("multiattach").is_some_and(|value| value.to_lowercase().contains("true")) {
        return Err(Error::invalid(format!(
            "Invalid input received: volume type {} asks for multiattach, and a volume of this cloud is one server's at a time.",
            kind.name
        )));
    }
    Ok(kind)
}

pub(super) fn default_of(tx: &mut Tx, project: &ProjectId) -> Result<VolumeType> {
    let own = tx.query_opt("SELECT type_id FROM volume_default_types WHERE project_id = $1", &params![project])?;
    if let Some(row) = own {
        let id: String = row.get(0)?;
        if let Some(kind) = find(tx, &id)? {
            return Ok(kind);
        }
    }
    let common = rows(tx, &select().filter("name = ", DEFAULT))?.into_iter().next();
    common.ok_or_else(|| Error::not_found(format!("Volume type with name {DEFAULT} could not be found.")))
}

pub(crate) fn names(tx: &mut Tx) -> Result<HashMap<String, String>> {
    let rows = tx.query("SELECT id, name FROM volume_types", &[])?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<store::Result<_>>()?)
}

/// Makes the first type where there is none.
pub(crate) fn seed(tx: &mut Tx) -> Result<()> {
    if tx.query_opt("SELECT 1 FROM volume_types LIMIT 1", &[])?.is_some() {
        return Ok(());
    }
    let kind = VolumeType {
        id: uuid::Uuid::new_v4().to_string(),
        name: DEFAULT.to_owned(),
        description: Some("Default Volume Type".to_owned()),
        is_public: true,
        extra_specs: Default::default(),
        qos_id: None,
        created_at: Timestamp::now(),
        updated_at: None,
    };
    insert(tx, &Actor::system("volume"), &kind)
}

pub(super) fn insert(tx: &mut Tx, actor: &Actor, kind: &VolumeType) -> Result<()> {
    let inserted = tx.execute(
        &format!("INSERT INTO volume_types ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING"),
        &params![
            &kind.id,
            &kind.name,
            kind.description.as_ref(),
            kind.is_public,
            specs(kind)?,
            kind.qos_id.as_ref(),
            kind.created_at,
            kind.updated_at,
        ],
    )?;
    if inserted == 0 {
        return Err(taken(&kind.name));
    }
    record(tx, actor, &Change::made(kind), kind)
}

pub(crate) fn update(tx: &mut Tx, actor: &Actor, before: &VolumeType, mut after: VolumeType) -> Result<VolumeType> {
    after.updated_at = Some(Timestamp::now());
    let other = tx.query_opt("SELECT 1 FROM volume_types WHERE name = $1 AND id <> $2", &params![&after.name, &after.id])?;
    if other.is_some() {
        return Err(taken(&after.name));
    }
    tx.execute(
        "UPDATE volume_types SET name = $2, description = $3, is_public = $4, extra_specs = $5, qos_id = $6, updated_at = $7 \
         WHERE id = $1",
        &params![
            &after.id,
            &after.name,
            after.description.as_ref(),
            after.is_public,
            specs(&after)?,
            after.qos_id.as_ref(),
            after.updated_at,
        ],
    )?;
    record(tx, actor, &Change::changed(before, &after), &after)?;
    Ok(after)
}

pub(super) fn remove(tx: &mut Tx, actor: &Actor, kind: &VolumeType) -> Result<()> {
    if kind.name == DEFAULT {
        return Err(Error::invalid(format!(
            "The volume type {DEFAULT} cannot be deleted: volumes for which none is said have it."
        )));
    }
    for (table, what) in [("volumes", "volumes"), ("volume_snapshots", "snapshots"), ("volume_default_types", "default types")] {
        let used = tx.query_opt(&format!("SELECT 1 FROM {table} WHERE type_id = $1 LIMIT 1"), &params![&kind.id])?;
        if used.is_some() {
            return Err(Error::invalid(format!("Target volume type is still in use: there are {what} of it.")));
        }
    }
    tx.execute("DELETE FROM volume_types WHERE id = $1", &params![&kind.id])?;
    record(tx, actor, &Change::removed(kind), kind)
}

fn specs(kind: &VolumeType) -> Result<String> {
    serde_json::to_string(&kind.extra_specs).map_err(|error| store::Error::Constraint { rule: error.to_string() }.into())
}

fn taken(name: &str) -> Error {
    Error::conflict(format!("Volume Type {name} already exists."))
}

fn record(tx: &mut Tx, actor: &Actor, change: &Change<&VolumeType>, kind: &VolumeType) -> Result<()> {
    Ok(tx.record(Event::of(actor, format!("volume_type.{}", change.verb()), ("volume_type", &kind.id), change)?)?)
}

/// Those that have these QoS specs.
pub(crate) fn with_qos(tx: &mut Tx, qos: &str) -> Result<Vec<VolumeType>> {
    rows(tx, &select().filter("qos_id = ", qos))
}

pub(crate) fn set_qos(tx: &mut Tx, actor: &Actor, id: &str, qos: Option<&str>) -> Result<()> {
    let before = find(tx, id)?.ok_or_else(|| missing(id))?;
    let after = VolumeType { qos_id: qos.map(str::to_owned), ..before.clone() };
    update(tx, actor, &before, after).map(drop)
}
