// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/{collection}/{id}/tags`.
//!
//! Invariant: who may not change a thing cannot change its tags, and who may not see it does not learn that it is there
//! (test: `tags_of_others_are_out_of_reach`; OSSA-2024-005).

use std::sync::Arc;

use access::{Policy, Target};
use api::{Access, Cx, Fault, Reply, Routes, empty, json, no_content};
use http::StatusCode;
use serde_json::json;
use types::ProjectId;

use super::LONGEST;
use crate::{Error, Room, floating_ip, input, network, port, router, security_group, subnet, subnet_pool};

/// A collection whose things can have tags.
struct Tagged {
    collection: &'static str,
    update: &'static Policy,
}

static TAGGED: [Tagged; 7] = [
    Tagged { collection: "networks", update: &network::api::UPDATE },
    Tagged { collection: "subnets", update: &subnet::api::UPDATE },
    Tagged { collection: "ports", update: &port::api::UPDATE },
    Tagged { collection: "routers", update: &router::api::UPDATE },
    Tagged { collection: "floatingips", update: &floating_ip::api::UPDATE },
    Tagged { collection: "subnetpools", update: &subnet_pool::api::UPDATE },
    Tagged { collection: "security-groups", update: &security_group::api::UPDATE },
];

static PATHS: [(&str, &str); 7] = [
    ("/v2.0/networks/{id}/tags", "/v2.0/networks/{id}/tags/{tag}"),
    ("/v2.0/subnets/{id}/tags", "/v2.0/subnets/{id}/tags/{tag}"),
    ("/v2.0/ports/{id}/tags", "/v2.0/ports/{id}/tags/{tag}"),
    ("/v2.0/routers/{id}/tags", "/v2.0/routers/{id}/tags/{tag}"),
    ("/v2.0/floatingips/{id}/tags", "/v2.0/floatingips/{id}/tags/{tag}"),
    ("/v2.0/subnetpools/{id}/tags", "/v2.0/subnetpools/{id}/tags/{tag}"),
    ("/v2.0/security-groups/{id}/tags", "/v2.0/security-groups/{id}/tags/{tag}"),
];

pub fn routes(room: &Arc<Room>) -> Routes<Room> {
    let mut routes = Routes::new(room.clone());
    for (tagged, (all, one)) in TAGGED.iter().zip(&PATHS) {
        let asks = Access::Asks(tagged.update);
        routes = routes
            .get(all, &network::api::GET, move |room, cx| list(room, cx, tagged))
            .put(all, asks, move |room, cx| replace(room, cx, tagged))
            .delete(all, asks, move |room, cx| clear(room, cx, tagged))
            .get(one, &network::api::GET, move |room, cx| show(room, cx, tagged))
            .put(one, asks, move |room, cx| add(room, cx, tagged))
            .delete(one, asks, move |room, cx| remove(room, cx, tagged));
    }
    routes
}

async fn list(room: Arc<Room>, cx: Cx, tagged: &'static Tagged) -> Reply {
    let (id, _) = owner(&room, &cx, tagged).await?;
    let tags = room.read(move |tx| super::of_one(tx, &id)).await?;
    json(StatusCode::OK, &json!({ "tags": tags }))
}

async fn show(room: Arc<Room>, cx: Cx, tagged: &'static Tagged) -> Reply {
    let (id, _) = owner(&room, &cx, tagged).await?;
    let tag = cx.param("tag").to_owned();
    let tags = room.read(move |tx| super::of_one(tx, &id)).await?;
    if tags.contains(&tag) { no_content() } else { Err(Error::TagNotFound { tag }.into()) }
}

async fn replace(room: Arc<Room>, mut cx: Cx, tagged: &'static Tagged) -> Reply {
    let id = changeable(&room, &cx, tagged).await?;
    let mut body = input::Input::new(cx.json().await?);
    let Some(tags) = body.texts("tags")? else { return Err(Error::bad("Invalid tags body").into()) };
    body.finish()?;
    tags.iter().try_for_each(|tag| check(tag))?;
    let kept = tags.clone();
    room.write(move |tx| super::replace(tx, &id, &tags)).await?;
    json(StatusCode::OK, &json!({ "tags": kept }))
}

async fn clear(room: Arc<Room>, cx: Cx, tagged: &'static Tagged) -> Reply {
    let id = changeable(&room, &cx, tagged).await?;
    room.write(move |tx| super::forget(tx, &id)).await?;
    no_content()
}

async fn add(room: Arc<Room>, cx: Cx, tagged: &'static Tagged) -> Reply {
    let id = changeable(&room, &cx, tagged).await?;
    let tag = cx.param("tag").to_owned();
    check(&tag)?;
    room.write(move |tx| super::add(tx, &id, &tag)).await?;
    Ok(empty(StatusCode::CREATED))
}

async fn remove(room: Arc<Room>, cx: Cx, tagged: &'static Tagged) -> Reply {
    let id = changeable(&room, &cx, tagged).await?;
    let tag = cx.param("tag").to_owned();
    room.write(move |tx| super::remove(tx, &id, &tag)).await?;
    no_content()
}

async fn changeable(room: &Arc<Room>, cx: &Cx, tagged: &'static Tagged) -> Result<String, Fault> {
    let (id, target) = owner(room, cx, tagged).await?;
    cx.check(tagged.update, &target)?;
    Ok(id)
}

/// The thing, if the caller sees it, and what a rule may ask about it.
async fn owner(room: &Arc<Room>, cx: &Cx, tagged: &Tagged) -> Result<(String, Target), Fault> {
    let id = cx.param("id");
    let of = |project: &ProjectId| Target::in_project(project);
    let target = match tagged.collection {
        "networks" => of(&network::api::visible(room, cx, id).await?.project_id),
        "subnets" => subnet::api::visible(room, cx, id).await?.1,
        "ports" => port::api::visible(room, cx, id).await?.1,
        "routers" => of(&router::api::visible(room, cx, id).await?.project_id),
        "subnetpools" => of(&subnet_pool::api::visible(room, cx, id).await?.project_id),
        "floatingips" => of(&floating_ip::api::visible(room, cx, id).await?.project_id),
        _ => of(&security_group::api::visible(room, cx, id).await?.project_id),
    };
    Ok((id.to_owned(), target))
}

fn check(tag: &str) -> crate::Result<()> {
    if tag.is_empty() || tag.chars().count() > LONGEST {
        return Err(input::bad("tags", format!("a tag has 1 to {LONGEST} characters")));
    }
    Ok(())
}
