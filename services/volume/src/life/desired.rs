// SPDX-License-Identifier: Apache-2.0
//! What a node is told of its volumes, read from the tables each time.

use std::{collections::HashMap, path::PathBuf};

use contracts::{
    BoxFuture, Refusal,
    images::Chunks,
    node::{Door, Kind, Origin as NodeOrigin, SnapshotDesired, Stream, Thing, ThingId, VolumeDesired, VolumeSnapshot},
    nodes::{DesiredSource, ImageSource, SnapshotSink},
};
use store::Tx;
use types::{Generation, ImageId, NodeId, VolumeId};
use work::crash;

use super::released;
use crate::{
    BlockStorage,
    error::Result,
    snapshot::{self, Snapshot},
    volume::{self, CopyStage, Origin, Volume, state::Life},
};

impl DesiredSource for BlockStorage {
    fn kind(&self) -> Kind {
        Kind::Volume
    }

    fn all<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Vec<Thing>, Refusal>> {
        Box::pin(self.wanted(node, None))
    }

    fn changed<'a>(&'a self, node: &'a NodeId, things: &'a [ThingId]) -> BoxFuture<'a, Result<Vec<Thing>, Refusal>> {
        Box::pin(self.wanted(node, Some(things.iter().filter_map(ThingId::as_volume).collect())))
    }
}

/// A volume with what its node must know beside its row.
struct Wanted {
    volume: Volume,
    snapshots: Vec<Snapshot>,
    /// Nothing rests on it any more that is not made yet, and nobody has it open.
    may_go: bool,
    /// Of its snapshots those that are waited for by a volume that is being made.
    needed: Vec<types::SnapshotId>,
}

impl BlockStorage {
    async fn wanted(&self, node: &NodeId, of: Option<Vec<VolumeId>>) -> Result<Vec<Thing>, Refusal> {
        let id = node.clone();
        let read = self.store.list(move |tx| -> Result<_> {
            let mut released = released::of_node(tx, &id)?;
            released.retain(|volume| of.as_ref().is_none_or(|of| of.contains(volume)));
            Ok((read(tx, &id, of.as_deref())?, released))
        });
        let (wanted, released) = read.await?;
        let released = released.iter().map(|volume| Thing::released(ThingId::volume(volume), Generation::default()));
        Ok(wanted.into_iter().map(|wanted| self.thing(node, wanted)).chain(released).collect())
    }

    fn thing(&self, node: &NodeId, wanted: Wanted) -> Thing {
        let Wanted { volume, snapshots, may_go, needed } = wanted;
        if volume.deleting_at.is_some() && may_go {
            return Thing::released(ThingId::volume(&volume.id), volume.generation);
        }
        let is_going = |snapshot: &Snapshot| snapshot.deleting_at.is_some() && !needed.contains(&snapshot.id);
        let released = snapshots.iter().filter(|snapshot| is_going(snapshot)).map(|snapshot| snapshot.id.clone()).collect();
        let kept = snapshots.iter().filter(|snapshot| !is_going(snapshot) && snapshot.life != Life::Failed);
        let copy = volume.copy.as_ref().filter(|copy| copy.stage == CopyStage::Copying).map(|copy| {
            let image_id = copy.image.id.clone();
            let stream = Stream::VolumeCopy { volume_id: volume.id.clone(), image_id: image_id.clone() };
            SnapshotDesired { image_id, ticket: self.nodes.ticket(node, &stream) }
        });
        Thing::volume(VolumeDesired {
            generation: volume.generation,
            size: bytes(volume.wanted_size),
            from: self.origin(node, &volume.origin),
            made: matches!(volume.life, Life::There | Life::Missing),
            snapshots: kept
                .map(|snapshot| VolumeSnapshot {
                    id: snapshot.id.clone(),
                    made: matches!(snapshot.life, Life::There | Life::Missing),
                })
                .collect(),
            released,
            open_to: volume.door_node.clone().map(|node| Door { node, read_only: volume.read_only }),
            copy,
            volume_id: volume.id,
        })
    }

    fn origin(&self, node: &NodeId, origin: &Origin) -> NodeOrigin {
        match origin {
            Origin::Blank => NodeOrigin::Blank,
            Origin::Image(image) => NodeOrigin::Image {
                image_id: image.id.clone(),
                sha512: image.sha512.clone(),
                format: image.format.clone(),
                image_size: image.size,
                ticket: self.nodes.ticket(node, &Stream::Image { sha512: image.sha512.clone() }),
            },
            Origin::Snapshot { volume_id, snapshot_id } => {
                NodeOrigin::Snapshot { volume_id: volume_id.clone(), snapshot_id: snapshot_id.clone() }
            }
            Origin::Volume { volume_id } => NodeOrigin::Volume { volume_id: volume_id.clone() },
        }
    }
}

pub(super) fn bytes(size: i64) -> u64 {
    u64::try_from(size).unwrap_or_default().saturating_mul(VolumeDesired::GIB)
}

fn read(tx: &mut Tx, node: &NodeId, of: Option<&[VolumeId]>) -> Result<Vec<Wanted>> {
    // What failed to be made is nobody's wish any more, but what the node has of it goes with the volume.
    let volumes = volume::table::on_node(tx, node, of)?;
    let ids: Vec<VolumeId> = volumes.iter().map(|volume| volume.id.clone()).collect();
    let mut snapshots: HashMap<VolumeId, Vec<Snapshot>> = HashMap::new();
    for snapshot in snapshot::table::of_volumes(tx, &ids)? {
        snapshots.entry(snapshot.volume_id.clone()).or_default().push(snapshot);
    }
    let mut wanted = Vec::new();
    for volume in volumes {
        if volume.life == Life::Failed && volume.deleting_at.is_none() {
            continue;
        }
        let snapshots = snapshots.remove(&volume.id).unwrap_or_default();
        let mut needed = Vec::new();
        for snapshot in snapshots.iter().filter(|snapshot| snapshot.deleting_at.is_some()) {
            if volume::table::is_snapshot_being_cloned(tx, &snapshot.id)? {
                needed.push(snapshot.id.clone());
            }
        }
        let may_go = volume.deleting_at.is_some() && may_go(tx, &volume, &snapshots)?;
        wanted.push(Wanted { volume, snapshots, may_go, needed });
    }
    Ok(wanted)
}

/// Whether a volume that is being deleted can go now: nobody may have it open, its snapshots are gone, and no volume is made
/// of it that needs it until it is there.
pub(super) fn may_go(tx: &mut Tx, volume: &Volume, snapshots: &[Snapshot]) -> Result<bool> {
    Ok(volume.door_node.is_none()
        && volume.door_found.is_none()
        && snapshots.is_empty()
        && !volume::table::is_being_cloned(tx, &volume.id)?)
}

impl ImageSource for BlockStorage {
    fn image_file<'a>(&'a self, node: &'a NodeId, sha512: &'a str) -> BoxFuture<'a, Result<PathBuf, Refusal>> {
        Box::pin(async move {
            let (of, wanted) = (node.clone(), sha512.to_owned());
            let image = self.store.list(move |tx| image_of(tx, &of, &wanted)).await?;
            let image = image.ok_or_else(|| Refusal::not_found("No volume of this node is made of such an image."))?;
            self.images.file(&image).await
        })
    }
}

/// Of a volume that is being made there.
fn image_of(tx: &mut Tx, node: &NodeId, sha512: &str) -> Result<Option<ImageId>> {
    let select = volume::table::select().filter("node_id = ", node).filter("life = ", Life::Making.word());
    let images = volume::table::rows(tx, &select)?.into_iter().filter_map(|volume| match volume.origin {
        Origin::Image(image) => Some(image),
        _ => None,
    });
    Ok(images.into_iter().find(|image| image.sha512 == sha512).map(|image| image.id))
}

impl SnapshotSink for BlockStorage {
    fn take_snapshot<'a>(&'a self, node: &'a NodeId, image: &'a ImageId, chunks: Chunks) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let (of, wanted) = (node.clone(), image.clone());
            let volume = self
                .store
                .list(move |tx| -> Result<_> {
                    let select = volume::table::select().filter("node_id = ", &of).condition("copy IS NOT NULL");
                    let copied = volume::table::rows(tx, &select)?;
                    Ok(copied.into_iter().find(|volume| volume.copies_to(&wanted)))
                })
                .await?;
            let volume = volume.ok_or_else(|| Refusal::not_found("No volume of this node becomes this image."))?;
            self.images.receive_snapshot(image, chunks).await?;
            crash::point("volume.copy.received");
            self.bell.ring_for([volume.id.as_str()]);
            Ok(())
        })
    }
}

impl Volume {
    fn copies_to(&self, image: &ImageId) -> bool {
        self.copy.as_ref().is_some_and(|copy| copy.image.id == *image && copy.stage == CopyStage::Copying)
    }
}
