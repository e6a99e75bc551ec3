// SPDX-License-Identifier: Apache-2.0
//! `/v3/regions`

use std::sync::Arc;

use access::Policy;
use api::{Cx, Reply, Routes, no_content};

use super::{NewRegion, RegionUpdate, table};
use crate::{Identity, filter, reply};

static LIST: Policy = Policy::new("identity:list_regions", "", "List regions").also_for_domains();
static GET: Policy = Policy::new("identity:get_region", "", "Show a region").also_for_domains();
static CREATE: Policy = Policy::new("identity:create_region", "rule:admin_required", "Create a region");
static UPDATE: Policy = Policy::new("identity:update_region", "rule:admin_required", "Change a region");
static DELETE: Policy = Policy::new("identity:delete_region", "rule:admin_required", "Delete a region");

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/regions", &LIST, list)
        .post("/v3/regions", &CREATE, create)
        .get("/v3/regions/{region_id}", &GET, show)
        .put("/v3/regions/{region_id}", &CREATE, create_named)
        .patch("/v3/regions/{region_id}", &UPDATE, update)
        .delete("/v3/regions/{region_id}", &DELETE, delete)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let select = filter::by_text(&cx, table::select(cx.allowed()?), &[("parent_region_id", "parent_region_id = ")]);
    let regions = room.list(move |tx| table::list(tx, &select)).await?;
    reply::list(&cx, &regions)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), cx.param("region_id").to_owned());
    let region = room.read(move |tx| table::get(tx, &allowed, &id)).await?;
    reply::show(&cx, &region)
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewRegion = cx.document("region").await?;
    let (allowed, actor) = (cx.allowed()?.clone(), cx.actor());
    let region = room.change(move |tx| table::create(tx, &allowed, &actor, &new)).await?;
    reply::created(&cx, &region)
}

async fn create_named(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let mut new: NewRegion = cx.document("region").await?;
    new.id = Some(cx.param("region_id").to_owned());
    let (allowed, actor) = (cx.allowed()?.clone(), cx.actor());
    let region = room.change(move |tx| table::create(tx, &allowed, &actor, &new)).await?;
    reply::created(&cx, &region)
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: RegionUpdate = cx.document("region").await?;
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), cx.param("region_id").to_owned());
    let region = room.change(move |tx| table::update(tx, &allowed, &actor, &id, &update)).await?;
    reply::show(&cx, &region)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), cx.param("region_id").to_owned());
    room.change(move |tx| table::delete(tx, &allowed, &actor, &id)).await?;
    no_content()
}
