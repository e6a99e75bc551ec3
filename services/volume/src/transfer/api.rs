// SPDX-License-Identifier: Apache-2.0
//! `/os-volume-transfer`, and its newer name `/volume-transfers` (3.55).

use std::sync::Arc;

use api::{Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};
use store::{Actor, Select, Tx};
use types::{ProjectId, Secret, Timestamp, UserId, VolumeId};

use super::{Transfer, table};
use crate::{
    BlockStorage,
    error::{Error, Result},
    input::document,
    links,
    query::{self, Page},
    quota::{self, Growth},
    snapshot,
    transfer::policy,
    versions::{at_least, v},
    volume::{self, Volume},
    volume_type,
};

const OLD: [&str; 4] = [
    "/v3/os-volume-transfer",
    "/v3/os-volume-transfer/detail",
    "/v3/os-volume-transfer/{id}",
    "/v3/os-volume-transfer/{id}/accept",
];
const NEW: [&str; 4] =
    ["/v3/volume-transfers", "/v3/volume-transfers/detail", "/v3/volume-transfers/{id}", "/v3/volume-transfers/{id}/accept"];

pub(super) fn routes() -> Routes<BlockStorage> {
    let [all, detail, one, accepting] = NEW;
    let newer = Routes::new()
        .get(all, &policy::INDEX, list)
        .since(v(55))
        .post(all, &policy::CREATE, create)
        .since(v(55))
        .get(detail, &policy::INDEX, list_detail)
        .since(v(55))
        .get(one, &policy::SHOW, show)
        .since(v(55))
        .delete(one, &policy::DELETE, delete)
        .since(v(55))
        .post(accepting, &policy::ACCEPT, accept)
        .since(v(55));
    let [all, detail, one, accepting] = OLD;
    Routes::new()
        .get(all, &policy::INDEX, list)
        .post(all, &policy::CREATE, create)
        .get(detail, &policy::INDEX, list_detail)
        .get(one, &policy::SHOW, show)
        .delete(one, &policy::DELETE, delete)
        .post(accepting, &policy::ACCEPT, accept)
        .join(newer)
}

fn view(cx: &Cx, transfer: &Transfer, is_brief: bool) -> Value {
    let mut view = json!({
        "id": transfer.id,
        "volume_id": transfer.volume_id,
        "name": transfer.name,
        "links": links::links(cx, "os-volume-transfer", &transfer.id),
    });
    if !is_brief {
        view["created_at"] = json!(transfer.created_at.naive_micros());
        if at_least(cx.version, 55) {
            view["no_snapshots"] = json!(transfer.no_snapshots);
        }
        if at_least(cx.version, 57) {
            view["source_project_id"] = json!(transfer.project_id);
            view["destination_project_id"] = Value::Null;
            view["accepted"] = json!(false);
        }
    }
    view
}

async fn list(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    render(&room, &cx, true).await
}

async fn list_detail(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    render(&room, &cx, false).await
}

async fn render(room: &BlockStorage, cx: &Cx, is_brief: bool) -> Reply {
    let page = Page::read(cx)?;
    let transfers = match query::reach(cx, cx.allowed()?)? {
        None => Vec::new(),
        Some(allowed) => {
            let mut select = query::within(Select::new("volume_transfers", table::COLUMNS), &allowed);
            for (name, value) in cx.query().pairs() {
                select = match name {
                    "name" => select.filter("name = ", value),
                    "volume_id" => select.filter("volume_id = ", value),
                    _ => select,
                };
            }
            let column = |key: &str| match key {
                "id" => Some("id"),
                "created_at" => Some("created_at"),
                "name" => Some("name"),
                _ => None,
            };
            let select = page.of(select, column, &["name"])?;
            room.store.list(move |tx| table::rows(tx, &select)).await?
        }
    };
    let views: Vec<Value> = page.cut(transfers).iter().map(|transfer| view(cx, transfer, is_brief)).collect();
    api::json(StatusCode::OK, &json!({"transfers": views}))
}

async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), cx.param("id").to_owned());
    let transfer = room.store.read(move |tx| table::get(tx, &allowed, &id)).await?;
    api::json(StatusCode::OK, &json!({"transfer": view(&cx, &transfer, false)}))
}

/// Random hex digits.
fn word(bytes: usize) -> Result<String, Fault> {
    let mut word = vec![0; bytes];
    getrandom::fill(&mut word).map_err(|error| Fault::internal(format!("draw random numbers: {error}")))?;
    Ok(hex::encode(word))
}

async fn create(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "transfer").await?;
    let of = ask.id("volume_id")?;
    let of = VolumeId::new(ask.required("volume_id", of)?);
    let name = ask.label("name")?.flatten();
    let no_snapshots = if at_least(cx.version, 55) { ask.flag("no_snapshots")?.unwrap_or(false) } else { false };
    ask.finish()?;
    let (key, salt) = (word(8)?, word(8)?);
    let (allowed, actor) = (cx.allowed()?.clone(), cx.actor());
    let key_hash = table::hash(&salt, &key);
    let write = room.store.write(move |tx| -> Result<Transfer> {
        let before = volume::table::get(tx, &allowed, &of)?;
        if before.status != "available" || before.group_id.is_some() {
            return Err(Error::invalid_volume(format!(
                "Volume {of} status must be available, and it in no group, to be offered, it is {}.",
                before.status
            )));
        }
        if no_snapshots && !snapshot::table::of_volume(tx, &of)?.is_empty() {
            return Err(Error::invalid_volume(format!("Volume {of} has snapshots, which go with it: delete them first.")));
        }
        let transfer = Transfer {
            id: uuid::Uuid::new_v4().to_string(),
            volume_id: of.clone(),
            project_id: before.project_id.clone(),
            name: name.clone(),
            salt: salt.clone(),
            key_hash: Secret::new(key_hash.clone()),
            no_snapshots,
            created_at: Timestamp::now(),
        };
        table::insert(tx, &actor, &transfer)?;
        let after = Volume { transfer_id: Some(transfer.id.clone()), ..before.clone() };
        volume::table::save(tx, &actor, "volume.offer", &before, after)?;
        Ok(transfer)
    });
    let transfer = write.await?;
    let mut view = view(&cx, &transfer, false);
    view["auth_key"] = json!(key);
    api::json(StatusCode::ACCEPTED, &json!({"transfer": view}))
}

async fn delete(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (allowed, id, actor) = (cx.allowed()?.clone(), cx.param("id").to_owned(), cx.actor());
    room.store
        .write(move |tx| -> Result<()> {
            let transfer = table::get(tx, &allowed, &id)?;
            table::remove(tx, &actor, &transfer)?;
            let Some(before) = volume::table::find(tx, &transfer.volume_id)? else { return Ok(()) };
            let after = Volume { transfer_id: None, ..before.clone() };
            volume::table::save(tx, &actor, "volume.offer.end", &before, after).map(drop)
        })
        .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

async fn accept(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "accept").await?;
    let key = ask.text("auth_key", 1..=255)?;
    let key = ask.required("auth_key", key)?;
    ask.finish()?;
    let (project, user) = (cx.project()?.clone(), cx.caller()?.user.id.clone());
    let (id, actor) = (cx.param("id").to_owned(), cx.actor());
    let transfer = room.store.write(move |tx| take(tx, &actor, &id, &key, &project, &user)).await?;
    api::json(StatusCode::ACCEPTED, &json!({"transfer": view(&cx, &transfer, true)}))
}

/// Whoever has the key may take it: to others an offer is told of no more than its id.
fn take(tx: &mut Tx, actor: &Actor, id: &str, key: &str, project: &ProjectId, user: &UserId) -> Result<Transfer> {
    let transfer = table::find(tx, id)?;
    if !table::opens(&transfer, key) {
        return Err(Error::invalid(format!("Attempt to transfer {id} with invalid auth key.")));
    }
    let before = volume::table::find(tx, &transfer.volume_id)?.ok_or_else(|| volume::table::missing(&transfer.volume_id))?;
    let kind = volume_type::table::find(tx, &before.type_id)?.ok_or_else(|| volume_type::table::missing(&before.type_id))?;
    // The operator may have said that it is free, and somebody may have taken it since.
    if before.status != "awaiting-transfer" || before.transfer_id.as_deref() != Some(id) {
        return Err(Error::invalid_volume(format!("Volume {} is not offered any more: it is {}.", before.id, before.status)));
    }
    if !volume_type::table::may_use(tx, project, &kind)? {
        let sentence = format!("The type of volume {} is not for this project: the operator may give it to it.", before.id);
        return Err(Error::invalid_volume(sentence));
    }
    let snapshots = snapshot::table::of_volume(tx, &before.id)?;
    if before.project_id != *project {
        let gigabytes = before.wanted_size + snapshots.iter().map(|snapshot| snapshot.size).sum::<i64>();
        let growth = Growth {
            volumes: 1,
            snapshots: i64::try_from(snapshots.len()).unwrap_or(i64::MAX),
            gigabytes,
            largest: before.wanted_size,
        };
        quota::check(tx, project, &kind, &growth)?;
    }
    for snapshot in &snapshots {
        let after = snapshot::Snapshot { project_id: project.clone(), user_id: user.clone(), ..snapshot.clone() };
        snapshot::table::save(tx, actor, "snapshot.transfer", snapshot, after)?;
    }
    table::remove(tx, actor, &transfer)?;
    let after = Volume { transfer_id: None, project_id: project.clone(), user_id: user.clone(), ..before.clone() };
    volume::table::save(tx, actor, "volume.transfer", &before, after)?;
    Ok(transfer)
}
