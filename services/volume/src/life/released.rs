// SPDX-License-Identifier: Apache-2.0
//! Volumes that no table knows and that shall go from a host by the operator's word. It is told of them by name until it has said that
//! they are gone; what stands neither here nor among the volumes, it keeps.

use store::{Result, Tx, params};
use types::{NodeId, Timestamp, VolumeId};

pub(super) fn insert(tx: &mut Tx, node: &NodeId, volume: &VolumeId) -> Result<()> {
    let sql = "INSERT INTO released_volumes (node_id, volume_id, released_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    tx.execute(sql, &params![node, volume, Timestamp::now()]).map(drop)
}

/// The node has said that it is gone.
pub(super) fn forget(tx: &mut Tx, node: &NodeId, volume: &VolumeId) -> Result<()> {
    tx.execute("DELETE FROM released_volumes WHERE node_id = $1 AND volume_id = $2", &params![node, volume]).map(drop)
}

pub(super) fn of_node(tx: &mut Tx, node: &NodeId) -> Result<Vec<VolumeId>> {
    let rows = tx.query("SELECT volume_id FROM released_volumes WHERE node_id = $1", &params![node])?;
    rows.iter().map(|row| row.get(0)).collect()
}
