// SPDX-License-Identifier: Apache-2.0
//! `/v3/endpoints`

use std::sync::Arc;

use access::Policy;
use api::{Cx, Reply, Routes, no_content};
use types::EndpointId;

use super::{EndpointUpdate, NewEndpoint, table};
use crate::{Identity, filter, reply};

static LIST: Policy = Policy::new("identity:list_endpoints", READ, "List endpoints");
static GET: Policy = Policy::new("identity:get_endpoint", READ, "Show an endpoint");
static CREATE: Policy = Policy::new("identity:create_endpoint", "rule:admin_required", "Create an endpoint");
static UPDATE: Policy = Policy::new("identity:update_endpoint", "rule:admin_required", "Change an endpoint");
static DELETE: Policy = Policy::new("identity:delete_endpoint", "rule:admin_required", "Delete an endpoint");

const READ: &str = "rule:admin_required or (role:reader and system_scope:all)";

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/endpoints", &LIST, list)
        .post("/v3/endpoints", &CREATE, create)
        .get("/v3/endpoints/{endpoint_id}", &GET, show)
        .patch("/v3/endpoints/{endpoint_id}", &UPDATE, update)
        .delete("/v3/endpoints/{endpoint_id}", &DELETE, delete)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let filters = [("service_id", "service_id = "), ("interface", "interface = "), ("region_id", "region_id = ")];
    let select = filter::by_text(&cx, table::select(cx.allowed()?), &filters);
    let endpoints = room.list(move |tx| table::list(tx, &select)).await?;
    reply::list(&cx, &endpoints)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), endpoint_id(&cx));
    let endpoint = room.read(move |tx| table::get(tx, &allowed, &id)).await?;
    reply::show(&cx, &endpoint)
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewEndpoint = cx.document("endpoint").await?;
    let (allowed, actor) = (cx.allowed()?.clone(), cx.actor());
    let endpoint = room.change(move |tx| table::create(tx, &allowed, &actor, &new)).await?;
    reply::created(&cx, &endpoint)
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: EndpointUpdate = cx.document("endpoint").await?;
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), endpoint_id(&cx));
    let endpoint = room.change(move |tx| table::update(tx, &allowed, &actor, &id, &update)).await?;
    reply::show(&cx, &endpoint)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), endpoint_id(&cx));
    room.change(move |tx| table::delete(tx, &allowed, &actor, &id)).await?;
    no_content()
}

fn endpoint_id(cx: &Cx) -> EndpointId {
    EndpointId::from(cx.param("endpoint_id"))
}
