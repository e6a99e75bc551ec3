// SPDX-License-Identifier: Apache-2.0
//! `/v3/roles`

use std::sync::Arc;

use access::{Policy, Target};
use api::{Access, Cx, Fault, Reply, Routes, no_content};
use types::RoleId;

use super::{NewRole, Role, RoleUpdate, table};
use crate::{Identity, filter, power::Wielder, reply};

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

// The own roles of a domain are not for its own people to see or make: with them an administrator of the cloud says what
// the roles of a domain come to.
const READ_OWN: &str = "rule:admin_required or (role:reader and system_scope:all)";
static LIST_OWN: Policy = Policy::new("identity:list_domain_roles", READ_OWN, "List the own roles of a domain");
static GET_OWN: Policy = Policy::new("identity:get_domain_role", READ_OWN, "Show a domain's own role");
static CREATE_OWN: Policy = Policy::new("identity:create_domain_role", "rule:admin_required", "Create a domain's own role");
static UPDATE_OWN: Policy = Policy::new("identity:update_domain_role", "rule:admin_required", "Change a domain's own role");
static DELETE_OWN: Policy = Policy::new("identity:delete_domain_role", "rule:admin_required", "Delete a domain's own role");

pub fn routes() -> Routes<Identity> {
    Routes::new()
        // Whether a role is the cloud's or a domain's own decides which policy is asked, and which of the cloud's a domain's
        // manager may see depends on their names. Whether there is such a role is said first.
        .get("/v3/roles", Access::Asks(&LIST), list)
        .asking(&[&LIST_OWN])
        .post("/v3/roles", Access::Asks(&CREATE), create)
        .asking(&[&CREATE_OWN])
        .get("/v3/roles/{role_id}", Access::Asks(&GET), show)
        .asking(&[&GET_OWN])
        .patch("/v3/roles/{role_id}", Access::Asks(&UPDATE), update)
        .asking(&[&UPDATE_OWN])
        .delete("/v3/roles/{role_id}", Access::Asks(&DELETE), delete)
        .asking(&[&DELETE_OWN])
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    // Without a domain in the query, the roles of the whole cloud.
    let domain = cx.query().get("domain_id").unwrap_or_default();
    let allowed = cx.scope(if domain.is_empty() { &LIST } else { &LIST_OWN })?;
    let select = filter::by_text(&cx, table::select(&allowed), &[("name", "name = ")]).filter("domain_id = ", domain);
    let select = reply::paged(&cx, select)?;
    let roles = room.list(move |tx| table::list(tx, &select)).await?;
    reply::page(&cx, &roles)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let role = known(&room, &cx).await?;
    let target = Target::new()
        .with("target.role.name", role.name.as_str())
        .with_optional("target.role.domain_id", role.domain_id.as_ref().map(|domain| domain.as_str()));
    cx.check(if role.domain_id.is_none() { &GET } else { &GET_OWN }, &target)?;
    reply::show(&cx, &role)
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewRole = cx.document("role").await?;
    let (allowed, actor) = (cx.scope(if new.domain_id.is_none() { &CREATE } else { &CREATE_OWN })?, cx.actor());
    let role = room.change(move |tx| table::create(tx, &allowed, &actor, &new)).await?;
    reply::created(&cx, &role)
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let policy = if known(&room, &cx).await?.domain_id.is_none() { &UPDATE } else { &UPDATE_OWN };
    let (allowed, actor, id) = (cx.scope(policy)?, cx.actor(), role_id(&cx));
    let update: RoleUpdate = cx.document("role").await?;
    let wielder = Wielder::of(&room, &cx).await?;
    let role = room
        .change(move |tx| {
            let over = wielder.over_cloud(tx)?;
            table::update(tx, &allowed, &over, &actor, &id, &update)
        })
        .await?;
    reply::show(&cx, &role)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let policy = if known(&room, &cx).await?.domain_id.is_none() { &DELETE } else { &DELETE_OWN };
    let (allowed, actor, id) = (cx.scope(policy)?, cx.actor(), role_id(&cx));
    let wielder = Wielder::of(&room, &cx).await?;
    room.change(move |tx| {
        let over = wielder.over_cloud(tx)?;
        table::delete(tx, &allowed, &over, &actor, &id)
    })
    .await?;
    no_content()
}

async fn known(room: &Identity, cx: &Cx) -> Result<Role, Fault> {
    let id = role_id(cx);
    Ok(room.read(move |tx| table::get(tx, &id)).await?)
}

fn role_id(cx: &Cx) -> RoleId {
    RoleId::from(cx.param("role_id"))
}
