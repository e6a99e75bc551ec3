// SPDX-License-Identifier: Apache-2.0
//! `/v3/groups`

use std::sync::Arc;

use access::{Allowed, Policy, Target};
use api::{Access, Cx, Fault, Reply, Routes, no_content};
use types::{GroupId, UserId};

use super::{GroupUpdate, NewGroup, table};
use crate::{Identity, error::Error, filter, power::Wielder, reply, user};

static LIST: Policy = Policy::new("identity:list_groups", READ, "List groups").also_for_domains();
static GET: Policy = Policy::new("identity:get_group", READ, "Show a group").also_for_domains();
static CREATE: Policy = Policy::new("identity:create_group", MANAGE, "Create a group").also_for_domains();
static UPDATE: Policy = Policy::new("identity:update_group", MANAGE, "Change a group").also_for_domains();
static DELETE: Policy = Policy::new("identity:delete_group", MANAGE, "Delete a group").also_for_domains();
static LIST_MEMBERS: Policy = Policy::new("identity:list_users_in_group", READ, "List the users of a group").also_for_domains();
static CHECK_MEMBER: Policy = Policy::new(
    "identity:check_user_in_group",
    "rule:admin_required or (role:reader and system_scope:all) or (role:reader \
     and domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s)",
    "Check that a user is in a group",
)
.also_for_domains();
static ADD_MEMBER: Policy =
    Policy::new("identity:add_user_to_group", MANAGE_MEMBERS, "Put a user into a group").also_for_domains();
static REMOVE_MEMBER: Policy =
    Policy::new("identity:remove_user_from_group", MANAGE_MEMBERS, "Take a user out of a group").also_for_domains();

const READ: &str = "rule:admin_required or (role:reader and system_scope:all) \
                    or (role:reader and domain_id:%(target.group.domain_id)s)";
const MANAGE: &str = "rule:admin_required or (role:manager and domain_id:%(target.group.domain_id)s)";
const MANAGE_MEMBERS: &str = "rule:admin_required or (role:manager and domain_id:%(target.group.domain_id)s \
                              and domain_id:%(target.user.domain_id)s)";

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/groups", &LIST, list)
        .post("/v3/groups", &CREATE, create)
        .get("/v3/groups/{group_id}", &GET, show)
        .patch("/v3/groups/{group_id}", &UPDATE, update)
        .delete("/v3/groups/{group_id}", &DELETE, delete)
        .missing_first(look)
        .get("/v3/groups/{group_id}/users", &LIST_MEMBERS, list_members)
        // These three depend on the user as well as on the group: they ask about the pair.
        .get("/v3/groups/{group_id}/users/{user_id}", Access::Asks(&CHECK_MEMBER), check_member)
        .put("/v3/groups/{group_id}/users/{user_id}", Access::Asks(&ADD_MEMBER), add_member)
        .delete("/v3/groups/{group_id}/users/{user_id}", Access::Asks(&REMOVE_MEMBER), remove_member)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let filters = [("name", "name = "), ("domain_id", "domain_id = ")];
    let select = reply::paged(&cx, filter::by_text(&cx, table::select(&filter::within_domain_of_token(&cx)?), &filters))?;
    let groups = room.list(move |tx| table::list(tx, &select)).await?;
    reply::page(&cx, &groups)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), group_id(&cx));
    let group = room.read(move |tx| table::get(tx, &allowed, &id)).await?;
    reply::show(&cx, &group)
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewGroup = cx.document("group").await?;
    let (allowed, actor) = (cx.allowed()?.clone(), cx.actor());
    let domain_id = room.domain_asked_for(&cx, new.domain_id.as_ref(), None).await?;
    let wielder = Wielder::of(&room, &cx).await?;
    let group = room
        .change(move |tx| {
            let over = wielder.over_domain(tx, &domain_id)?;
            table::create(tx, &allowed, &over, &actor, &new)
        })
        .await?;
    reply::created(&cx, &group)
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: GroupUpdate = cx.document("group").await?;
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), group_id(&cx));
    let wielder = Wielder::of(&room, &cx).await?;
    let group = room
        .change(move |tx| {
            table::get(tx, &allowed, &id)?;
            let over = wielder.over_group(tx, &id)?;
            table::update(tx, &allowed, &over, &actor, &update)
        })
        .await?;
    reply::show(&cx, &group)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    look(Arc::clone(&room), &cx).await?;
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), group_id(&cx));
    let wielder = Wielder::of(&room, &cx).await?;
    room.change(move |tx| {
        table::get(tx, &allowed, &id)?;
        let over = wielder.over_group(tx, &id)?;
        table::delete(tx, &allowed, &over, &actor)
    })
    .await?;
    no_content()
}

async fn list_members(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), group_id(&cx));
    // Whoever may see the group sees who is in it; with the token of a domain, those of the domain.
    let everyone = Allowed::for_work("list the users of a group");
    let admitted = filter::domain_of_token(&cx)?.map_or_else(|| everyone.clone(), |own| everyone.at_most_domain(own));
    let select = reply::paged(&cx, filter::by_name_and_enabled(&cx, user::table::select(&admitted))?)?;
    let users = room
        .list(move |tx| {
            table::get(tx, &allowed, &id)?;
            table::members(tx, &id, select.clone())
        })
        .await?;
    reply::page(&cx, &users)
}

async fn check_member(room: Arc<Identity>, cx: Cx) -> Reply {
    let table::Member { group, user } = allowed_pair(&room, &cx, &CHECK_MEMBER).await?.into_thing();
    let name = user.to_string();
    if room.read(move |tx| table::is_member(tx, &group, &user)).await? {
        return no_content();
    }
    Err(Error::NotFound { kind: "user in group", id: name }.into())
}

async fn add_member(room: Arc<Identity>, cx: Cx) -> Reply {
    let allowed = allowed_pair(&room, &cx, &ADD_MEMBER).await?;
    let (actor, wielder) = (cx.actor(), Wielder::of(&room, &cx).await?);
    room.change(move |tx| {
        let over = wielder.over_group(tx, &allowed.thing().group)?;
        table::add(tx, &allowed, &over, &actor)
    })
    .await?;
    no_content()
}

async fn remove_member(room: Arc<Identity>, cx: Cx) -> Reply {
    let allowed = allowed_pair(&room, &cx, &REMOVE_MEMBER).await?;
    let (actor, wielder) = (cx.actor(), Wielder::of(&room, &cx).await?);
    room.change(move |tx| {
        let over = wielder.over_group(tx, &allowed.thing().group)?;
        table::remove(tx, &allowed, &over, &actor)
    })
    .await?;
    no_content()
}

/// Asks the policy about a user and a group. Who may not is told so before learning whether the two exist.
async fn allowed_pair(room: &Identity, cx: &Cx, policy: &'static Policy) -> Result<Allowed<table::Member>, Fault> {
    let (group_id, user_id) = (group_id(cx), UserId::from(cx.param("user_id")));
    let (wanted_group, wanted_user) = (group_id.clone(), user_id.clone());
    let (group, user) = room.read(move |tx| Ok((table::find(tx, &wanted_group)?, user::table::find(tx, &wanted_user)?))).await?;
    let target = Target::new()
        .with_optional("target.group.domain_id", group.as_ref().map(|group| group.domain_id.as_str()))
        .with_optional("target.user.domain_id", user.as_ref().map(|user| user.domain_id.as_str()));
    let allowed = cx.allow(policy, &target, table::Member { group: group_id.clone(), user: user_id.clone() })?;
    group.ok_or_else(|| Error::not_found("group", group_id.as_str()))?;
    user.ok_or_else(|| Error::not_found("user", user_id.as_str()))?;
    Ok(allowed)
}

fn look(room: Arc<Identity>, cx: &Cx) -> impl Future<Output = Result<(), Fault>> + use<> {
    let id = group_id(cx);
    async move {
        let wanted = id.clone();
        let found = room.read(move |tx| table::find(tx, &wanted)).await?;
        found.map(|_| ()).ok_or_else(|| Error::not_found("group", id.as_str()).into())
    }
}

fn group_id(cx: &Cx) -> GroupId {
    GroupId::from(cx.param("group_id"))
}
