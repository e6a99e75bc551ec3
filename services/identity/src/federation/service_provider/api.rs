// SPDX-License-Identifier: Apache-2.0
//! `/v3/OS-FEDERATION/service_providers`

use std::sync::Arc;

use access::Policy;
use api::{Cx, Reply, Routes, no_content};

use super::{NewServiceProvider, ServiceProviderUpdate, table};
use crate::{Identity, federation::chosen_id, filter, reply};

static LIST: Policy = Policy::new(
    "identity:list_service_providers",
    "rule:admin_required or (role:reader and system_scope:all)",
    "List service providers",
);
static GET: Policy = Policy::new(
    "identity:get_service_provider",
    "rule:admin_required or (role:reader and system_scope:all)",
    "Show a service provider",
);
static CREATE: Policy = Policy::new("identity:create_service_provider", "rule:admin_required", "Add a service provider");
static UPDATE: Policy = Policy::new("identity:update_service_provider", "rule:admin_required", "Change a service provider");
static DELETE: Policy = Policy::new("identity:delete_service_provider", "rule:admin_required", "Remove a service provider");

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/OS-FEDERATION/service_providers", &LIST, list)
        .get("/v3/OS-FEDERATION/service_providers/{sp_id}", &GET, show)
        .put("/v3/OS-FEDERATION/service_providers/{sp_id}", &CREATE, create)
        .patch("/v3/OS-FEDERATION/service_providers/{sp_id}", &UPDATE, update)
        .delete("/v3/OS-FEDERATION/service_providers/{sp_id}", &DELETE, delete)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let select = filter::by_enabled(&cx, filter::by_text(&cx, table::select(cx.allowed()?), &[("id", "id = ")]))?;
    let providers = room.list(move |tx| table::list(tx, &select)).await?;
    reply::list(&cx, &providers)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), cx.param("sp_id").to_owned());
    let provider = room.read(move |tx| table::get(tx, &allowed, &id)).await?;
    reply::show(&cx, &provider)
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewServiceProvider = cx.document("service_provider").await?;
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), chosen_id(&cx, "sp_id")?);
    let provider = room.change(move |tx| table::create(tx, &allowed, &actor, &id, &new)).await?;
    reply::created(&cx, &provider)
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: ServiceProviderUpdate = cx.document("service_provider").await?;
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), cx.param("sp_id").to_owned());
    let provider = room.change(move |tx| table::update(tx, &allowed, &actor, &id, &update)).await?;
    reply::show(&cx, &provider)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), cx.param("sp_id").to_owned());
    room.change(move |tx| table::delete(tx, &allowed, &actor, &id)).await?;
    no_content()
}
