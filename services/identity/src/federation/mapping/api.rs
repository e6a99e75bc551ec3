// SPDX-License-Identifier: Apache-2.0
//! `/v3/OS-FEDERATION/mappings`

use std::sync::Arc;

use access::Policy;
use api::{Cx, Reply, Routes, no_content};

use super::{NewMapping, table};
use crate::{Identity, federation::chosen_id, power::Wielder, reply};

static LIST: Policy = Policy::new(
    "identity:list_mappings",
    "rule:admin_required or (role:reader and system_scope:all)",
    "List mappings of federated users",
);
static GET: Policy = Policy::new(
    "identity:get_mapping",
    "rule:admin_required or (role:reader and system_scope:all)",
    "Show a mapping of federated users",
);
static CREATE: Policy = Policy::new("identity:create_mapping", "rule:admin_required", "Add a mapping of federated users");
static UPDATE: Policy = Policy::new("identity:update_mapping", "rule:admin_required", "Change a mapping of federated users");
static DELETE: Policy = Policy::new("identity:delete_mapping", "rule:admin_required", "Remove a mapping of federated users");

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/OS-FEDERATION/mappings", &LIST, list)
        .get("/v3/OS-FEDERATION/mappings/{mapping_id}", &GET, show)
        .put("/v3/OS-FEDERATION/mappings/{mapping_id}", &CREATE, create)
        .patch("/v3/OS-FEDERATION/mappings/{mapping_id}", &UPDATE, update)
        .delete("/v3/OS-FEDERATION/mappings/{mapping_id}", &DELETE, delete)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let allowed = cx.allowed()?.clone();
    let mappings = room.list(move |tx| table::list(tx, &allowed)).await?;
    reply::list(&cx, &mappings)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), cx.param("mapping_id").to_owned());
    let mapping = room.read(move |tx| table::get(tx, &allowed, &id)).await?;
    reply::show(&cx, &mapping)
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewMapping = cx.document("mapping").await?;
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), chosen_id(&cx, "mapping_id")?);
    let wielder = Wielder::of(&room, &cx).await?;
    let mapping = room
        .change(move |tx| {
            let over = wielder.over_cloud(tx)?;
            table::create(tx, &allowed, &over, &actor, &id, &new)
        })
        .await?;
    reply::created(&cx, &mapping)
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: NewMapping = cx.document("mapping").await?;
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), cx.param("mapping_id").to_owned());
    let wielder = Wielder::of(&room, &cx).await?;
    let mapping = room
        .change(move |tx| {
            let over = wielder.over_cloud(tx)?;
            table::update(tx, &allowed, &over, &actor, &id, &update)
        })
        .await?;
    reply::show(&cx, &mapping)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), cx.param("mapping_id").to_owned());
    let wielder = Wielder::of(&room, &cx).await?;
    room.change(move |tx| {
        let over = wielder.over_cloud(tx)?;
        table::delete(tx, &allowed, &over, &actor, &id)
    })
    .await?;
    no_content()
}
