// SPDX-License-Identifier: Apache-2.0
//! `/group_snapshots`, from 3.14 on.

use std::sync::Arc;

use access::Target;
use api::{Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};
use store::Tx;
use types::Timestamp;

use super::{GroupSnapshot, policy, table};
use crate::{
    BlockStorage,
    error::{Error, Result},
    group,
    host::frozen,
    input::{argument, document, wrong},
    links,
    query::{self, Page},
    snapshot::{self, Snapshot},
    versions::{at_least, v},
    volume::{self, Volume, state::Life},
};

const ALL: &str = "/v3/group_snapshots";
const DETAIL: &str = "/v3/group_snapshots/detail";
const ONE: &str = "/v3/group_snapshots/{id}";
const ACTION: &str = "/v3/group_snapshots/{id}/action";
const STATUSES: [&str; 5] = ["creating", "available", "deleting", "error", "error_deleting"];

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new()
        .get(ALL, &policy::INDEX, list)
        .since(v(14))
        .post(ALL, &policy::CREATE, create)
        .since(v(14))
        .get(DETAIL, &policy::INDEX, list_detail)
        .since(v(14))
        .get(ONE, &policy::SHOW, show)
        .since(v(14))
        .put(ONE, &policy::UPDATE, update)
        .since(v(14))
        .delete(ONE, &policy::DELETE, delete)
        .since(v(14))
        .action(ACTION, "reset_status", &policy::RESET_STATUS, reset_status)
        .since(v(19))
        .each_asking(&[&policy::PROJECT])
}

fn brief(whole: &GroupSnapshot) -> Value {
    json!({"id": whole.id, "name": whole.name})
}

fn view(cx: &Cx, whole: &GroupSnapshot, parts: &[Life]) -> Value {
    let mut view = brief(whole);
    view["group_id"] = json!(whole.group_id);
    view["status"] = json!(whole.status(parts));
    view["created_at"] = json!(whole.created_at.naive_micros());
    view["description"] = json!(whole.description);
    view["group_type_id"] = json!(whole.group_type_id);
    if at_least(cx.version, 58) && cx.may(&policy::PROJECT, &Target::in_project(&whole.project_id)) {
        view["project_id"] = json!(whole.project_id);
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
    let (all, lives) = match query::reach(cx, cx.allowed()?)? {
        None => Default::default(),
        Some(allowed) => {
            let mut select = query::within(table::select(), &allowed);
            for (name, value) in cx.query().pairs() {
                select = match name {
                    "name" => select.filter("name = ", value),
                    "group_id" => select.filter("group_id = ", value),
                    _ => select,
                };
            }
            let column = |key: &str| match key {
                "id" => Some("id"),
                "created_at" => Some("created_at"),
                "name" => Some("name"),
                "group_id" => Some("group_id"),
                _ => None,
            };
            let select = page.of(select, column, &["name"])?;
            let read = room.store.list(move |tx| -> Result<_> {
                let all = table::rows(tx, &select)?;
                let lives = table::lives(tx, &all)?;
                Ok((all, lives))
            });
            read.await?
        }
    };
    let all = page.cut(all);
    let parts = |whole: &GroupSnapshot| lives.get(&whole.id).map(Vec::as_slice).unwrap_or_default();
    let one = |whole: &GroupSnapshot| if is_brief { brief(whole) } else { view(cx, whole, parts(whole)) };
    let mut document = json!({"group_snapshots": all.iter().map(one).collect::<Vec<Value>>()});
    if let Some(next) = links::next(cx, &page.paging, all.len(), all.last().map(|whole| whole.id.as_str())) {
        document["group_snapshot_links"] = json!(next);
    }
    api::json(StatusCode::OK, &document)
}

async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), cx.param("id").to_owned());
    let read = room.store.read(move |tx| -> Result<_> {
        let whole = table::get(tx, &allowed, &id)?;
        let lives = table::lives(tx, std::slice::from_ref(&whole))?.remove(&id).unwrap_or_default();
        Ok((whole, lives))
    });
    let (whole, lives) = read.await?;
    api::json(StatusCode::OK, &json!({"group_snapshot": view(&cx, &whole, &lives)}))
}

async fn create(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "group_snapshot").await?;
    let of = ask.id("group_id")?;
    let of = ask.required("group_id", of)?;
    let (name, description) = (ask.label("name")?.flatten(), ask.label("description")?.flatten());
    ask.finish()?;
    let (allowed, actor, user) = (cx.allowed()?.clone(), cx.actor(), cx.caller()?.user.id.clone());
    let write = room.store.write(move |tx| -> Result<_> {
        let group = group::table::get(tx, &allowed, &of)?;
        if group.deleting_at.is_some() {
            return Err(Error::invalid(format!("Invalid group: {of} is being deleted.")));
        }
        let volumes = volume::table::rows(tx, &volume::table::select().filter("group_id = ", of.as_str()))?;
        if volumes.is_empty() {
            return Err(Error::invalid(format!("Invalid group snapshot: group {of} holds no volume.")));
        }
        let whole = GroupSnapshot {
            id: uuid::Uuid::new_v4().to_string(),
            group_id: group.id,
            project_id: group.project_id,
            user_id: user.clone(),
            name: name.clone(),
            description: description.clone(),
            group_type_id: group.group_type_id,
            forced_status: None,
            deleting_at: None,
            revision: 1,
            created_at: Timestamp::now(),
        };
        table::insert(tx, &actor, &whole)?;
        let mut told = Vec::new();
        for volume in &volumes {
            snapshot::api::check(tx, volume, true)?;
            let part = Snapshot {
                name: name.clone(),
                description: description.clone(),
                group_snapshot_id: Some(whole.id.clone()),
                ..Snapshot::of(volume, &user)
            };
            told.push(snapshot::table::insert(tx, &actor, volume, part)?.1);
        }
        Ok((whole, told))
    });
    let (whole, told) = write.await?;
    told.iter().for_each(|volume| room.tell(volume));
    let mut view = brief(&whole);
    view["group_type_id"] = json!(whole.group_type_id);
    api::json(StatusCode::ACCEPTED, &json!({"group_snapshot": view}))
}

async fn update(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "group_snapshot").await?;
    let (name, description) = (ask.label("name")?, ask.label("description")?);
    ask.finish()?;
    if name.is_none() && description.is_none() {
        return Err(Fault::bad_request("Invalid input: a group snapshot is updated in its name or description; none is said."));
    }
    let (allowed, id, actor) = (cx.allowed()?.clone(), cx.param("id").to_owned(), cx.actor());
    let write = room.store.write(move |tx| -> Result<_> {
        let before = table::get(tx, &allowed, &id)?;
        let mut after = before.clone();
        if let Some(name) = &name {
            after.name.clone_from(name);
        }
        if let Some(description) = &description {
            after.description.clone_from(description);
        }
        table::save(tx, &actor, &before, after.clone())?;
        let lives = table::lives(tx, std::slice::from_ref(&after))?.remove(&id).unwrap_or_default();
        Ok((after, lives))
    });
    let (whole, lives) = write.await?;
    api::json(StatusCode::OK, &json!({"group_snapshot": view(&cx, &whole, &lives)}))
}

/// It is gone when the last of its parts is.
async fn delete(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (allowed, id, actor) = (cx.allowed()?.clone(), cx.param("id").to_owned(), cx.actor());
    let told = room
        .store
        .write(move |tx| -> Result<Vec<Volume>> {
            let before = table::get(tx, &allowed, &id)?;
            let parts = snapshot::table::of_group(tx, &id)?;
            if before.deleting_at.is_none() {
                let lives: Vec<Life> = parts.iter().map(|part| part.life).collect();
                let status = before.status(&lives);
                if !["available", "error"].contains(&status.as_str()) {
                    let sentence = format!("Invalid group snapshot: its status must be available or error, and is {status}.");
                    return Err(Error::invalid(sentence));
                }
                let after = GroupSnapshot { deleting_at: Some(Timestamp::now()), ..before.clone() };
                table::save(tx, &actor, &before, after)?;
            }
            let mut told = Vec::new();
            for part in parts.iter().filter(|part| part.deleting_at.is_none()) {
                told.push(end(tx, &actor, part)?);
            }
            Ok(told)
        })
        .await?;
    told.iter().for_each(|volume| room.tell(volume));
    Ok(api::empty(StatusCode::ACCEPTED))
}

fn end(tx: &mut Tx, actor: &store::Actor, part: &Snapshot) -> Result<Volume> {
    let volume = volume::table::find(tx, &part.volume_id)?.ok_or_else(|| volume::table::missing(&part.volume_id))?;
    frozen::refuse(tx, volume.node_id.as_ref())?;
    snapshot::table::begin_deletion(tx, actor, part)?;
    snapshot::table::touch(tx, actor, &volume)
}

async fn reset_status(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
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
            let lives = table::lives(tx, std::slice::from_ref(&before))?.remove(&id).unwrap_or_default();
            let mut after = GroupSnapshot { forced_status: None, ..before.clone() };
            after.forced_status = Some(status.clone()).filter(|status| after.status(&lives) != *status);
            table::save(tx, &actor, &before, after)
        })
        .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}
