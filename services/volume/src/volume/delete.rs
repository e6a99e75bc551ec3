// SPDX-License-Identifier: Apache-2.0
//! `DELETE /volumes/{id}`, and the same whatever its state.

use std::sync::Arc;

use access::Target;
use api::{Cx, Reply};
use http::StatusCode;
use store::{Actor, Tx};
use types::{Timestamp, VolumeId};

use super::{Volume, table};
use crate::{
    BlockStorage, attachment,
    error::{Error, Result},
    host::frozen,
    input::Read,
    snapshot,
    versions::at_least,
    volume::policy,
};

/// Of these states a volume can be deleted by its owner.
const ENDS: [&str; 5] = ["available", "error", "error_restoring", "error_extending", "error_managing"];

/// What is to go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum With {
    Nothing,
    Snapshots,
    /// Its group goes, and its volumes with it.
    Group,
}

pub(super) async fn delete(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let with = if cx.query().flag("cascade")?.unwrap_or(false) { With::Snapshots } else { With::Nothing };
    let is_forced = at_least(cx.version, 23) && cx.query().flag("force")?.unwrap_or(false);
    if is_forced {
        cx.check(&policy::FORCE_DELETE, &Target::new())?;
    }
    run(&room, &cx, is_forced, with).await
}

pub(super) async fn force(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    run(&room, &cx, true, With::Nothing).await
}

async fn run(room: &BlockStorage, cx: &Cx, is_forced: bool, with: With) -> Reply {
    let (allowed, id, actor) = (cx.allowed()?.clone(), VolumeId::new(cx.param("id")), cx.actor());
    let volume = room
        .store
        .write(move |tx| -> Result<_> {
            let volume = table::get(tx, &allowed, &id)?;
            begin(tx, &actor, &volume, is_forced, with)
        })
        .await?;
    room.tell(&volume);
    Ok(api::empty(StatusCode::ACCEPTED)) as Read<_>
}

/// Notes that a volume shall go. One that is going stays so.
pub(crate) fn begin(tx: &mut Tx, actor: &Actor, volume: &Volume, is_forced: bool, with: With) -> Result<Volume> {
    if volume.deleting_at.is_some() {
        return Ok(volume.clone());
    }
    frozen::refuse(tx, volume.node_id.as_ref())?;
    let attachments = attachment::table::of_volume(tx, &volume.id)?;
    let is_taken = attachments.iter().any(|attachment| attachment.is_attached() || attachment.by_compute);
    let snapshots = snapshot::table::of_volume(tx, &volume.id)?;
    let has_snapshots = with != With::Snapshots && snapshots.iter().any(|snapshot| snapshot.deleting_at.is_none());
    if is_taken
        || has_snapshots
        || (volume.group_id.is_some() && with != With::Group)
        || !(is_forced || ENDS.contains(&volume.status.as_str()))
    {
        return Err(Error::invalid_volume(
            "Volume status must be available or error or error_restoring or error_extending or error_managing and must not be \
             migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated from snapshots after \
             volume transfer.",
        ));
    }
    for snapshot in snapshots.iter().filter(|snapshot| snapshot.deleting_at.is_none()) {
        snapshot::table::begin_deletion(tx, actor, snapshot)?;
    }
    for attachment in &attachments {
        attachment::table::remove(tx, actor, volume, attachment)?;
    }
    let mut after = volume.clone();
    (after.attach, after.door_node, after.forced_status) = (None, None, None);
    after.deleting_at = Some(Timestamp::now());
    table::save(tx, actor, "volume.delete.begin", volume, after)
}
