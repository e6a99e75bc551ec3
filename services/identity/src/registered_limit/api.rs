// SPDX-License-Identifier: Apache-2.0
//! `/v3/registered_limits`

use std::sync::Arc;

use ::store::{Actor, Tx};
use access::{Allowed, Policy, Scope};
use api::{Cx, Reply, Routes};

use super::{NewRegisteredLimit, RegisteredLimit, RegisteredLimitUpdate, table};
use crate::{
    Identity,
    error::Result,
    filter,
    limit::changes::{self, Changeable},
    reply,
};

static LIST: Policy = Policy::new("identity:list_registered_limits", "", "List registered limits").also_for_domains();
static GET: Policy = Policy::new("identity:get_registered_limit", "", "Show a registered limit").also_for_domains();
static CREATE: Policy = Policy::new("identity:create_registered_limits", "rule:admin_required", "Create registered limits");
static UPDATE: Policy = Policy::new("identity:update_registered_limit", "rule:admin_required", "Change a registered limit");
static DELETE: Policy = Policy::new("identity:delete_registered_limit", "rule:admin_required", "Delete a registered limit");

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/registered_limits", &LIST, list)
        .post("/v3/registered_limits", &CREATE, changes::create::<RegisteredLimit>)
        .get("/v3/registered_limits/{registered_limit_id}", &GET, show)
        .patch("/v3/registered_limits/{registered_limit_id}", &UPDATE, changes::update::<RegisteredLimit>)
        .delete("/v3/registered_limits/{registered_limit_id}", &DELETE, changes::delete::<RegisteredLimit>)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let filters = [("service_id", "service_id = "), ("region_id", "region_id = "), ("resource_name", "resource_name = ")];
    let select = filter::by_text(&cx, table::select(cx.allowed()?), &filters);
    let limits = room.list(move |tx| table::list(tx, &select)).await?;
    reply::list(&cx, &limits)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), changes::id::<RegisteredLimit>(&cx));
    let limit = room.read(move |tx| table::get(tx, &allowed, &id)).await?;
    reply::show(&cx, &limit)
}

impl Changeable for RegisteredLimit {
    const ID: &'static str = "registered_limit_id";
    type New = NewRegisteredLimit;
    type Update = RegisteredLimitUpdate;

    fn create(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, new: &NewRegisteredLimit) -> Result<Self> {
        table::create(tx, allowed, actor, new)
    }

    fn update(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &str, update: &RegisteredLimitUpdate) -> Result<Self> {
        table::update(tx, allowed, actor, id, update)
    }

    fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &str) -> Result<()> {
        table::delete(tx, allowed, actor, id)
    }
}
