// SPDX-License-Identifier: Apache-2.0
//! Brings volumes to where they are going. Most of it nodes do, who are told what is wanted and tell what they found; here is
//! what nobody else does: a host is chosen, an image is made, and who does not hear is told again.

use std::sync::Arc;

use contracts::node::ThingId;
use store::{Actor, Tx, params};
use types::VolumeId;
use work::{KeyedReconciler, Step, crash};

use super::desired::may_go;
use crate::{
    BlockStorage,
    error::{Error, Result},
    snapshot,
    volume::{self, Volume, state::Life},
};

/// Every crash point of a volume's life, for tests that sweep over them.
pub const CRASH_POINTS: &[&str] = &[
    "volume.recorded",
    "volume.placed",
    "volume.failed",
    "volume.observed",
    "volume.door-moved",
    "volume.released",
    "volume.copy.noted",
    "volume.copy.image-made",
    "volume.copy.received",
    "volume.copy.done",
    "volume.copy.image-released",
    "volume.removed",
];

pub(crate) struct VolumeReconciler {
    pub room: Arc<BlockStorage>,
}

impl KeyedReconciler for VolumeReconciler {
    fn name(&self) -> &'static str {
        "volume"
    }

    async fn pending(&self, after: &str, limit: usize) -> Result<Vec<String>, String> {
        let (after, limit) = (after.to_owned(), limit as u64);
        self.room.store.list(move |tx| pending(tx, &after, limit)).await.map_err(|error| error.to_string())
    }

    async fn converge(&self, key: &str) -> Result<Step, String> {
        match self.room.converge(&VolumeId::new(key)).await {
            Err(Error::Store(store::Error::Conflict)) => Ok(Step::Conflict),
            other => other.map_err(|error| error.to_string()),
        }
    }
}

fn pending(tx: &mut Tx, after: &str, limit: u64) -> store::Result<Vec<String>> {
    let sql = "SELECT id FROM (SELECT id FROM volumes WHERE has_work = 1 UNION SELECT volume_id FROM volume_snapshots \
               WHERE deleting_at IS NOT NULL OR life = 'making') AS pending WHERE id > $1 ORDER BY id LIMIT $2";
    let rows = tx.query(sql, &params![after, limit])?;
    rows.iter().map(|row| row.get(0)).collect()
}

impl BlockStorage {
    async fn converge(&self, id: &VolumeId) -> Result<Step> {
        let wanted = id.clone();
        let read = self
            .store
            .read(move |tx| -> Result<_> {
                let Some(volume) = volume::table::find(tx, &wanted)? else { return Ok(None) };
                let snapshots = snapshot::table::of_volume(tx, &wanted)?;
                Ok(Some((volume, snapshots)))
            })
            .await?;
        let Some((volume, snapshots)) = read else { return Ok(Step::Settled) };
        if volume.deleting_at.is_some() {
            return self.delete(&volume).await;
        }
        if volume.life == Life::Planned {
            return self.place(&volume).await;
        }
        if let Some(copy) = volume.copy.as_ref().filter(|_| volume.life == Life::There) {
            return self.converge_copy(&volume, copy).await;
        }
        let waits = volume.is_under_way()
            || snapshots.iter().any(|snapshot| snapshot.deleting_at.is_some() || snapshot.life == Life::Making);
        if !waits {
            return Ok(Step::Settled);
        }
        match &volume.node_id {
            Some(node) => self.nodes.tell(node, &[ThingId::volume(id)]),
            None => return Ok(Step::Settled),
        }
        match volume.life {
            Life::Making => self.wait_or_fail(&volume, "The host did not make the volume in time.").await,
            _ => Ok(Step::Wait),
        }
    }

    /// The row goes when the node has said that nothing of it is left; of one that no node ever had, at once.
    async fn delete(&self, volume: &Volume) -> Result<Step> {
        if let Some(copy) = &volume.copy {
            self.images.release_snapshot(&copy.image.id).await?;
        }
        let is_there = match &volume.node_id {
            None => false,
            Some(node) => self.nodes.get(node).await?.is_some(),
        };
        if is_there {
            if let Some(node) = &volume.node_id {
                self.nodes.tell(node, &[ThingId::volume(&volume.id)]);
            }
            return Ok(Step::Wait);
        }
        let before = volume.clone();
        let is_removed = self
            .store
            .write(move |tx| -> Result<bool> {
                let actor = Actor::system("volume");
                // With their host all of them are gone.
                for snapshot in snapshot::table::of_volume(tx, &before.id)? {
                    if !volume::table::is_snapshot_being_cloned(tx, &snapshot.id)? {
                        snapshot::table::remove(tx, &actor, &snapshot)?;
                    }
                }
                let mut at_rest = before.clone();
                (at_rest.door_node, at_rest.door_found) = (None, None);
                let snapshots = snapshot::table::of_volume(tx, &before.id)?;
                if !may_go(tx, &at_rest, &snapshots)? {
                    return Ok(false);
                }
                volume::table::remove(tx, &actor, &before)?;
                Ok(true)
            })
            .await?;
        crash::point("volume.removed");
        Ok(if is_removed { Step::Settled } else { Step::Wait })
    }
}
