// SPDX-License-Identifier: Apache-2.0
//! `/v3/registered_limits`

use std::sync::Arc;

use access::Policy;
use api::{Cx, Fault, Reply, Routes, no_content};

use super::{NewRegisteredLimit, RegisteredLimitUpdate, store};
use crate::{Identity, filter, reply};

static LIST: Policy = Policy::new("identity:list_registered_limits", "", "List registered limits").also_for_domains();
static GET: Policy = Policy::new("identity:get_registered_limit", "", "Show a registered limit").also_for_domains();
static CREATE: Policy = Policy::new("identity:create_registered_limits", "rule:admin_required", "Create registered limits");
static UPDATE: Policy = Policy::new("identity:update_registered_limit", "rule:admin_required", "Change a registered limit");
static DELETE: Policy = Policy::new("identity:delete_registered_limit", "rule:admin_required", "Delete a registered limit");

pub const POLICIES: [&Policy; 5] = [&LIST, &GET, &CREATE, &UPDATE, &DELETE];

pub fn routes(room: Arc<Identity>) -> Routes<Identity> {
    Routes::new(room)
        .get("/v3/registered_limits", &LIST, list)
        .post("/v3/registered_limits", &CREATE, create)
        .get("/v3/registered_limits/{registered_limit_id}", &GET, show)
        .patch("/v3/registered_limits/{registered_limit_id}", &UPDATE, update)
        .delete("/v3/registered_limits/{registered_limit_id}", &DELETE, delete)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let filters = [("service_id", "service_id = "), ("region_id", "region_id = "), ("resource_name", "resource_name = ")];
    let select = filter::by_text(&cx, store::select(cx.allowed()?), &filters);
    let limits = room.list(move |tx| store::list(tx, &select)).await?;
    reply::list(&cx, &limits)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), limit_id(&cx));
    let limit = room.read(move |tx| store::get(tx, &allowed, &id)).await?;
    reply::show(&cx, &limit)
}

/// All of them or none.
async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: Vec<NewRegisteredLimit> = cx.document("registered_limits").await?;
    if new.is_empty() {
        return Err(Fault::bad_request("Invalid input for field/attribute registered_limits: it names at least one."));
    }
    let (allowed, actor) = (cx.allowed()?.clone(), cx.actor());
    let limits =
        room.write(move |tx| new.iter().map(|new| store::create(tx, &allowed, &actor, new)).collect::<Result<Vec<_>, _>>());
    reply::created_many(&cx, &limits.await?)
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: RegisteredLimitUpdate = cx.document("registered_limit").await?;
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), limit_id(&cx));
    let limit = room.write(move |tx| store::update(tx, &allowed, &actor, &id, &update)).await?;
    reply::show(&cx, &limit)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), limit_id(&cx));
    room.write(move |tx| store::delete(tx, &allowed, &actor, &id)).await?;
    no_content()
}

fn limit_id(cx: &Cx) -> String {
    cx.param("registered_limit_id").to_owned()
}
