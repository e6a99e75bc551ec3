// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/{collection}/{id}/tags`.
//!
//! Invariant: who may not change a thing cannot change its tags, and who may not see it does not learn that it is there
//! (test: `tags_of_others_are_out_of_reach`; OSSA-2024-005).

use std::sync::Arc;

use access::Allowed;
use api::{Access, Cx, Fault, Reply, Routes, empty, json, no_content};
use http::StatusCode;
use serde_json::json;

use super::LONGEST;
use crate::{
    Error, Room, input,
    resource::{self, Served},
};

/// The routes of the tags of one kind of resource, for its drawer to join.
pub fn routes<R: Served>(all: &'static str, one: &'static str) -> Routes<Room> {
    let asks = Access::Asks(R::UPDATE);
    Routes::new()
        .get(all, Access::Asks(R::GET), list::<R>)
        .put(all, asks, replace::<R>)
        .delete(all, asks, clear::<R>)
        .get(one, Access::Asks(R::GET), show::<R>)
        .put(one, asks, add::<R>)
        .delete(one, asks, remove::<R>)
}

async fn list<R: Served>(room: Arc<Room>, cx: Cx) -> Reply {
    let (row, _) = resource::visible::<R>(&room, &cx, cx.param("id")).await?;
    let tags = room.read(move |tx| super::of_one(tx, row.id())).await?;
    json(StatusCode::OK, &json!({ "tags": tags }))
}

async fn show<R: Served>(room: Arc<Room>, cx: Cx) -> Reply {
    let (row, _) = resource::visible::<R>(&room, &cx, cx.param("id")).await?;
    let tag = cx.param("tag").to_owned();
    let tags = room.read(move |tx| super::of_one(tx, row.id())).await?;
    if tags.contains(&tag) { no_content() } else { Err(Error::TagNotFound { tag }.into()) }
}

async fn replace<R: Served>(room: Arc<Room>, mut cx: Cx) -> Reply {
    let allowed = changeable::<R>(&room, &cx).await?;
    let mut body = input::Input::new(cx.json().await?);
    let Some(tags) = body.texts("tags")? else { return Err(Error::bad("Invalid tags body").into()) };
    body.finish()?;
    tags.iter().try_for_each(|tag| check(tag))?;
    let kept = tags.clone();
    room.write(move |tx| super::replace(tx, &allowed, &tags)).await?;
    json(StatusCode::OK, &json!({ "tags": kept }))
}

async fn clear<R: Served>(room: Arc<Room>, cx: Cx) -> Reply {
    let allowed = changeable::<R>(&room, &cx).await?;
    room.write(move |tx| super::forget(tx, allowed.thing())).await?;
    no_content()
}

async fn add<R: Served>(room: Arc<Room>, cx: Cx) -> Reply {
    let allowed = changeable::<R>(&room, &cx).await?;
    let tag = cx.param("tag").to_owned();
    check(&tag)?;
    room.write(move |tx| super::add(tx, &allowed, &tag)).await?;
    Ok(empty(StatusCode::CREATED))
}

async fn remove<R: Served>(room: Arc<Room>, cx: Cx) -> Reply {
    let allowed = changeable::<R>(&room, &cx).await?;
    let tag = cx.param("tag").to_owned();
    room.write(move |tx| super::remove(tx, &allowed, &tag)).await?;
    no_content()
}

async fn changeable<R: Served>(room: &Arc<Room>, cx: &Cx) -> Result<Allowed<String>, Fault> {
    let (row, target) = resource::visible::<R>(room, cx, cx.param("id")).await?;
    cx.allow(R::UPDATE, &target, row.id().to_owned())
}

fn check(tag: &str) -> crate::Result<()> {
    if tag.is_empty() || tag.chars().count() > LONGEST {
        return Err(input::bad("tags", format!("a tag has 1 to {LONGEST} characters")));
    }
    Ok(())
}
