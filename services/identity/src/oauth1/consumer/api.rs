// SPDX-License-Identifier: Apache-2.0
//! `/v3/OS-OAUTH1/consumers`

use std::sync::Arc;

use access::Policy;
use api::{Cx, Fault, Reply, Routes, created, no_content};
use serde_json::json;
use types::Secret;

use super::{Consumer, ConsumerUpdate, NewConsumer, table};
use crate::{Identity, body::own_attributes, oauth1::new_word, reply};

static LIST: Policy = Policy::new("identity:list_consumers", READ, "List OAuth consumers");
static GET: Policy = Policy::new("identity:get_consumer", READ, "Show an OAuth consumer");
static CREATE: Policy = Policy::new("identity:create_consumer", "rule:admin_required", "Register an OAuth consumer");
static UPDATE: Policy = Policy::new("identity:update_consumer", "rule:admin_required", "Change an OAuth consumer");
static DELETE: Policy = Policy::new("identity:delete_consumer", "rule:admin_required", "Delete an OAuth consumer");

const READ: &str = "rule:admin_required or (role:reader and system_scope:all)";

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/OS-OAUTH1/consumers", &LIST, list)
        .post("/v3/OS-OAUTH1/consumers", &CREATE, create)
        .get("/v3/OS-OAUTH1/consumers/{consumer_id}", &GET, show)
        .patch("/v3/OS-OAUTH1/consumers/{consumer_id}", &UPDATE, update)
        .delete("/v3/OS-OAUTH1/consumers/{consumer_id}", &DELETE, delete)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let allowed = cx.allowed()?.clone();
    let consumers = room.list(move |tx| table::list(tx, &allowed)).await?;
    let views: Vec<_> = consumers.iter().map(|consumer| reply::linked(&cx, consumer)).collect();
    reply::collection(&cx, "consumers", &views)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), cx.param("consumer_id").to_owned());
    let consumer = room.read(move |tx| table::get(tx, &allowed, &id)).await?;
    reply::show(&cx, &consumer)
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewConsumer = cx.document("consumer").await?;
    let mut extra = own_attributes(new.extra);
    // Ours to make, and told once.
    extra.remove("secret");
    let consumer = Consumer { id: new_word(), description: new.description, extra };
    let secret = Secret::new(new_word());
    let mut view = serde_json::to_value(reply::linked(&cx, &consumer)).map_err(Fault::internal)?;
    view["secret"] = json!(secret.reveal());
    let (ring, allowed, actor) = (room.credential_ring(), cx.allowed()?.clone(), cx.actor());
    room.store.write(move |tx| table::create(tx, &ring, &allowed, &actor, &consumer, &secret)).await?;
    created(&json!({"consumer": view}))
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: ConsumerUpdate = cx.document("consumer").await?;
    if update.extra.contains_key("secret") {
        return Err(Fault::bad_request("Invalid input for field 'consumer': its secret cannot be changed."));
    }
    if update.description.is_none() && update.extra.is_empty() {
        return Err(Fault::bad_request("Invalid input for field 'consumer': nothing is said to change."));
    }
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), cx.param("consumer_id").to_owned());
    let consumer = room.store.write(move |tx| table::update(tx, &allowed, &actor, &id, &update)).await?;
    reply::show(&cx, &consumer)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), cx.param("consumer_id").to_owned());
    room.change(move |tx| table::delete(tx, &allowed, &actor, &id)).await?;
    no_content()
}
