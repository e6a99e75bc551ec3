// SPDX-License-Identifier: Apache-2.0
//! The older way in which clients note that a volume is somebody's: actions on the volume. They are notes; no door opens.

use std::sync::Arc;

use api::{Cx, Reply, Routes};
use http::StatusCode;
use serde_json::json;
use store::{Actor, Tx};
use types::{AttachmentId, Timestamp, VolumeId};

use super::{
    Attachment,
    api::{NO_WAY, refuse_computes, settle},
    table,
};
use crate::{
    BlockStorage,
    error::{Error, Result},
    input::{argument, body, wrong},
    volume::{self, Volume, state::Stage},
};

const ACTION: &str = "/v3/volumes/{id}/action";

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new()
        .action(ACTION, "os-attach", &crate::volume::policy::ATTACH, attach)
        .action(ACTION, "os-detach", &crate::volume::policy::DETACH, detach)
        .action(ACTION, "os-reserve", &crate::volume::policy::RESERVE, reserve)
        .action(ACTION, "os-unreserve", &crate::volume::policy::UNRESERVE, unreserve)
        .action(ACTION, "os-begin_detaching", &crate::volume::policy::BEGIN_DETACHING, begin_detaching)
        .action(ACTION, "os-roll_detaching", &crate::volume::policy::ROLL_DETACHING, roll_detaching)
        .action(ACTION, "os-initialize_connection", &crate::volume::policy::INITIALIZE, initialize)
        .action(ACTION, "os-terminate_connection", &crate::volume::policy::TERMINATE, terminate)
        .action(ACTION, "os-force_detach", &crate::volume::policy::FORCE_DETACH, force_detach)
}

async fn change(
    room: &BlockStorage,
    cx: &Cx,
    verb: &'static str,
    edit: impl Fn(&mut Tx, &Actor, &Volume, &[Attachment]) -> Result<()> + Send + Sync + 'static,
) -> Reply {
    let (allowed, id, actor) = (cx.allowed()?.clone(), VolumeId::new(cx.param("id")), cx.actor());
    room.store
        .write(move |tx| -> Result<()> {
            let before = volume::table::get(tx, &allowed, &id)?;
            let attachments = table::of_volume(tx, &id)?;
            edit(tx, &actor, &before, &attachments)?;
            settle(tx, &actor, &before, verb).map(drop)
        })
        .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

/// Brings those of these stages to another, of which there must be one.
fn advance(
    tx: &mut Tx,
    actor: &Actor,
    volume: &Volume,
    attachments: &[Attachment],
    (from, to, what): (&[Stage], Stage, &str),
) -> Result<()> {
    let one = attachments.iter().find(|attachment| from.contains(&attachment.stage));
    let refused = || Error::invalid_volume(format!("Unable to {what} volume {}: its status is {}.", volume.id, volume.status));
    let one = one.ok_or_else(refused)?;
    refuse_computes(one)?;
    table::update(tx, actor, volume, one, &Attachment { stage: to, ..one.clone() })
}

async fn attach(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = argument(&mut cx, "os-attach").await?;
    let server = ask.id("instance_uuid")?;
    let host = ask.text("host_name", 1..=255)?;
    let device = ask.text("mountpoint", 1..=255)?;
    let device = ask.required("mountpoint", device)?;
    let mode = ask.text("mode", 2..=2)?.unwrap_or_else(|| "rw".to_owned());
    ask.finish()?;
    if server.is_none() == host.is_none() {
        return Err(
            Error::invalid("Invalid request to attach volume to an invalid target: say instance_uuid or host_name.").into()
        );
    }
    if !["ro", "rw"].contains(&mode.as_str()) {
        return Err(wrong("mode", &json!(mode), "It is not one of ['rw', 'ro']."));
    }
    change(&room, &cx, "volume.attach", move |tx, actor, volume, attachments| {
        if !["available", "reserved", "attaching"].contains(&volume.status.as_str()) {
            return Err(Error::invalid_volume(format!(
                "Volume {} status must be available or reserved, it is {}.",
                volume.id, volume.status
            )));
        }
        if volume.read_only && mode == "rw" {
            return Err(Error::invalid_volume(format!("Invalid attaching mode 'rw' for volume {}: it is only read.", volume.id)));
        }
        for taken in attachments {
            refuse_computes(taken)?;
            table::remove(tx, actor, volume, taken)?;
        }
        let attachment = Attachment {
            id: AttachmentId::generate(),
            volume_id: volume.id.clone(),
            server_id: server.clone(),
            by_compute: false,
            stage: Stage::Attached,
            read_only: mode == "ro",
            device: Some(device.clone()),
            host: host.clone(),
            connector: None,
            created_at: Timestamp::now(),
            attached_at: Some(Timestamp::now()),
        };
        table::insert(tx, actor, volume, &attachment)
    })
    .await
}

async fn detach(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut body = body(&mut cx).await?;
    let id = match body.object("os-detach")? {
        Some(mut ask) => {
            let id = ask.id("attachment_id")?;
            ask.finish()?;
            id
        }
        None => None,
    };
    change(&room, &cx, "volume.detach", move |tx, actor, volume, attachments| {
        let is_it = |attachment: &&Attachment| id.as_ref().is_none_or(|id| attachment.id.as_str() == id);
        // One that is not attached is detached already.
        let Some(one) = attachments.iter().filter(|attachment| attachment.is_attached()).find(is_it) else { return Ok(()) };
        refuse_computes(one)?;
        table::remove(tx, actor, volume, one)
    })
    .await
}

async fn reserve(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    change(&room, &cx, "volume.reserve", |tx, actor, volume, _| {
        if volume.status != "available" {
            return Err(Error::invalid_volume(format!(
                "Volume {} status must be available to reserve, but the current status is {}.",
                volume.id, volume.status
            )));
        }
        let attachment = Attachment {
            id: AttachmentId::generate(),
            volume_id: volume.id.clone(),
            server_id: None,
            by_compute: false,
            stage: Stage::Attaching,
            read_only: volume.read_only,
            device: None,
            host: None,
            connector: None,
            created_at: Timestamp::now(),
            attached_at: None,
        };
        table::insert(tx, actor, volume, &attachment)
    })
    .await
}

/// Nothing that was taken is fine.
async fn unreserve(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    change(&room, &cx, "volume.unreserve", |tx, actor, volume, attachments| {
        for taken in attachments.iter().filter(|attachment| !attachment.is_attached()) {
            refuse_computes(taken)?;
            table::remove(tx, actor, volume, taken)?;
        }
        Ok(())
    })
    .await
}

async fn begin_detaching(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    change(&room, &cx, "volume.begin_detaching", |tx, actor, volume, attachments| {
        advance(tx, actor, volume, attachments, (&[Stage::Attached], Stage::Detaching, "detach"))
    })
    .await
}

/// One that is not being detached stays as it is.
async fn roll_detaching(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    change(&room, &cx, "volume.roll_detaching", |tx, actor, volume, attachments| {
        if attachments.iter().all(|attachment| attachment.stage != Stage::Detaching) {
            return Ok(());
        }
        advance(tx, actor, volume, attachments, (&[Stage::Detaching], Stage::Attached, "keep"))
    })
    .await
}

async fn initialize(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    argument(&mut cx, "os-initialize_connection").await?.required_object("connector")?;
    room.volume(&cx).await?;
    Err(Error::invalid(NO_WAY).into())
}

/// There is none that a client could have been given.
async fn terminate(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    argument(&mut cx, "os-terminate_connection").await?.required_object("connector")?;
    change(&room, &cx, "volume.terminate_connection", |_, _, _, attachments| attachments.iter().try_for_each(refuse_computes))
        .await
}

async fn force_detach(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = argument(&mut cx, "os-force_detach").await?;
    let id = ask.id("attachment_id")?;
    ask.object("connector")?;
    ask.finish()?;
    change(&room, &cx, "volume.force_detach", move |tx, actor, volume, attachments| {
        for taken in attachments.iter().filter(|attachment| id.as_ref().is_none_or(|id| attachment.id.as_str() == id)) {
            refuse_computes(taken)?;
            table::remove(tx, actor, volume, taken)?;
        }
        Ok(())
    })
    .await
}
