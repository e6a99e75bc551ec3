// SPDX-License-Identifier: Apache-2.0
//! `/v3/policies`

use std::sync::Arc;

use access::Policy;
use api::{Cx, Reply, Routes, no_content};

use super::{DocumentUpdate, NewDocument, table};
use crate::{Identity, filter, reply};

static LIST: Policy = Policy::new("identity:list_policies", READ, "List policies");
static GET: Policy = Policy::new("identity:get_policy", READ, "Show a policy");
static CREATE: Policy = Policy::new("identity:create_policy", "rule:admin_required", "Create a policy");
static UPDATE: Policy = Policy::new("identity:update_policy", "rule:admin_required", "Change a policy");
static DELETE: Policy = Policy::new("identity:delete_policy", "rule:admin_required", "Delete a policy");

const READ: &str = "rule:admin_required or (role:reader and system_scope:all)";

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/policies", &LIST, list)
        .post("/v3/policies", &CREATE, create)
        .get("/v3/policies/{policy_id}", &GET, show)
        .patch("/v3/policies/{policy_id}", &UPDATE, update)
        .delete("/v3/policies/{policy_id}", &DELETE, delete)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let select = filter::by_text(&cx, table::select(cx.allowed()?), &[("type", "type = ")]);
    let documents = room.list(move |tx| table::list(tx, &select)).await?;
    reply::list(&cx, &documents)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), policy_id(&cx));
    let document = room.read(move |tx| table::get(tx, &allowed, &id)).await?;
    reply::show(&cx, &document)
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewDocument = cx.document("policy").await?;
    let (allowed, actor) = (cx.allowed()?.clone(), cx.actor());
    let document = room.write(move |tx| table::create(tx, &allowed, &actor, &new)).await?;
    reply::created(&cx, &document)
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: DocumentUpdate = cx.document("policy").await?;
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), policy_id(&cx));
    let document = room.write(move |tx| table::update(tx, &allowed, &actor, &id, &update)).await?;
    reply::show(&cx, &document)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), policy_id(&cx));
    room.write(move |tx| table::delete(tx, &allowed, &actor, &id)).await?;
    no_content()
}

fn policy_id(cx: &Cx) -> String {
    cx.param("policy_id").to_owned()
}
