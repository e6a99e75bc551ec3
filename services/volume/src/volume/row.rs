// SPDX-License-Identifier: Apache-2.0
//! A volume as a row, and its one writer: the row, the words that clients see, and the event with all of it before and after,
//! in one transaction.
//!
//! Invariant: nobody writes over a change of a volume that he has not seen (test: `a_change_of_a_volume_on_old_facts_changes_nothing`).

use serde::{Serialize, de::DeserializeOwned};
use store::{Actor, Change, Event, Row, Tx, Value, params};
use types::{Generation, Timestamp};

use super::{
    Volume,
    state::{Life, Stage},
};

pub(crate) const COLUMNS: &str = "id, project_id, user_id, name, description, size, wanted_size, type_id, zone, bootable, read_only, \
    metadata, image_metadata, origin, life, step, fault, forced_status, node_id, host, attach, door_node, door_found, copy, \
    transfer_id, deleting_at, generation, revision, created_at, updated_at, status, \
    group_id, says_read_only";

pub(crate) fn from_row(row: &Row) -> store::Result<Volume> {
    let life: &str = row.get(14)?;
    let attach: Option<&str> = row.get(20)?;
    Ok(Volume {
        id: row.get(0)?,
        project_id: row.get(1)?,
        user_id: row.get(2)?,
        name: row.get(3)?,
        description: row.get(4)?,
        size: row.get(5)?,
        wanted_size: row.get(6)?,
        type_id: row.get(7)?,
        zone: row.get(8)?,
        bootable: row.get(9)?,
        read_only: row.get(10)?,
        metadata: row.json(11)?,
        image_metadata: row.json(12)?,
        origin: row.json(13)?,
        life: Life::read(life).ok_or_else(|| unknown(life))?,
        step: row.get(15)?,
        fault: row.get(16)?,
        forced_status: row.get(17)?,
        node_id: row.get(18)?,
        host: row.get(19)?,
        attach: attach.map(|word| Stage::read(word).ok_or_else(|| unknown(word))).transpose()?,
        door_node: row.get(21)?,
        door_found: row.json(22)?,
        copy: row.json(23)?,
        transfer_id: row.get(24)?,
        deleting_at: row.get(25)?,
        generation: Generation(row.get(26)?),
        revision: row.get(27)?,
        created_at: row.get(28)?,
        updated_at: row.get(29)?,
        status: row.get(30)?,
        group_id: row.get(31)?,
        says_read_only: row.get(32)?,
    })
}

fn unknown(word: &str) -> store::Error {
    store::Error::Constraint { rule: format!("'{word}' is a word of this table") }
}

fn json(value: &impl Serialize) -> store::Result<Value> {
    let text = serde_json::to_string(value).map_err(|error| store::Error::Constraint { rule: error.to_string() })?;
    Ok(Value::Text(text))
}

fn json_or_null<T: Serialize + DeserializeOwned>(value: Option<&T>) -> store::Result<Value> {
    value.map_or(Ok(Value::Null), json)
}

pub(super) fn insert(tx: &mut Tx, actor: &Actor, mut volume: Volume) -> store::Result<Volume> {
    volume.status = volume.word();
    let sql = format!(
        "INSERT INTO volumes ({COLUMNS}, snapshot_id, source_volume_id, has_work) VALUES ({})",
        (1..=36).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ")
    );
    let mut values = columns(&volume)?;
    values.push(volume.origin.snapshot().into());
    values.push(volume.origin.volume().into());
    values.push(volume.is_under_way().into());
    tx.execute(&sql, &values)?;
    record(tx, actor, "volume.create", &volume, &Change::made(&volume))?;
    Ok(volume)
}

/// Writes what changed, if the row is still as it was read. What its node is told is of a new generation if it differs.
pub(crate) fn save(tx: &mut Tx, actor: &Actor, verb: &str, before: &Volume, mut after: Volume) -> store::Result<Volume> {
    after.revision = before.revision + 1;
    after.updated_at = Some(Timestamp::now());
    if is_wanted_otherwise(before, &after) && after.generation == before.generation {
        after.generation = after.generation.next();
    }
    after.status = after.word();
    let names: Vec<&str> = COLUMNS.split(',').map(str::trim).collect();
    let set: Vec<String> = names.iter().enumerate().map(|(place, name)| format!("{name} = ${}", place + 1)).collect();
    let sql = format!("UPDATE volumes SET {}, has_work = $34 WHERE id = $1 AND revision = $35", set.join(", "));
    let mut values = columns(&after)?;
    values.push(after.is_under_way().into());
    values.push(before.revision.into());
    tx.execute_cas(&sql, &values)?;
    record(tx, actor, verb, &after, &Change::changed(before, &after))?;
    Ok(after)
}

pub(crate) fn remove(tx: &mut Tx, actor: &Actor, volume: &Volume) -> store::Result<()> {
    tx.execute_cas("DELETE FROM volumes WHERE id = $1 AND revision = $2", &params![&volume.id, volume.revision])?;
    record(tx, actor, "volume.delete", volume, &Change::removed(volume))
}

fn is_wanted_otherwise(before: &Volume, after: &Volume) -> bool {
    let wanted = |volume: &Volume| {
        let copy = volume.copy.as_ref().map(|copy| (copy.image.id.clone(), copy.stage));
        (volume.wanted_size, volume.door_node.clone(), volume.read_only, copy, volume.node_id.clone(), volume.deleting_at)
    };
    wanted(before) != wanted(after)
}

/// In the order of [`COLUMNS`].
fn columns(volume: &Volume) -> store::Result<Vec<Value>> {
    Ok(params![
        &volume.id,
        &volume.project_id,
        &volume.user_id,
        volume.name.as_ref(),
        volume.description.as_ref(),
        volume.size,
        volume.wanted_size,
        &volume.type_id,
        &volume.zone,
        volume.bootable,
        volume.read_only,
        json(&volume.metadata)?,
        json(&volume.image_metadata)?,
        json(&volume.origin)?,
        volume.life.word(),
        volume.step.as_ref(),
        volume.fault.as_ref(),
        volume.forced_status.as_ref(),
        volume.node_id.as_ref(),
        volume.host.as_ref(),
        volume.attach.map(Stage::word),
        volume.door_node.as_ref(),
        json_or_null(volume.door_found.as_ref())?,
        json_or_null(volume.copy.as_ref())?,
        volume.transfer_id.as_ref(),
        volume.deleting_at,
        volume.generation.0,
        volume.revision,
        volume.created_at,
        volume.updated_at,
        &volume.status,
        volume.group_id.as_ref(),
        volume.says_read_only,
    ]
    .to_vec())
}

fn record(tx: &mut Tx, actor: &Actor, verb: &str, volume: &Volume, change: &Change<&Volume>) -> store::Result<()> {
    let event = Event::of(actor, verb, ("volume", volume.id.as_str()), change)?;
    tx.record(event.of_project(volume.project_id.to_string()))
}
