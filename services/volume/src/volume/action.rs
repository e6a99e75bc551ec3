// SPDX-License-Identifier: Apache-2.0
//! Small actions on a volume: what is said of it, and what the operator says of its state.

use std::sync::Arc;

use api::{Cx, Fault, Reply};
use http::StatusCode;
use serde_json::json;

use super::state::Stage;
use crate::{
    BlockStorage, attachment,
    error::Error,
    input::{argument, wrong},
};

/// What the operator may say that a status is.
pub(crate) const STATUSES: [&str; 17] = [
    "creating",
    "available",
    "deleting",
    "error",
    "error_deleting",
    "error_managing",
    "managing",
    "attaching",
    "in-use",
    "detaching",
    "maintenance",
    "reserved",
    "awaiting-transfer",
    "error_extending",
    "extending",
    "downloading",
    "uploading",
];

pub(super) async fn set_bootable(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = argument(&mut cx, "os-set_bootable").await?;
    let bootable = ask.flag("bootable")?;
    let bootable = ask.required("bootable", bootable)?;
    ask.finish()?;
    room.change(&cx, "volume.set_bootable", move |_, mut volume| {
        volume.bootable = bootable;
        Ok(volume)
    })
    .await?;
    Ok(api::empty(StatusCode::OK))
}

pub(super) async fn set_read_only(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = argument(&mut cx, "os-update_readonly_flag").await?;
    let read_only = ask.flag("readonly")?;
    let read_only = ask.required("readonly", read_only)?;
    ask.finish()?;
    room.change(&cx, "volume.set_read_only", move |_, mut volume| {
        if volume.status != "available" {
            let sentence = format!(
                "Volume {} status must be available to update readonly flag, but current status is: {}.",
                volume.id, volume.status
            );
            return Err(Error::invalid_volume(sentence));
        }
        (volume.read_only, volume.says_read_only) = (read_only, true);
        Ok(volume)
    })
    .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

/// The word is the operator's from then on, until something is done to the volume, or he says what it is anyway.
pub(super) async fn reset_status(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = argument(&mut cx, "os-reset_status").await?;
    let read = |field: &str, value: Option<String>, known: &[&str]| match value {
        Some(word) if !known.contains(&word.to_lowercase().as_str()) => {
            Err(wrong(field, &json!(word), &format!("It is not one of {known:?}.")))
        }
        value => Ok(value.map(|word| word.to_lowercase())),
    };
    let status = ask.text("status", 1..=255)?;
    let status = read("status", status, &STATUSES)?;
    let attach = ask.text("attach_status", 1..=255)?;
    let attach = read(
        "attach_status",
        attach,
        &["attached", "detached", "reserved", "attaching", "detaching", "error_attaching", "error_detaching", "deleted"],
    )?;
    let migration = ask.text("migration_status", 1..=255)?;
    ask.finish()?;
    if migration.is_some_and(|word| word != "none") {
        return Err(Fault::bad_request("Volumes of this cloud do not move: their migration_status is none."));
    }
    if status.is_none() && attach.is_none() {
        return Err(Fault::bad_request("Must specify 'status', 'attach_status' or 'migration_status' for update."));
    }
    let actor = cx.actor();
    room.change(&cx, "volume.reset_status", move |tx, mut volume| {
        if attach.as_deref() == Some("detached") {
            // What compute has is compute's to give back: the words alone would let a second server open it.
            for held in attachment::table::of_volume(tx, &volume.id)?.iter().filter(|held| !held.by_compute) {
                attachment::table::remove(tx, &actor, &volume, held)?;
            }
            volume.attach = attachment::table::furthest(tx, &volume.id)?;
        }
        if let Some(status) = &status {
            volume.forced_status = None;
            let is_so = volume.word() == *status;
            volume.forced_status = Some(status.clone()).filter(|_| !is_so);
        }
        if volume.attach.is_some_and(|stage| stage >= Stage::Attached) && volume.forced_status.as_deref() == Some("available") {
            return Err(Error::invalid_volume(format!("Volume {} is attached, so it is not available: detach it.", volume.id)));
        }
        Ok(volume)
    })
    .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}
