// SPDX-License-Identifier: Apache-2.0
//! `/servers/{id}/os-volume_attachments`: which volumes a server has, and attaching and detaching them while it runs. That a
//! volume is the server's own is so before the answer; that it is plugged in follows.

use std::sync::Arc;

use api::{Cx, Fault, Reply, Shown, attributes};
use contracts::{
    RefusalKind,
    node::Feature,
    volumes::{VolumeAsk as Asked, VolumeWish},
};
use http::StatusCode;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use types::{Microversion, ServerId, VolumeId};

use super::{Attached, MOST, create::refused, free_device};
use crate::{
    Compute,
    error::{Error, Result},
    input::{Object, Read, body, text, wrong},
    instance_action::Action,
    server::{
        Server, action,
        claim::{self, Claim},
        guard::Guard,
        operation::{Ask, Stage, VolumeAsk, admission::Act},
        state::Power,
        tags,
    },
    versions::{at_least, v},
};

/// A volume of a server, as a version tells of it.
pub(in crate::server) struct Attachment<'a> {
    cx: &'a Cx,
    server: &'a ServerId,
    /// The claim by which the server holds it.
    claim: &'a str,
    volume: &'a Attached,
}

impl Shown for Attachment<'_> {
    fn version(&self) -> Microversion {
        self.cx.version
    }

    fn may(&self, _policy: &'static access::Policy) -> bool {
        false
    }
}

attributes! {
    /// What is told of a volume of a server.
    ATTACHMENT, fn attachment(it: &Attachment<'_>);
    "id" until(v(88)) => it.volume.ask.volume_id,
    "serverId" => it.server,
    "volumeId" => it.volume.ask.volume_id,
    "device" => it.volume.device,
    "tag" since(v(70)) => it.volume.tag,
    "delete_on_termination" since(v(79)) => it.volume.delete_on_termination,
    "attachment_id" since(v(89)) => it.volume.ask.attachment_id,
    "bdm_uuid" since(v(89)) => it.claim,
}

impl Serialize for Attachment<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut view = serializer.serialize_map(None)?;
        attachment(self, &mut view)?;
        view.end()
    }
}

pub(in crate::server) async fn list(room: Arc<Compute>, cx: Cx) -> Reply {
    let (server, claims) = look(&room, &cx).await?;
    let (limit, offset) = (number(&cx, "limit")?, number(&cx, "offset")?.unwrap_or_default());
    let volumes = claims.iter().filter_map(|claim| attached(&cx, &server, claim));
    let views: Vec<Attachment> = volumes.skip(offset).take(limit.unwrap_or(1000)).collect();
    api::json(StatusCode::OK, &json!({"volumeAttachments": views}))
}

pub(in crate::server) async fn show(room: Arc<Compute>, cx: Cx) -> Reply {
    let (server, claims) = look(&room, &cx).await?;
    let id = cx.param("volume");
    let found = claims.iter().filter_map(|claim| attached(&cx, &server, claim)).find(|one| one.volume.id().as_str() == id);
    let found = found.ok_or_else(|| not_attached(&server, id))?;
    api::json(StatusCode::OK, &json!({"volumeAttachment": found}))
}

/// What is asked of a volume that shall come.
struct Wish {
    volume: VolumeId,
    tag: Option<String>,
    delete_on_termination: bool,
}

pub(in crate::server) async fn attach(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let wish = read(&mut cx).await?;
    let server = demand(&room, &cx, Act::AttachVolume).await?;
    check_free(&room, &server, &wish.volume).await?;
    let asked = plan(&room, &cx, &wish.volume).await?;
    let (tag, delete_on_termination) = (wish.tag, wish.delete_on_termination);
    let (volume, ask) = (wish.volume, asked.clone());
    let server = action::begin_with(&room, &cx, Act::AttachVolume, Action::AttachVolume, move |tx, server| {
        let held = claim::of_server(tx, &server.id)?;
        if held.iter().any(|claim| claim.volume.as_ref().is_some_and(|one| *one.id() == volume)) {
            return Err(Error::invalid(already(server, &volume)));
        }
        let taken: Vec<String> = held.iter().filter_map(|claim| Some(claim.volume.as_ref()?.device.clone())).collect();
        let device = free_device(&taken).ok_or_else(|| Error::forbidden(too_many()))?;
        let attached = Attached { ask: ask.clone(), device, boots: false, tag: tag.clone(), delete_on_termination };
        claim::add_volume(tx, &server.id, &attached)?;
        Ok((Ask::AttachVolume(VolumeAsk { volume_id: volume.clone() }), Stage::Wiring))
    })
    .await?;
    if let Err(refusal) = room.volumes.reserve(&server.project_id, &server.id, &asked).await {
        // Whoever asked hears why; what he hears is not found as a fault of his server as well.
        room.undo(&server, &refusal.clone().into()).await?;
        return Err(refused(refusal));
    }
    work::crash::point("compute.volume.reserved");
    room.bell.ring_for([server.id.as_str()]);
    let claims = claims_of(&room, &server).await?;
    let made = claims.iter().filter_map(|claim| claim.volume.as_ref()).find(|volume| *volume.id() == asked.volume_id);
    let made =
        made.ok_or_else(|| Fault::conflict(format!("The attachment of volume {} was undone meanwhile.", asked.volume_id)))?;
    // It is called by its volume in every version.
    let mut view = json!({"id": made.id(), "serverId": server.id, "volumeId": made.id(), "device": made.device});
    if at_least(cx.version, 70) {
        view["tag"] = json!(made.tag);
    }
    if at_least(cx.version, 79) {
        view["delete_on_termination"] = json!(made.delete_on_termination);
    }
    api::json(StatusCode::OK, &json!({"volumeAttachment": view}))
}

pub(in crate::server) async fn detach(room: Arc<Compute>, cx: Cx) -> Reply {
    let id = VolumeId::new(cx.param("volume"));
    let (server, claims) = look(&room, &cx).await?;
    let attached = claims.iter().filter_map(|claim| claim.volume.as_ref()).find(|volume| *volume.id() == id);
    let attached = attached.ok_or_else(|| not_attached(&server, id.as_str()))?.clone();
    if attached.boots {
        return Err(Fault::forbidden("Cannot detach a root device volume"));
    }
    demand(&room, &cx, Act::DetachVolume).await?;
    let volume = id.clone();
    let server = action::begin_with(&room, &cx, Act::DetachVolume, Action::DetachVolume, move |tx, server| {
        let held = claim::of_server(tx, &server.id)?;
        if !held.iter().any(|claim| claim.volume.as_ref().is_some_and(|one| *one.id() == volume)) {
            return Err(Error::not_found(format!("Instance {} is not attached to volume {volume}.", server.id)));
        }
        server.change_nics();
        Ok((Ask::DetachVolume(VolumeAsk { volume_id: volume.clone() }), Stage::Unplugging))
    })
    .await?;
    // That its owner sees it on its way is worth no failure: that it went, its room hears for certain.
    if let Err(refusal) = room.volumes.unplugging(&server.id, &attached.ask).await {
        tracing::warn!(server = %server.id, volume = %id, %refusal, "its room does not know that a volume is about to go");
    }
    Ok(api::empty(StatusCode::ACCEPTED))
}

/// Says whether a volume goes with its server. Another volume in its place is not given.
pub(in crate::server) async fn update(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let (version, id) = (cx.version, VolumeId::new(cx.param("volume")));
    let mut asked = body(&mut cx).await?;
    let mut ask = asked.required_object("volumeAttachment")?;
    asked.finish()?;
    let volume = uuid(&mut ask, "volumeId")?;
    let volume = ask.required("volumeId", volume)?;
    let mut said = Vec::new();
    let mut deletes = None;
    if at_least(version, 85) {
        for key in ["id", "serverId", "device", "tag"] {
            said.extend(ask.take_some(key).map(|value| (key, value)));
        }
        deletes = ask.flag("delete_on_termination")?;
    }
    ask.finish()?;
    // Until 2.85 this call did nothing but exchange volumes.
    if volume != id.as_str() || !at_least(version, 85) {
        let (server, claims) = look(&room, &cx).await?;
        let attached = claims.iter().filter_map(|claim| claim.volume.as_ref()).any(|one| *one.id() == id);
        if !attached {
            return Err(not_attached(&server, id.as_str()));
        }
        // Only a volume that the volume service moves is exchanged, and here none moves.
        return Err(Fault::conflict(format!("volume {id} is not migrating; this API should only be called by Cinder")));
    }
    action::edit(&room, &cx, Act::UpdateVolume, "server.volume.update", move |tx, server| {
        let held = claim::of_server(tx, &server.id)?;
        let found = held.into_iter().filter_map(|claim| claim.volume).find(|one| *one.id() == id);
        let mut found =
            found.ok_or_else(|| Error::not_found(format!("Instance {} is not attached to volume {id}.", server.id)))?;
        let is = |key: &str| match key {
            "id" => json!(found.id()),
            "serverId" => json!(server.id),
            "device" => json!(found.device),
            _ => json!(found.tag),
        };
        if let Some((key, _)) = said.iter().find(|(key, value)| is(key) != *value) {
            return Err(Error::invalid(format!("The {key} of an attachment cannot be changed.")));
        }
        let Some(deletes) = deletes else { return Ok(()) };
        found.delete_on_termination = deletes;
        claim::set_volume(tx, &server.id, &found)
    })
    .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

async fn read(cx: &mut Cx) -> Read<Wish> {
    let version = cx.version;
    let mut asked = body(cx).await?;
    let mut ask = asked.required_object("volumeAttachment")?;
    asked.finish()?;
    let volume = uuid(&mut ask, "volumeId")?;
    let volume = VolumeId::new(ask.required("volumeId", volume)?);
    if let Some(device) = ask.take_some("device") {
        let name = text("device", device, 1..=255)?;
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_name(name.strip_prefix("/dev/").unwrap_or(&name)) {
            return Err(wrong("device", &json!(name), "It is not the name of a device."));
        }
    }
    let tag = if at_least(version, 49) { tags::of_device(&mut ask)? } else { None };
    let delete_on_termination = if at_least(version, 79) { ask.flag("delete_on_termination")?.unwrap_or(false) } else { false };
    ask.finish()?;
    Ok(Wish { volume, tag, delete_on_termination })
}

fn uuid(ask: &mut Object, key: &str) -> Read<Option<String>> {
    let parse = |text: String| match uuid::Uuid::try_parse(&text) {
        Ok(id) => Ok(id.to_string()),
        Err(_) => Err(wrong(key, &json!(text), "It is not a 'uuid'.")),
    };
    ask.text(key, 1..=255)?.map(parse).transpose()
}

async fn plan(room: &Compute, cx: &Cx, volume: &VolumeId) -> Read<Asked> {
    let wishes = [VolumeWish::Volume(volume.clone())];
    let planned = room.volumes.plan(cx.caller()?, &wishes).await.map_err(|refusal| match refusal.kind {
        RefusalKind::Conflict => refused(refusal),
        _ => refusal.into(),
    })?;
    planned.into_iter().next().ok_or_else(|| Fault::not_found(format!("Volume {volume} could not be found.")))
}

async fn check_free(room: &Compute, server: &Server, volume: &VolumeId) -> Read<()> {
    let claims = claims_of(room, server).await?;
    let mut volumes = claims.iter().filter_map(|claim| claim.volume.as_ref());
    match volumes.any(|one| one.id() == volume) {
        true => Err(Fault::bad_request(already(server, volume))),
        false => Ok(()),
    }
}

/// A machine that is off has its disks at its next start; into one that is on the host must know how to plug them.
async fn demand(room: &Compute, cx: &Cx, act: Act) -> Read<Server> {
    let server = action::demand(room, cx, act, Feature::Volumes).await?;
    if server.power != Power::Stopped {
        action::demand(room, cx, act, Feature::HotPlug).await?;
    }
    Ok(server)
}

async fn look(room: &Compute, cx: &Cx) -> Read<(Server, Vec<Claim>)> {
    let guard = Guard::of(cx)?;
    let found = room.store.read(move |tx| -> Result<_> {
        let server = guard.find(tx)?;
        let claims = claim::of_server(tx, &server.id)?;
        Ok((server, claims))
    });
    Ok(found.await?)
}

async fn claims_of(room: &Compute, server: &Server) -> Result<Vec<Claim>> {
    let id = server.id.clone();
    room.store.read(move |tx| claim::of_server(tx, &id)).await
}

fn attached<'a>(cx: &'a Cx, server: &'a Server, claim: &'a Claim) -> Option<Attachment<'a>> {
    Some(Attachment { cx, server: &server.id, claim: &claim.id, volume: claim.volume.as_ref()? })
}

fn number(cx: &Cx, key: &str) -> Read<Option<usize>> {
    let Some((_, said)) = cx.query().pairs().find(|(name, _)| *name == key) else { return Ok(None) };
    match said.parse::<u32>() {
        Ok(number) => Ok(Some(number as usize)),
        Err(_) => Err(wrong(key, &Value::String(said.to_owned()), "It is not a whole number.")),
    }
}

fn not_attached(server: &Server, volume: &str) -> Fault {
    Fault::not_found(format!("Instance {} is not attached to volume {volume}.", server.id))
}

fn already(server: &Server, volume: &VolumeId) -> String {
    format!("Invalid volume: volume {volume} already attached to instance {}", server.id)
}

fn too_many() -> String {
    format!("The maximum allowed number of disk devices ({MOST}) to attach to a single instance has been exceeded.")
}
