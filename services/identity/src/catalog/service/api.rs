// SPDX-License-Identifier: Apache-2.0
//! `/v3/services`

use std::sync::Arc;

use access::Policy;
use api::{Cx, Reply, Routes, no_content};
use types::ServiceId;

use super::{NewService, ServiceUpdate, table};
use crate::{Identity, filter, reply};

static LIST: Policy = Policy::new("identity:list_services", READ, "List services");
static GET: Policy = Policy::new("identity:get_service", READ, "Show a service");
static CREATE: Policy = Policy::new("identity:create_service", "rule:admin_required", "Create a service");
static UPDATE: Policy = Policy::new("identity:update_service", "rule:admin_required", "Change a service");
static DELETE: Policy = Policy::new("identity:delete_service", "rule:admin_required", "Delete a service");

const READ: &str = "rule:admin_required or (role:reader and system_scope:all)";

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/services", &LIST, list)
        .post("/v3/services", &CREATE, create)
        .get("/v3/services/{service_id}", &GET, show)
        .patch("/v3/services/{service_id}", &UPDATE, update)
        .delete("/v3/services/{service_id}", &DELETE, delete)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let select = filter::by_text(&cx, table::select(cx.allowed()?), &[("type", "type = "), ("name", "name = ")]);
    let services = room.list(move |tx| table::list(tx, &select)).await?;
    reply::list(&cx, &services)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), service_id(&cx));
    let service = room.read(move |tx| table::get(tx, &allowed, &id)).await?;
    reply::show(&cx, &service)
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewService = cx.document("service").await?;
    let (allowed, actor) = (cx.allowed()?.clone(), cx.actor());
    let service = room.change(move |tx| table::create(tx, &allowed, &actor, &new)).await?;
    reply::created(&cx, &service)
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: ServiceUpdate = cx.document("service").await?;
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), service_id(&cx));
    let service = room.change(move |tx| table::update(tx, &allowed, &actor, &id, &update)).await?;
    reply::show(&cx, &service)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), service_id(&cx));
    room.change(move |tx| table::delete(tx, &allowed, &actor, &id)).await?;
    no_content()
}

fn service_id(cx: &Cx) -> ServiceId {
    ServiceId::from(cx.param("service_id"))
}
