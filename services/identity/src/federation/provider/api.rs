// SPDX-License-Identifier: Apache-2.0
//! `/v3/OS-FEDERATION/identity_providers`

use std::{collections::HashMap, sync::Arc};

use access::Policy;
use api::{Cx, Fault, Reply, Routes, json, no_content};
use http::StatusCode;
use serde::Serialize;

use super::{IdentityProvider, NewProvider, ProviderUpdate, table};
use crate::{Identity, federation::chosen_id, filter, power::Wielder, reply};

static LIST: Policy = Policy::new(
    "identity:list_identity_providers",
    "rule:admin_required or (role:reader and system_scope:all)",
    "List identity providers",
);
static GET: Policy = Policy::new(
    "identity:get_identity_provider",
    "rule:admin_required or (role:reader and system_scope:all)",
    "Show an identity provider",
);
static CREATE: Policy = Policy::new("identity:create_identity_provider", "rule:admin_required", "Add an identity provider");
static UPDATE: Policy = Policy::new("identity:update_identity_provider", "rule:admin_required", "Change an identity provider");
static DELETE: Policy = Policy::new("identity:delete_identity_provider", "rule:admin_required", "Remove an identity provider");

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/OS-FEDERATION/identity_providers", &LIST, list)
        .get("/v3/OS-FEDERATION/identity_providers/{idp_id}", &GET, show)
        .put("/v3/OS-FEDERATION/identity_providers/{idp_id}", &CREATE, create)
        .patch("/v3/OS-FEDERATION/identity_providers/{idp_id}", &UPDATE, update)
        .delete("/v3/OS-FEDERATION/identity_providers/{idp_id}", &DELETE, delete)
}

#[derive(Serialize)]
struct View<'a> {
    #[serde(flatten)]
    provider: &'a IdentityProvider,
    links: HashMap<&'static str, String>,
}

/// The address of one.
pub fn url(cx: &Cx, id: &str) -> String {
    cx.url(&format!("/v3/OS-FEDERATION/identity_providers/{id}"))
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let select = filter::by_enabled(&cx, filter::by_text(&cx, table::select(cx.allowed()?), &[("id", "id = ")]))?;
    let providers = room.list(move |tx| table::list(tx, &select)).await?;
    let views: Vec<_> = providers.iter().map(|provider| view(&cx, provider)).collect();
    reply::collection(&cx, "identity_providers", &views)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), cx.param("idp_id").to_owned());
    let provider = room.read(move |tx| table::get(tx, &allowed, &id)).await?;
    answer(&cx, StatusCode::OK, &provider)
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewProvider = cx.document("identity_provider").await?;
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), chosen_id(&cx, "idp_id")?);
    let wielder = Wielder::of(&room, &cx).await?;
    let provider = room
        .change(move |tx| {
            let over = wielder.over_cloud(tx)?;
            table::create(tx, &allowed, &over, &actor, &id, &new)
        })
        .await?;
    answer(&cx, StatusCode::CREATED, &provider)
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: ProviderUpdate = cx.document("identity_provider").await?;
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), cx.param("idp_id").to_owned());
    let wielder = Wielder::of(&room, &cx).await?;
    let provider = room
        .change(move |tx| {
            let over = wielder.over_cloud(tx)?;
            table::update(tx, &allowed, &over, &actor, &id, &update)
        })
        .await?;
    answer(&cx, StatusCode::OK, &provider)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), cx.param("idp_id").to_owned());
    let wielder = Wielder::of(&room, &cx).await?;
    room.change(move |tx| {
        let over = wielder.over_cloud(tx)?;
        table::delete(tx, &allowed, &over, &actor, &id)
    })
    .await?;
    no_content()
}

fn answer(cx: &Cx, status: StatusCode, provider: &IdentityProvider) -> Result<api::Response, Fault> {
    json(status, &HashMap::from([("identity_provider", view(cx, provider))]))
}

fn view<'a>(cx: &Cx, provider: &'a IdentityProvider) -> View<'a> {
    let own = url(cx, &provider.id);
    let protocols = format!("{own}/protocols");
    View { provider, links: HashMap::from([("self", own), ("protocols", protocols)]) }
}
