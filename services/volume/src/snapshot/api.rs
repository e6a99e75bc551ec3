// SPDX-License-Identifier: Apache-2.0
//! `/snapshots`: the table of its routes, and what is done to one.

use std::sync::Arc;

use api::{Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::json;
use store::{Actor, Tx};
use types::{SnapshotId, VolumeId};

use super::{Snapshot, action, list, metadata, table, view::View};
use crate::{
    BlockStorage,
    error::{Error, Result},
    host::frozen,
    input::{document, wrong},
    quota::{self, Growth},
    snapshot::policy,
    versions::at_least,
    volume::{self, Volume, state::Life},
    volume_type,
};

const SNAPSHOTS: &str = "/v3/snapshots";
const DETAIL: &str = "/v3/snapshots/detail";
const SNAPSHOT: &str = "/v3/snapshots/{id}";
const ACTION: &str = "/v3/snapshots/{id}/action";
const METADATA: &str = "/v3/snapshots/{id}/metadata";
const ITEM: &str = "/v3/snapshots/{id}/metadata/{key}";

/// A volume is as many layers as it has snapshots, and each costs every read below it a little: hosts keep a few more, for what
/// is made of snapshots.
pub(crate) const MOST_OF_A_VOLUME: usize = 40;

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new()
        .get(SNAPSHOTS, &policy::INDEX, list::list)
        .post(SNAPSHOTS, &policy::CREATE, create)
        .get(DETAIL, &policy::INDEX, list::list_detail)
        .get(SNAPSHOT, &policy::SHOW, show)
        .put(SNAPSHOT, &policy::UPDATE, update)
        .delete(SNAPSHOT, &policy::DELETE, delete)
        .get(METADATA, &policy::METADATA_SHOW, metadata::list)
        .post(METADATA, &policy::METADATA_UPDATE, metadata::add)
        .put(METADATA, &policy::METADATA_UPDATE, metadata::replace)
        .get(ITEM, &policy::METADATA_SHOW, metadata::show)
        .put(ITEM, &policy::METADATA_UPDATE, metadata::set)
        .delete(ITEM, &policy::METADATA_DELETE, metadata::delete)
        .action(ACTION, "os-reset_status", &policy::RESET_STATUS, action::reset_status)
        .action(ACTION, "os-force_delete", &policy::FORCE_DELETE, force_delete)
        .action(ACTION, "os-update_snapshot_status", &policy::UPDATE_STATUS, action::update_status)
        .each_asking(&[&policy::EXTENDED])
}

impl BlockStorage {
    /// The snapshot that the path names.
    pub(super) async fn snapshot(&self, cx: &Cx) -> Result<Snapshot, Fault> {
        let (allowed, id) = (cx.allowed()?.clone(), SnapshotId::new(cx.param("id")));
        Ok(self.store.read(move |tx| table::get(tx, &allowed, &id)).await?)
    }

    /// Changes it, as it is now.
    pub(super) async fn change_snapshot(
        &self,
        cx: &Cx,
        verb: &'static str,
        edit: impl Fn(Snapshot) -> Result<Snapshot> + Send + Sync + 'static,
    ) -> Result<Snapshot, Fault> {
        let (allowed, id, actor) = (cx.allowed()?.clone(), SnapshotId::new(cx.param("id")), cx.actor());
        let changed = self.store.write(move |tx| -> Result<_> {
            let before = table::get(tx, &allowed, &id)?;
            let after = edit(before.clone())?;
            table::save(tx, &actor, verb, &before, after)
        });
        Ok(changed.await?)
    }
}

async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let snapshot = room.snapshot(&cx).await?;
    api::json(StatusCode::OK, &json!({"snapshot": View { cx: &cx, snapshot: &snapshot, is_brief: false, is_looked_at: true }}))
}

/// The answer to a change.
fn render(cx: &Cx, status: StatusCode, snapshot: &Snapshot) -> Reply {
    api::json(status, &json!({"snapshot": View { cx, snapshot, is_brief: false, is_looked_at: false }}))
}

async fn create(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "snapshot").await?;
    let of = match (ask.has("volume_id"), ask.id("volume_id")?) {
        (true, None) => return Err(Fault::not_found("Volume None could not be found.")),
        (_, of) => VolumeId::new(ask.required("volume_id", of)?),
    };
    let name = ask.label_or("name", "display_name")?.flatten();
    let description = ask.label_or("description", "display_description")?.flatten();
    let metadata = ask.texts("metadata")?.unwrap_or_default();
    let force = ask.flag("force")?;
    ask.finish()?;
    let needs_no_force = at_least(cx.version, 66);
    if needs_no_force && force == Some(false) {
        return Err(wrong("force", &json!(false), "From version 3.66 on a volume in use needs no force; leave it out."));
    }
    let may_be_in_use = needs_no_force || force.unwrap_or(false);
    let (allowed, actor, user) = (cx.allowed()?.clone(), cx.actor(), cx.caller()?.user.id.clone());
    let (snapshot, volume) = room
        .store
        .write(move |tx| -> Result<_> {
            let volume = volume::table::get(tx, &allowed, &of)?;
            check(tx, &volume, may_be_in_use)?;
            let snapshot = Snapshot {
                name: name.clone(),
                description: description.clone(),
                metadata: metadata.clone(),
                ..Snapshot::of(&volume, &user)
            };
            table::insert(tx, &actor, &volume, snapshot)
        })
        .await?;
    room.tell(&volume);
    render(&cx, StatusCode::ACCEPTED, &snapshot)
}

/// Whether a snapshot of this volume can be taken, within its project's quota.
pub(crate) fn check(tx: &mut Tx, volume: &Volume, may_be_in_use: bool) -> Result<()> {
    frozen::refuse(tx, volume.node_id.as_ref())?;
    let is_fit = match volume.status.as_str() {
        "available" => true,
        "in-use" | "reserved" | "attaching" | "detaching" => may_be_in_use,
        _ => false,
    };
    if !is_fit || volume.life != Life::There {
        return Err(Error::invalid_volume(format!(
            "Volume {} status must be available, but current status is: {}.",
            volume.id, volume.status
        )));
    }
    let taken = table::of_volume(tx, &volume.id)?;
    if taken.len() >= MOST_OF_A_VOLUME {
        return Err(Error::over_quota(format!(
            "Volume {} has {} snapshots, which is the most: delete one, or make a volume of one.",
            volume.id,
            taken.len()
        )));
    }
    let kind = volume_type::table::find(tx, &volume.type_id)?.ok_or_else(|| volume_type::table::missing(&volume.type_id))?;
    quota::check(tx, &volume.project_id, &kind, &Growth { snapshots: 1, gigabytes: volume.size, ..Growth::default() })
}

async fn update(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "snapshot").await?;
    let name = ask.label_or("name", "display_name")?;
    let description = ask.label_or("description", "display_description")?;
    ask.finish()?;
    if name.is_none() && description.is_none() {
        return Err(Fault::bad_request("Invalid input: a snapshot is updated in its name or description; none is said."));
    }
    let changed = room.change_snapshot(&cx, "snapshot.update", move |mut snapshot| {
        if let Some(name) = &name {
            snapshot.name.clone_from(name);
        }
        if let Some(description) = &description {
            snapshot.description.clone_from(description);
        }
        Ok(snapshot)
    });
    let changed = changed.await?;
    render(&cx, StatusCode::OK, &changed)
}

async fn delete(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    run_delete(&room, &cx, false).await
}

async fn force_delete(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    run_delete(&room, &cx, true).await
}

async fn run_delete(room: &BlockStorage, cx: &Cx, is_forced: bool) -> Reply {
    let (allowed, id, actor) = (cx.allowed()?.clone(), SnapshotId::new(cx.param("id")), cx.actor());
    let volume = room
        .store
        .write(move |tx| -> Result<_> {
            let snapshot = table::get(tx, &allowed, &id)?;
            begin_deletion(tx, &actor, &snapshot, is_forced)
        })
        .await?;
    if let Some(volume) = volume {
        room.tell(&volume);
    }
    Ok(api::empty(StatusCode::ACCEPTED))
}

fn begin_deletion(tx: &mut Tx, actor: &Actor, snapshot: &Snapshot, is_forced: bool) -> Result<Option<Volume>> {
    if snapshot.deleting_at.is_some() {
        return Ok(None);
    }
    if !is_forced && !["available", "error"].contains(&snapshot.status.as_str()) {
        return Err(Error::invalid(format!(
            "Invalid snapshot: Snapshot status must be available or error, but current status is: {}.",
            snapshot.status
        )));
    }
    if let Some(whole) = &snapshot.group_snapshot_id {
        return Err(Error::invalid(format!("Invalid snapshot: it is a part of the group snapshot {whole}: delete that.")));
    }
    let volume = volume::table::find(tx, &snapshot.volume_id)?.ok_or_else(|| volume::table::missing(&snapshot.volume_id))?;
    frozen::refuse(tx, volume.node_id.as_ref())?;
    table::begin_deletion(tx, actor, snapshot)?;
    table::touch(tx, actor, &volume).map(Some)
}
