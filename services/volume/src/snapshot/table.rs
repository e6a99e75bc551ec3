// SPDX-License-Identifier: Apache-2.0
//! The table of snapshots. What is written here changes what a node is told of the volume, which gets a new generation.

use access::{Allowed, Scope};
use serde::Serialize;
use store::{Actor, Change, Event, Row, Select, Tx, Value, params};
use types::{SnapshotId, Timestamp, VolumeId};

use super::Snapshot;
use crate::{
    error::{Error, Result},
    group_snapshot,
    volume::{self, Volume, state::Life},
};

pub(super) const COLUMNS: &str = "id, volume_id, project_id, user_id, name, description, size, type_id, metadata, life, fault, \
    forced_status, deleting_at, position, revision, created_at, updated_at, status, group_snapshot_id, \
    progress";

fn from_row(row: &Row) -> store::Result<Snapshot> {
    let life: &str = row.get(9)?;
    let unknown = || store::Error::Constraint { rule: format!("'{life}' is a word of this table") };
    Ok(Snapshot {
        id: row.get(0)?,
        volume_id: row.get(1)?,
        project_id: row.get(2)?,
        user_id: row.get(3)?,
        name: row.get(4)?,
        description: row.get(5)?,
        size: row.get(6)?,
        type_id: row.get(7)?,
        metadata: row.json(8)?,
        life: Life::read(life).ok_or_else(unknown)?,
        fault: row.get(10)?,
        forced_status: row.get(11)?,
        deleting_at: row.get(12)?,
        position: row.get(13)?,
        revision: row.get(14)?,
        created_at: row.get(15)?,
        updated_at: row.get(16)?,
        status: row.get(17)?,
        group_snapshot_id: row.get(18)?,
        progress: row.get(19)?,
    })
}

pub(super) fn rows(tx: &mut Tx, select: &Select) -> Result<Vec<Snapshot>> {
    Ok(select.rows(tx)?.iter().map(from_row).collect::<store::Result<Vec<_>>>()?)
}

pub(crate) fn get(tx: &mut Tx, allowed: &Allowed<Scope>, id: &SnapshotId) -> Result<Snapshot> {
    let found = rows(tx, &Select::new("volume_snapshots", COLUMNS).filter("id = ", id))?.into_iter().next();
    let own = found.filter(|snapshot| allowed.scope().admits(&snapshot.project_id, Some(&snapshot.user_id)));
    own.ok_or_else(|| Error::not_found(format!("Snapshot {id} could not be found.")))
}

/// In the order in which they were taken.
pub(crate) fn of_volume(tx: &mut Tx, volume: &VolumeId) -> Result<Vec<Snapshot>> {
    of_volumes(tx, std::slice::from_ref(volume))
}

pub(crate) fn of_volumes(tx: &mut Tx, volumes: &[VolumeId]) -> Result<Vec<Snapshot>> {
    let select = Select::new("volume_snapshots", COLUMNS).filter_in("volume_id", volumes);
    rows(tx, &select.sort(&[("volume_id", store::Direction::Asc), ("position", store::Direction::Asc)], "id"))
}

/// The parts of the snapshot of a group.
pub(crate) fn of_group(tx: &mut Tx, whole: &str) -> Result<Vec<Snapshot>> {
    rows(tx, &Select::new("volume_snapshots", COLUMNS).filter("group_snapshot_id = ", whole))
}

/// Writes a new one down; answers it with its volume, whose node has to be told.
pub(crate) fn insert(tx: &mut Tx, actor: &Actor, of: &Volume, mut snapshot: Snapshot) -> Result<(Snapshot, Volume)> {
    let last = tx.query_one(
        "SELECT CAST(coalesce(max(position), 0) AS BIGINT) FROM volume_snapshots WHERE volume_id = $1",
        &params![&of.id],
    )?;
    snapshot.position = last.get::<i64>(0)? + 1;
    snapshot.status = snapshot.word();
    let holes: Vec<String> = (1..=20).map(|place| format!("${place}")).collect();
    tx.execute(&format!("INSERT INTO volume_snapshots ({COLUMNS}) VALUES ({})", holes.join(", ")), &values(&snapshot)?)?;
    record(tx, actor, "snapshot.create", &snapshot, &Change::made(&snapshot))?;
    let volume = touch(tx, actor, of)?;
    Ok((snapshot, volume))
}

/// Writes what changed, if the row is still as it was read.
pub(crate) fn save(tx: &mut Tx, actor: &Actor, verb: &str, before: &Snapshot, mut after: Snapshot) -> Result<Snapshot> {
    after.revision = before.revision + 1;
    after.updated_at = Some(Timestamp::now());
    after.status = after.word();
    let set: Vec<String> =
        COLUMNS.split(',').map(str::trim).enumerate().map(|(place, name)| format!("{name} = ${}", place + 1)).collect();
    let sql = format!("UPDATE volume_snapshots SET {} WHERE id = $1 AND revision = $21", set.join(", "));
    let mut values = values(&after)?;
    values.push(before.revision.into());
    tx.execute_cas(&sql, &values)?;
    record(tx, actor, verb, &after, &Change::changed(before, &after))?;
    Ok(after)
}

/// Notes that it shall go.
pub(crate) fn begin_deletion(tx: &mut Tx, actor: &Actor, snapshot: &Snapshot) -> Result<()> {
    let mut after = snapshot.clone();
    after.deleting_at = Some(Timestamp::now());
    after.forced_status = None;
    save(tx, actor, "snapshot.delete.begin", snapshot, after).map(drop)
}

pub(crate) fn remove(tx: &mut Tx, actor: &Actor, snapshot: &Snapshot) -> Result<()> {
    tx.execute_cas("DELETE FROM volume_snapshots WHERE id = $1 AND revision = $2", &params![&snapshot.id, snapshot.revision])?;
    record(tx, actor, "snapshot.delete", snapshot, &Change::removed(snapshot))?;
    match &snapshot.group_snapshot_id {
        Some(whole) => group_snapshot::table::part_went(tx, actor, whole),
        None => Ok(()),
    }
}

/// Something else is wanted of this volume's node.
pub(crate) fn touch(tx: &mut Tx, actor: &Actor, volume: &Volume) -> Result<Volume> {
    let mut after = volume.clone();
    after.generation = after.generation.next();
    volume::table::save(tx, actor, "volume.snapshots", volume, after)
}

fn values(snapshot: &Snapshot) -> Result<Vec<Value>> {
    Ok(params![
        &snapshot.id,
        &snapshot.volume_id,
        &snapshot.project_id,
        &snapshot.user_id,
        snapshot.name.as_ref(),
        snapshot.description.as_ref(),
        snapshot.size,
        &snapshot.type_id,
        json(&snapshot.metadata)?,
        snapshot.life.word(),
        snapshot.fault.as_ref(),
        snapshot.forced_status.as_ref(),
        snapshot.deleting_at,
        snapshot.position,
        snapshot.revision,
        snapshot.created_at,
        snapshot.updated_at,
        &snapshot.status,
        snapshot.group_snapshot_id.as_ref(),
        snapshot.progress.as_ref(),
    ]
    .to_vec())
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| store::Error::Constraint { rule: error.to_string() }.into())
}

fn record(tx: &mut Tx, actor: &Actor, verb: &str, snapshot: &Snapshot, change: &Change<&Snapshot>) -> Result<()> {
    let event = Event::of(actor, verb, ("volume_snapshot", snapshot.id.as_str()), change)?;
    Ok(tx.record(event.of_project(snapshot.project_id.to_string()))?)
}
