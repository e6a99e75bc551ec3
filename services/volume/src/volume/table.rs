// SPDX-License-Identifier: Apache-2.0
//! Reads volumes, and changes one that was asked about.

use std::collections::HashMap;

use access::{Allowed, Scope};
use store::{Actor, Select, Tx, params};
use types::{NodeId, SnapshotId, VolumeId};

use super::{Volume, row};
use crate::{
    error::{Error, Result},
    group,
};

pub(crate) fn select() -> Select {
    Select::new("volumes", row::COLUMNS)
}

pub(crate) fn rows(tx: &mut Tx, select: &Select) -> Result<Vec<Volume>> {
    Ok(select.rows(tx)?.iter().map(row::from_row).collect::<store::Result<Vec<_>>>()?)
}

pub(crate) fn find(tx: &mut Tx, id: &VolumeId) -> Result<Option<Volume>> {
    Ok(rows(tx, &select().filter("id = ", id))?.into_iter().next())
}

/// One of the caller's: another's is as unknown as one that is not there.
pub(crate) fn get(tx: &mut Tx, allowed: &Allowed<Scope>, id: &VolumeId) -> Result<Volume> {
    let volume = find(tx, id)?.filter(|volume| allowed.scope().admits(&volume.project_id, Some(&volume.user_id)));
    volume.ok_or_else(|| missing(id))
}

pub(crate) fn missing(id: &VolumeId) -> Error {
    Error::not_found(format!("Volume {id} could not be found."))
}

pub(crate) fn insert(tx: &mut Tx, actor: &Actor, volume: Volume) -> Result<Volume> {
    Ok(row::insert(tx, actor, volume)?)
}

pub(crate) fn save(tx: &mut Tx, actor: &Actor, verb: &str, before: &Volume, after: Volume) -> Result<Volume> {
    Ok(row::save(tx, actor, verb, before, after)?)
}

pub(crate) fn remove(tx: &mut Tx, actor: &Actor, volume: &Volume) -> Result<()> {
    tx.execute("DELETE FROM volume_attachments WHERE volume_id = $1", &params![&volume.id])?;
    tx.execute("DELETE FROM volume_transfers WHERE volume_id = $1", &params![&volume.id])?;
    row::remove(tx, actor, volume)?;
    match &volume.group_id {
        Some(of) => group::table::volume_went(tx, actor, of),
        None => Ok(()),
    }
}

/// Those of a node, of these or all.
pub(crate) fn on_node(tx: &mut Tx, node: &NodeId, of: Option<&[VolumeId]>) -> Result<Vec<Volume>> {
    let select = select().filter("node_id = ", node);
    rows(
        tx,
        &match of {
            Some(of) => select.filter_in("id", of),
            None => select,
        },
    )
}

/// Whether one is being made of this volume, or of a snapshot of it.
pub(crate) fn is_being_cloned(tx: &mut Tx, id: &VolumeId) -> Result<bool> {
    let sql = "SELECT 1 FROM volumes WHERE life IN ('planned', 'making') AND deleting_at IS NULL AND (source_volume_id = $1 \
               OR snapshot_id IN (SELECT id FROM volume_snapshots WHERE volume_id = $1)) LIMIT 1";
    Ok(tx.query_opt(sql, &params![id])?.is_some())
}

pub(crate) fn is_snapshot_being_cloned(tx: &mut Tx, id: &SnapshotId) -> Result<bool> {
    let sql = "SELECT 1 FROM volumes WHERE life IN ('planned', 'making') AND deleting_at IS NULL AND snapshot_id = $1 LIMIT 1";
    Ok(tx.query_opt(sql, &params![id])?.is_some())
}

/// GiB that are promised on each node. What is promised and not written takes no room, but may.
pub(crate) fn promised(tx: &mut Tx) -> Result<HashMap<NodeId, i64>> {
    let sql = "SELECT node_id, CAST(sum(wanted_size) AS BIGINT) FROM volumes WHERE node_id IS NOT NULL GROUP BY node_id";
    Ok(tx.query(sql, &[])?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<store::Result<_>>()?)
}

pub(crate) fn promised_on(tx: &mut Tx, node: &NodeId) -> Result<i64> {
    let sql = "SELECT CAST(coalesce(sum(wanted_size), 0) AS BIGINT) FROM volumes WHERE node_id = $1";
    Ok(tx.query_one(sql, &params![node])?.get(0)?)
}
