// SPDX-License-Identifier: Apache-2.0
//! `/v3/OS-FEDERATION/identity_providers/{id}/protocols`

use std::{collections::HashMap, sync::Arc};

use access::Policy;
use api::{Cx, Reply, Routes, json, no_content};
use http::StatusCode;
use serde::Serialize;

use super::{NewProtocol, Protocol, table};
use crate::{
    Identity,
    federation::{chosen_id, provider},
    power::Wielder,
    reply,
};

static LIST: Policy = Policy::new(
    "identity:list_protocols",
    "rule:admin_required or (role:reader and system_scope:all)",
    "List an identity provider's protocols",
);
static GET: Policy = Policy::new(
    "identity:get_protocol",
    "rule:admin_required or (role:reader and system_scope:all)",
    "Show an identity provider's protocol",
);
static CREATE: Policy = Policy::new("identity:create_protocol", "rule:admin_required", "Add a protocol to an identity provider");
static UPDATE: Policy = Policy::new("identity:update_protocol", "rule:admin_required", "Change an identity provider's protocol");
static DELETE: Policy = Policy::new("identity:delete_protocol", "rule:admin_required", "Remove an identity provider's protocol");

const ONE: &str = "/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}";

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols", &LIST, list)
        .get(ONE, &GET, show)
        .put(ONE, &CREATE, create)
        .patch(ONE, &UPDATE, update)
        .delete(ONE, &DELETE, delete)
}

#[derive(Serialize)]
struct View<'a> {
    #[serde(flatten)]
    protocol: &'a Protocol,
    links: HashMap<&'static str, String>,
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, provider) = (cx.allowed()?.clone(), cx.param("idp_id").to_owned());
    let protocols = room.list(move |tx| table::list(tx, &allowed, &provider)).await?;
    let views: Vec<_> = protocols.iter().map(|protocol| view(&cx, protocol)).collect();
    reply::collection(&cx, "protocols", &views)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, (provider, id)) = (cx.allowed()?.clone(), names(&cx));
    let protocol = room.read(move |tx| table::get(tx, &allowed, &provider, &id)).await?;
    answer(&cx, StatusCode::OK, &protocol)
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewProtocol = cx.document("protocol").await?;
    let (allowed, actor, (provider, _)) = (cx.allowed()?.clone(), cx.actor(), names(&cx));
    let id = chosen_id(&cx, "protocol_id")?;
    let wielder = Wielder::of(&room, &cx).await?;
    let protocol = room
        .change(move |tx| {
            let over = wielder.over_cloud(tx)?;
            table::create(tx, &allowed, &over, &actor, &provider, &id, &new)
        })
        .await?;
    answer(&cx, StatusCode::CREATED, &protocol)
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: NewProtocol = cx.document("protocol").await?;
    let (allowed, actor, (provider, id)) = (cx.allowed()?.clone(), cx.actor(), names(&cx));
    let wielder = Wielder::of(&room, &cx).await?;
    let protocol = room
        .change(move |tx| {
            let over = wielder.over_cloud(tx)?;
            table::update(tx, &allowed, &over, &actor, &provider, &id, &update)
        })
        .await?;
    answer(&cx, StatusCode::OK, &protocol)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, (provider, id)) = (cx.allowed()?.clone(), cx.actor(), names(&cx));
    let wielder = Wielder::of(&room, &cx).await?;
    room.change(move |tx| {
        let over = wielder.over_cloud(tx)?;
        table::delete(tx, &allowed, &over, &actor, &provider, &id)
    })
    .await?;
    no_content()
}

fn names(cx: &Cx) -> (String, String) {
    (cx.param("idp_id").to_owned(), cx.param("protocol_id").to_owned())
}

fn answer(cx: &Cx, status: StatusCode, protocol: &Protocol) -> Reply {
    json(status, &HashMap::from([("protocol", view(cx, protocol))]))
}

fn view<'a>(cx: &Cx, protocol: &'a Protocol) -> View<'a> {
    let provider = provider::api::url(cx, &protocol.provider_id);
    let own = format!("{provider}/protocols/{}", protocol.id);
    View { protocol, links: HashMap::from([("self", own), ("identity_provider", provider)]) }
}
