// SPDX-License-Identifier: Apache-2.0
//! The table of groups. Which volumes are in one, the volumes say.

use std::collections::HashMap;

use access::{Allowed, Scope};
use store::{Actor, Change, Event, Row, Select, Tx, Value, params};
use types::{ProjectId, VolumeId};

use super::Group;
use crate::{
    error::{Error, Result},
    volume::state::Life,
    volume_type::VolumeType,
};

pub(super) const COLUMNS: &str = "id, project_id, user_id, name, description, group_type_id, volume_types, group_snapshot_id, \
    source_group_id, forced_status, deleting_at, revision, created_at";

/// What a group is told with beside its row.
#[derive(Debug, Default, Clone)]
pub(super) struct Members {
    pub volumes: Vec<VolumeId>,
    lives: Vec<Life>,
}

impl Group {
    /// The word of the API. A group that is copied from another is there when its volumes are.
    pub(super) fn status(&self, members: &Members) -> String {
        if self.deleting_at.is_some() {
            return "deleting".to_owned();
        }
        let is_copy = self.group_snapshot_id.is_some() || self.source_group_id.is_some();
        let any = |of: &[Life]| is_copy && members.lives.iter().any(|life| of.contains(life));
        let derived = match () {
            () if any(&[Life::Failed]) => "error",
            () if any(&[Life::Planned, Life::Making]) => "creating",
            () => "available",
        };
        self.forced_status.clone().unwrap_or_else(|| derived.to_owned())
    }
}

fn from_row(row: &Row) -> store::Result<Group> {
    Ok(Group {
        id: row.get(0)?,
        project_id: row.get(1)?,
        user_id: row.get(2)?,
        name: row.get(3)?,
        description: row.get(4)?,
        group_type_id: row.get(5)?,
        volume_types: row.json(6)?,
        group_snapshot_id: row.get(7)?,
        source_group_id: row.get(8)?,
        forced_status: row.get(9)?,
        deleting_at: row.get(10)?,
        revision: row.get(11)?,
        created_at: row.get(12)?,
    })
}

pub(super) fn select() -> Select {
    Select::new("volume_groups", COLUMNS)
}

pub(super) fn rows(tx: &mut Tx, select: &Select) -> Result<Vec<Group>> {
    Ok(select.rows(tx)?.iter().map(from_row).collect::<store::Result<Vec<_>>>()?)
}

pub(crate) fn find(tx: &mut Tx, id: &str) -> Result<Option<Group>> {
    Ok(rows(tx, &select().filter("id = ", id))?.into_iter().next())
}

/// One of the caller's.
pub(crate) fn get(tx: &mut Tx, allowed: &Allowed<Scope>, id: &str) -> Result<Group> {
    let own = find(tx, id)?.filter(|group| allowed.scope().admits(&group.project_id, Some(&group.user_id)));
    own.ok_or_else(|| Error::not_found(format!("Group {id} could not be found.")))
}

/// The volumes of many groups, in one statement.
pub(super) fn members(tx: &mut Tx, groups: &[Group]) -> Result<HashMap<String, Members>> {
    let ids = groups.iter().map(|group| group.id.as_str());
    let select = Select::new("volumes", "id, group_id, life").filter_in("group_id", ids);
    let mut members: HashMap<String, Members> = HashMap::new();
    for row in select.rows(tx)? {
        let life: &str = row.get(2)?;
        let unknown = || store::Error::Constraint { rule: format!("'{life}' is a word of this table") };
        let of = members.entry(row.get(1)?).or_default();
        of.volumes.push(row.get(0)?);
        of.lives.push(Life::read(life).ok_or_else(unknown)?);
    }
    Ok(members)
}

/// Whether a new volume of this project and type may be in it.
pub(crate) fn admit(tx: &mut Tx, allowed: &Allowed<Scope>, id: &str, project: &ProjectId, kind: &VolumeType) -> Result<()> {
    let group = get(tx, allowed, id)?;
    if group.project_id != *project {
        return Err(Error::not_found(format!("Group {id} could not be found.")));
    }
    if group.deleting_at.is_some() {
        return Err(Error::invalid(format!("Invalid group: {id} is being deleted.")));
    }
    group.admit(kind)
}

/// Whether one that is in it may become one of this type.
pub(crate) fn admit_type(tx: &mut Tx, id: &str, kind: &VolumeType) -> Result<()> {
    find(tx, id)?.map_or(Ok(()), |group| group.admit(kind))
}

impl Group {
    fn admit(&self, kind: &VolumeType) -> Result<()> {
        if self.volume_types.contains(&kind.id) {
            return Ok(());
        }
        Err(Error::invalid(format!("Invalid input received: the type {} is not one of those of group {}.", kind.name, self.id)))
    }
}

pub(super) fn insert(tx: &mut Tx, actor: &Actor, group: &Group) -> Result<()> {
    let holes: Vec<String> = (1..=13).map(|place| format!("${place}")).collect();
    tx.execute(&format!("INSERT INTO volume_groups ({COLUMNS}) VALUES ({})", holes.join(", ")), &values(group)?)?;
    record(tx, actor, group, &Change::made(group))
}

/// Writes what changed, if the row is still as it was read. What is in it is read in the same transaction by everybody who
/// decides by it, so the row is written also if only its volumes change.
pub(super) fn save(tx: &mut Tx, actor: &Actor, before: &Group, mut after: Group) -> Result<()> {
    after.revision = before.revision + 1;
    tx.execute_cas(
        "UPDATE volume_groups SET name = $3, description = $4, forced_status = $5, deleting_at = $6, revision = $7 \
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

pub(super) fn remove(tx: &mut Tx, actor: &Actor, group: &Group) -> Result<()> {
    tx.execute("DELETE FROM volume_groups WHERE id = $1", &params![&group.id])?;
    record(tx, actor, group, &Change::removed(group))
}

/// A volume of it is gone: a group that is being deleted goes with its last one.
pub(crate) fn volume_went(tx: &mut Tx, actor: &Actor, id: &str) -> Result<()> {
    let Some(group) = find(tx, id)?.filter(|group| group.deleting_at.is_some()) else { return Ok(()) };
    let left = tx.query_opt("SELECT 1 FROM volumes WHERE group_id = $1 LIMIT 1", &params![id])?;
    if left.is_none() { remove(tx, actor, &group) } else { Ok(()) }
}

fn values(group: &Group) -> Result<Vec<Value>> {
    let kinds = serde_json::to_string(&group.volume_types);
    let kinds = kinds.map_err(|error| store::Error::Constraint { rule: error.to_string() })?;
    Ok(params![
        &group.id,
        &group.project_id,
        &group.user_id,
        group.name.as_ref(),
        group.description.as_ref(),
        &group.group_type_id,
        kinds,
        group.group_snapshot_id.as_ref(),
        group.source_group_id.as_ref(),
        group.forced_status.as_ref(),
        group.deleting_at,
        group.revision,
        group.created_at,
    ]
    .to_vec())
}

fn record(tx: &mut Tx, actor: &Actor, group: &Group, change: &Change<&Group>) -> Result<()> {
    let event = Event::of(actor, format!("volume_group.{}", change.verb()), ("volume_group", &group.id), change)?;
    Ok(tx.record(event.of_project(group.project_id.to_string()))?)
}
