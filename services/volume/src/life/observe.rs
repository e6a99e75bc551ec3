// SPDX-License-Identifier: Apache-2.0
//! Takes in what nodes found of volumes. A report is written down in one transaction, durable before the node's call is
//! answered.
//!
//! That data is there is true whenever it was found. Who has a door open is not: only what was found on the latest of what the
//! node was told counts as the word that a door is closed.
//!
//! Invariant: a door that was closed on older news is not taken for closed (test: `a_door_is_closed_by_word_on_the_latest_only`).

use std::collections::HashMap;

use contracts::{
    BoxFuture, Refusal,
    node::{Kind, SnapshotStep, ThingId, VolumeObserved, VolumeSnapshotState, VolumeState},
    nodes::{NodeFacts, ObservedSink, Report},
};
use store::{Actor, Tx};
use types::{NodeId, VolumeId};
use work::crash;

use super::{
    desired::{bytes, may_go},
    released,
};
use crate::{
    BlockStorage,
    error::Result,
    message::{self, Message},
    snapshot,
    volume::{self, CopyStage, Volume, state::Life},
};

impl ObservedSink for BlockStorage {
    fn kind(&self) -> Kind {
        Kind::Volume
    }

    fn observed<'a>(&'a self, node: &'a NodeId, report: &'a Report) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let (of, report) = (node.clone(), report.clone());
            let next = self.store.write(move |tx| take_in(tx, &of, &report)).await?;
            crash::point("volume.observed");
            if !next.is_empty() {
                self.bell.ring_for(next.iter().map(VolumeId::as_str));
                self.nodes.tell(node, &next.iter().map(ThingId::volume).collect::<Vec<_>>());
                self.ring_servers_of_all(next).await;
            }
            Ok(())
        })
    }

    fn node_changed<'a>(&'a self, _node: &'a NodeFacts) -> BoxFuture<'a, Result<(), Refusal>> {
        // Volumes that wait for a host, or for word from one, are looked at again.
        self.bell.ring();
        Box::pin(async { Ok(()) })
    }
}

/// Answers the volumes of which something is another now.
fn take_in(tx: &mut Tx, node: &NodeId, report: &Report) -> Result<Vec<VolumeId>> {
    let found: HashMap<VolumeId, &VolumeObserved> =
        report.found.iter().filter_map(|found| found.as_volume()).map(|found| (found.volume_id.clone(), found)).collect();
    let absent: Vec<VolumeId> = report.absent.iter().filter_map(ThingId::as_volume).collect();
    let named: Vec<VolumeId> = found.keys().chain(&absent).cloned().collect();
    let actor = Actor::system("volume");
    let mut next = Vec::new();
    let gone = found.iter().filter(|(_, found)| found.state == VolumeState::Gone).map(|(id, _)| id);
    for volume in gone.chain(&absent) {
        released::forget(tx, node, volume)?;
    }
    for volume in volume::table::on_node(tx, node, Some(&named))? {
        let found = found.get(&volume.id).copied();
        let is_gone = found.is_none_or(|found| found.state == VolumeState::Gone);
        if is_gone && volume.deleting_at.is_some() {
            let snapshots = snapshot::table::of_volume(tx, &volume.id)?;
            let mut at_rest = volume.clone();
            at_rest.door_found = None;
            if may_go(tx, &at_rest, &snapshots)? {
                volume::table::remove(tx, &actor, &volume)?;
                next.push(volume.id);
            }
            continue;
        }
        let mut changed = match found {
            Some(found) => note_snapshots(tx, &actor, found)?,
            None => false,
        };
        let after = match found {
            Some(found) => noted(tx, &actor, &volume, found)?,
            None => unfound(tx, &actor, &volume)?,
        };
        if after != volume {
            volume::table::save(tx, &actor, "volume.observed", &volume, after)?;
            changed = true;
        }
        if changed {
            next.push(volume.id);
        }
    }
    Ok(next)
}

/// The volume with what its node found of it.
fn noted(tx: &mut Tx, actor: &Actor, volume: &Volume, found: &VolumeObserved) -> Result<Volume> {
    let mut after = volume.clone();
    match &found.state {
        VolumeState::Preparing { step } => after.step = Some(step.clone()).filter(|_| volume.life == Life::Making),
        VolumeState::Ready { size } => {
            if matches!(volume.life, Life::Making | Life::Missing) {
                (after.life, after.fault) = (Life::There, None);
            }
            after.step = None;
            if volume.life == Life::There && *size >= bytes(volume.wanted_size) {
                after.size = volume.wanted_size;
            }
        }
        VolumeState::Failed { cause, transient } => {
            if volume.fault.as_deref() != Some(cause) {
                let action = if volume.life == Life::Making { "create" } else { "keep" };
                message::table::insert(tx, actor, &Message::of_volume(volume, action, cause))?;
            }
            after.fault = Some(cause.clone());
            if !transient && volume.life == Life::Making {
                (after.life, after.step) = (Life::Failed, None);
            } else if !transient && volume.life == Life::There && volume.wanted_size > volume.size {
                // It did not grow: it is as large as it was, and its owner reads why.
                after.wanted_size = volume.size;
            } else if !transient && volume.life == Life::There {
                after.life = Life::Missing;
            }
        }
        VolumeState::Gone => after = unfound(tx, actor, volume)?,
    }
    if found.generation >= volume.generation {
        after.door_found.clone_from(&found.door);
    }
    if let (Some(copy), Some(said)) = (&mut after.copy, &found.copy)
        && said.image_id == copy.image.id
        && let SnapshotStep::Failed { cause } = &said.step
        && copy.stage == CopyStage::Copying
    {
        copy.stage = CopyStage::Failing;
        message::table::insert(tx, actor, &Message::of_volume(volume, "copy to image", cause))?;
    }
    Ok(after)
}

/// The node does not have it.
fn unfound(tx: &mut Tx, actor: &Actor, volume: &Volume) -> Result<Volume> {
    let mut after = volume.clone();
    if volume.life == Life::There {
        let cause = "The host does not have the volume any more.";
        message::table::insert(tx, actor, &Message::of_volume(volume, "keep", cause))?;
        (after.life, after.fault) = (Life::Missing, Some(cause.to_owned()));
        after.door_found = None;
    }
    Ok(after)
}

/// True if a snapshot is another now.
fn note_snapshots(tx: &mut Tx, actor: &Actor, found: &VolumeObserved) -> Result<bool> {
    let mut changed = false;
    for known in snapshot::table::of_volume(tx, &found.volume_id)? {
        let is_over = known.life == Life::Failed && matches!(found.state, VolumeState::Ready { .. });
        let state = found.snapshot(&known.id);
        // One that could not be taken goes without word: the node never had it.
        let is_gone = state == Some(&VolumeSnapshotState::Gone) || (state.is_none() && is_over);
        if known.deleting_at.is_some() && is_gone {
            if !volume::table::is_snapshot_being_cloned(tx, &known.id)? {
                snapshot::table::remove(tx, actor, &known)?;
                changed = true;
            }
            continue;
        }
        let mut after = known.clone();
        match state {
            Some(VolumeSnapshotState::Made) => (after.life, after.fault) = (Life::There, None),
            Some(VolumeSnapshotState::Failed { cause }) => {
                after.life = if known.life == Life::There { Life::Missing } else { Life::Failed };
                after.fault = Some(cause.clone());
                if known.fault.as_deref() != Some(cause) {
                    message::table::insert(tx, actor, &Message::of_snapshot(&known, cause))?;
                }
            }
            _ => {}
        }
        if after != known {
            snapshot::table::save(tx, actor, "snapshot.observed", &known, after)?;
            changed = true;
        }
    }
    Ok(changed)
}
