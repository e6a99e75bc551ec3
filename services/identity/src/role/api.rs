// SPDX-License-Identifier: Apache-2.0
//! `/v3/roles`

use std::sync::Arc;

use access::{Policy, Target};
use api::{Access, Cx, Reply, Routes, no_content};
use types::RoleId;

use super::{NewRole, RoleUpdate, store};
use crate::{Identity, error::Error, filter, power::Wielder, reply};

static LIST: Policy = Policy::new(
    "identity:list_roles",
    "rule:admin_required or (role:reader and system_scope:all) or (role:manager and not domain_id:None)",
    "List roles",
)
.also_for_domains();
static GET: Policy = Policy::new(
    "identity:get_role",
    "rule:admin_required or (role:reader and system_scope:all) or (role:manager and rule:domain_managed_target_role)",
    "Show a role",
)
.also_for_domains();
static CREATE: Policy = Policy::new("identity:create_role", "rule:admin_required", "Create a role");
static UPDATE: Policy = Policy::new("identity:update_role", "rule:admin_required", "Change a role");
static DELETE: Policy = Policy::new("identity:delete_role", "rule:admin_required", "Delete a role");

pub const POLICIES: [&Policy; 5] = [&LIST, &GET, &CREATE, &UPDATE, &DELETE];

pub fn routes(room: Arc<Identity>) -> Routes<Identity> {
    Routes::new(room)
        .get("/v3/roles", &LIST, list)
        .post("/v3/roles", &CREATE, create)
        // Which roles a domain's manager may see depends on their names.
        .get("/v3/roles/{role_id}", Access::Asks(&GET), show)
        .patch("/v3/roles/{role_id}", &UPDATE, update)
        .delete("/v3/roles/{role_id}", &DELETE, delete)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let select = filter::by_text(&cx, store::select(cx.allowed()?), &[("name", "name = ")]);
    // Without a domain in the query, the roles of the whole cloud.
    let select = select.filter("domain_id = ", cx.query().get("domain_id").unwrap_or_default());
    let select = reply::paged(&cx, select)?;
    let roles = room.list(move |tx| store::list(tx, &select)).await?;
    reply::page(&cx, &roles)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let id = role_id(&cx);
    let role = room.read(move |tx| store::find(tx, &id)).await?;
    cx.check(&GET, &Target::new().with_optional("target.role.name", role.as_ref().map(|role| role.name.as_str())))?;
    let role = role.ok_or_else(|| Error::not_found("role", cx.param("role_id")))?;
    reply::show(&cx, &role)
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewRole = cx.document("role").await?;
    let (allowed, actor) = (cx.allowed()?.clone(), cx.actor());
    let role = room.change(move |tx| store::create(tx, &allowed, &actor, &new)).await?;
    reply::created(&cx, &role)
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: RoleUpdate = cx.document("role").await?;
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), role_id(&cx));
    let wielder = Wielder::of(&room, &cx).await?;
    let role = room
        .change(move |tx| {
            let over = wielder.over_cloud(tx)?;
            store::update(tx, &allowed, &over, &actor, &id, &update)
        })
        .await?;
    reply::show(&cx, &role)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), role_id(&cx));
    let wielder = Wielder::of(&room, &cx).await?;
    room.change(move |tx| {
        let over = wielder.over_cloud(tx)?;
        store::delete(tx, &allowed, &over, &actor, &id)
    })
    .await?;
    no_content()
}

fn role_id(cx: &Cx) -> RoleId {
    RoleId::from(cx.param("role_id"))
}
