// SPDX-License-Identifier: Apache-2.0
//! `/attachments`, from 3.27 on. A client may take a volume by one, and look at all. Volumes are reached by this cloud's own
//! servers only, so an attachment with a connector is refused: compute's API attaches.

use std::sync::Arc;

use access::{Allowed, Scope};
use api::{Cx, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};
use store::{Select, Tx};
use types::{AttachmentId, Timestamp, VolumeId};

use super::{Attachment, table};
use crate::{
    BlockStorage,
    attachment::policy,
    error::{Error, Result},
    input::{document, wrong},
    links,
    query::{self, Page},
    versions::v,
    volume::{self, Volume, state::Stage},
};

const ATTACHMENTS: &str = "/v3/attachments";
const DETAIL: &str = "/v3/attachments/detail";
const ATTACHMENT: &str = "/v3/attachments/{id}";
const ACTION: &str = "/v3/attachments/{id}/action";

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new()
        .get(ATTACHMENTS, &policy::INDEX, list)
        .since(v(27))
        .post(ATTACHMENTS, &policy::CREATE, create)
        .since(v(27))
        .get(DETAIL, &policy::INDEX, list_detail)
        .since(v(27))
        .get(ATTACHMENT, &policy::INDEX, show)
        .since(v(27))
        .put(ATTACHMENT, &policy::UPDATE, update)
        .since(v(27))
        .delete(ATTACHMENT, &policy::DELETE, delete)
        .since(v(27))
        .action(ACTION, "os-complete", &policy::COMPLETE, complete)
        .since(v(44))
}

pub(super) const NO_WAY: &str =
    "The volumes of this cloud are reached by its own servers: attach the volume by the compute service.";

fn view(attachment: &Attachment, is_brief: bool) -> Value {
    let mut view = json!({
        "id": attachment.id,
        "status": attachment.stage.word(),
        "instance": attachment.server_id,
        "volume_id": attachment.volume_id,
    });
    if !is_brief {
        view["attached_at"] = json!(attachment.attached_at.map(Timestamp::naive_micros).unwrap_or_default());
        view["detached_at"] = json!("");
        view["attach_mode"] = json!(if attachment.read_only { "ro" } else { "rw" });
        view["connection_info"] = json!({});
    }
    view
}

/// One of a volume of the caller's.
fn get(tx: &mut Tx, allowed: &Allowed<Scope>, id: &AttachmentId) -> Result<(Attachment, Volume)> {
    let missing = || Error::not_found(format!("Volume attachment could not be found with filter: attachment_id = {id}."));
    let attachment = table::find(tx, id)?.ok_or_else(missing)?;
    let volume = volume::table::get(tx, allowed, &attachment.volume_id).map_err(|error| match error {
        Error::Refused(_) => missing(),
        other => other,
    })?;
    Ok((attachment, volume))
}

async fn list(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    render(&room, &cx, true).await
}

async fn list_detail(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    render(&room, &cx, false).await
}

async fn render(room: &BlockStorage, cx: &Cx, is_brief: bool) -> Reply {
    let page = Page::read(cx)?;
    let attachments = match query::reach(cx, cx.allowed()?)? {
        None => Vec::new(),
        Some(allowed) => {
            let mut select: Select = match allowed.scope().project() {
                None => table::select(),
                Some(project) => {
                    let own = "volume_id IN (SELECT id FROM volumes WHERE project_id = ?)";
                    table::select().condition_with(own, vec![project.into()])
                }
            };
            for (name, value) in cx.query().pairs() {
                select = match name {
                    "volume_id" => select.filter("volume_id = ", value),
                    "instance_id" | "instance_uuid" => select.filter("server_id = ", value),
                    "status" | "attach_status" => select.filter("stage = ", value),
                    "id" => select.filter("id = ", value),
                    _ => select,
                };
            }
            let column = |key: &str| match key {
                "id" => Some("id"),
                "created_at" => Some("created_at"),
                "volume_id" => Some("volume_id"),
                "status" | "attach_status" => Some("stage"),
                _ => None,
            };
            let select = page.of(select, column, &[])?;
            room.store.list(move |tx| table::rows(tx, &select)).await?
        }
    };
    let attachments = page.cut(attachments);
    let views: Vec<Value> = attachments.iter().map(|attachment| view(attachment, is_brief)).collect();
    let mut document = json!({"attachments": views});
    let last = attachments.last().map(|attachment| attachment.id.as_str());
    if let Some(next) = links::next(cx, &page.paging, attachments.len(), last) {
        document["attachments_links"] = json!(next);
    }
    api::json(StatusCode::OK, &document)
}

async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), AttachmentId::new(cx.param("id")));
    let (attachment, _) = room.store.read(move |tx| get(tx, &allowed, &id)).await?;
    api::json(StatusCode::OK, &json!({"attachment": view(&attachment, false)}))
}

async fn create(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "attachment").await?;
    let of = ask.id("volume_uuid")?;
    let of = VolumeId::new(ask.required("volume_uuid", of)?);
    let server = ask.id("instance_uuid")?;
    let connector = ask.object("connector")?;
    let mode = ask.text("mode", 2..=2)?;
    ask.finish()?;
    if connector.is_some() {
        return Err(Error::invalid(NO_WAY).into());
    }
    let read_only = match mode.as_deref() {
        None | Some("rw") => false,
        Some("ro") => true,
        Some(other) => return Err(wrong("mode", &json!(other), "It is not one of ['rw', 'ro'].")),
    };
    let (allowed, actor) = (cx.allowed()?.clone(), cx.actor());
    let made = room.store.write(move |tx| -> Result<_> {
        let before = volume::table::get(tx, &allowed, &of)?;
        if before.status != "available" {
            let sentence =
                format!("Volume {of} status must be available to reserve, but the current status is {}.", before.status);
            return Err(Error::invalid_volume(sentence));
        }
        let attachment = Attachment {
            id: AttachmentId::generate(),
            volume_id: of.clone(),
            server_id: server.clone(),
            by_compute: false,
            stage: Stage::Reserved,
            read_only,
            device: None,
            host: None,
            connector: None,
            created_at: Timestamp::now(),
            attached_at: None,
        };
        table::insert(tx, &actor, &before, &attachment)?;
        settle(tx, &actor, &before, "volume.reserve")?;
        Ok(attachment)
    });
    api::json(StatusCode::OK, &json!({"attachment": view(&made.await?, false)}))
}

/// Works out how far the attachments of a volume have come.
pub(crate) fn settle(tx: &mut Tx, actor: &store::Actor, before: &Volume, verb: &str) -> Result<Volume> {
    let mut after = before.clone();
    after.attach = table::furthest(tx, &before.id)?;
    after.forced_status = None;
    volume::table::save(tx, actor, verb, before, after)
}

async fn update(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "attachment").await?;
    ask.required_object("connector")?;
    ask.finish()?;
    let (allowed, id) = (cx.allowed()?.clone(), AttachmentId::new(cx.param("id")));
    room.store.read(move |tx| get(tx, &allowed, &id)).await?;
    Err(Error::invalid(NO_WAY).into())
}

async fn complete(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), AttachmentId::new(cx.param("id")));
    let (attachment, _) = room.store.read(move |tx| get(tx, &allowed, &id)).await?;
    Err(Error::invalid(format!("Attachment {} is not connected, so it cannot be complete. {NO_WAY}", attachment.id)).into())
}

async fn delete(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (allowed, id, actor) = (cx.allowed()?.clone(), AttachmentId::new(cx.param("id")), cx.actor());
    room.store
        .write(move |tx| -> Result<()> {
            let (attachment, before) = get(tx, &allowed, &id)?;
            refuse_computes(&attachment)?;
            table::remove(tx, &actor, &before, &attachment)?;
            settle(tx, &actor, &before, "volume.unreserve").map(drop)
        })
        .await?;
    api::json(StatusCode::OK, &json!({"attachments": []}))
}

/// What a server has open stays its own until compute says that it has let go: else a second one could open it.
pub(super) fn refuse_computes(attachment: &Attachment) -> Result<()> {
    if !attachment.by_compute {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "Detach volume from instance {} using the Compute API.",
        attachment.server_id.as_deref().unwrap_or_default()
    )))
}
