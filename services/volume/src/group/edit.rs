// SPDX-License-Identifier: Apache-2.0
//! What is done to a group: its name, which volumes are in it, its end.

use std::sync::Arc;

use api::{Cx, Fault, Reply};
use http::StatusCode;
use serde_json::json;
use store::{Actor, Tx, params};
use types::{Timestamp, VolumeId};

use super::{Group, table};
use crate::{
    BlockStorage,
    error::{Error, Result},
    input::{Read, argument, document, is_uuid, wrong},
    volume::{
        self, Volume,
        delete::{self, With},
        state::Life,
    },
    volume_type,
};

const STATUSES: [&str; 6] = ["creating", "available", "deleting", "error", "error_deleting", "updating"];
/// Ids in one request.
const MOST: usize = 128;

pub(super) async fn update(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "group").await?;
    let name = ask.label("name")?;
    let description = ask.label("description")?;
    let add = ask.text_or_null("add_volumes", 0..=MOST * 37)?.flatten();
    let remove = ask.text_or_null("remove_volumes", 0..=MOST * 37)?.flatten();
    ask.finish()?;
    if name.is_none() && description.is_none() && add.is_none() && remove.is_none() {
        return Err(Fault::bad_request(
            "Name, description, add_volumes, and remove_volumes can not be all empty in the request body.",
        ));
    }
    let (add, remove) = (ids("add_volumes", add)?, ids("remove_volumes", remove)?);
    if let Some(both) = add.iter().find(|id| remove.contains(id)) {
        return Err(Fault::bad_request(format!("Volume {both} is in both add_volumes and remove_volumes.")));
    }
    let (allowed, id, actor) = (cx.allowed()?.clone(), cx.param("id").to_owned(), cx.actor());
    room.store
        .write(move |tx| -> Result<()> {
            let before = table::get(tx, &allowed, &id)?;
            if before.deleting_at.is_some() {
                return Err(Error::invalid(format!("Invalid group: {id} is being deleted.")));
            }
            for one in &remove {
                let volume = volume::table::get(tx, &allowed, one)?;
                if volume.group_id.as_ref() != Some(&before.id) {
                    let sentence = format!("Cannot remove volume {one} from group {id} because it is not in the group.");
                    return Err(Error::invalid_volume(sentence));
                }
                set(tx, &actor, &volume, None)?;
            }
            for one in &add {
                let volume = volume::table::get(tx, &allowed, one)?;
                check_addition(tx, &before, &volume)?;
                set(tx, &actor, &volume, Some(before.id.clone()))?;
            }
            let mut after = before.clone();
            if let Some(name) = &name {
                after.name.clone_from(name);
            }
            if let Some(description) = &description {
                after.description.clone_from(description);
            }
            table::save(tx, &actor, &before, after)
        })
        .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

/// Ids with commas between them.
fn ids(field: &str, text: Option<String>) -> Read<Vec<VolumeId>> {
    let mut ids = Vec::new();
    for id in text.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|id| !id.is_empty()) {
        if !is_uuid(id) {
            return Err(wrong(field, &json!(id), "It is not a UUID."));
        }
        ids.push(VolumeId::new(id));
    }
    Ok(ids)
}

fn check_addition(tx: &mut Tx, group: &Group, volume: &Volume) -> Result<()> {
    if volume.project_id != group.project_id {
        return Err(volume::table::missing(&volume.id));
    }
    let is_fit = ["available", "in-use"].contains(&volume.status.as_str()) && volume.life == Life::There;
    if !is_fit || volume.group_id.is_some() {
        return Err(Error::invalid_volume(format!(
            "Cannot add volume {} to group {}: it must be available or in-use, and in no group; it is {}.",
            volume.id, group.id, volume.status
        )));
    }
    let kind = volume_type::table::find(tx, &volume.type_id)?.ok_or_else(|| volume_type::table::missing(&volume.type_id))?;
    table::admit_type(tx, &group.id, &kind)
}

fn set(tx: &mut Tx, actor: &Actor, volume: &Volume, group: Option<String>) -> Result<()> {
    let after = Volume { group_id: group, ..volume.clone() };
    volume::table::save(tx, actor, "volume.group", volume, after).map(drop)
}

/// With its volumes if that is asked; it is gone when the last of them is.
pub(super) async fn delete(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = argument(&mut cx, "delete").await?;
    let with_volumes = ask.flag("delete-volumes")?.unwrap_or(false);
    ask.finish()?;
    let (allowed, id, actor) = (cx.allowed()?.clone(), cx.param("id").to_owned(), cx.actor());
    let going = room
        .store
        .write(move |tx| -> Result<Vec<Volume>> {
            let group = table::get(tx, &allowed, &id)?;
            if group.deleting_at.is_some() {
                return Ok(Vec::new());
            }
            let taken = tx.query_opt("SELECT 1 FROM volume_group_snapshots WHERE group_id = $1 LIMIT 1", &params![&id])?;
            if taken.is_some() {
                return Err(Error::invalid(format!("Invalid group: group {id} has group snapshots: delete them first.")));
            }
            let volumes = volume::table::rows(tx, &volume::table::select().filter("group_id = ", id.as_str()))?;
            if volumes.is_empty() {
                table::remove(tx, &actor, &group)?;
                return Ok(Vec::new());
            }
            if !with_volumes {
                let sentence = format!("Invalid group: group {id} still contains volumes. The delete-volumes flag is required.");
                return Err(Error::invalid(sentence));
            }
            let after = Group { deleting_at: Some(Timestamp::now()), ..group.clone() };
            table::save(tx, &actor, &group, after)?;
            volumes.iter().map(|volume| delete::begin(tx, &actor, volume, false, With::Group)).collect()
        })
        .await?;
    going.iter().for_each(|volume| room.tell(volume));
    Ok(api::empty(StatusCode::ACCEPTED))
}

pub(super) async fn reset_status(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = argument(&mut cx, "reset_status").await?;
    let status = ask.text("status", 1..=255)?;
    let status = ask.required("status", status)?.to_lowercase();
    ask.finish()?;
    if !STATUSES.contains(&status.as_str()) {
        return Err(wrong("status", &json!(status), &format!("It is not one of {STATUSES:?}.")));
    }
    let (allowed, id, actor) = (cx.allowed()?.clone(), cx.param("id").to_owned(), cx.actor());
    room.store
        .write(move |tx| -> Result<()> {
            let before = table::get(tx, &allowed, &id)?;
            let members = table::members(tx, std::slice::from_ref(&before))?.remove(&id).unwrap_or_default();
            let mut after = Group { forced_status: None, ..before.clone() };
            after.forced_status = Some(status.clone()).filter(|status| after.status(&members) != *status);
            table::save(tx, &actor, &before, after)
        })
        .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}
