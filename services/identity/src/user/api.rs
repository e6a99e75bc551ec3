// SPDX-License-Identifier: Apache-2.0
//! `/v3/users`

use std::sync::Arc;

use ::store::{Select, Value};
use access::{Policy, Target};
use api::{Access, Cx, Fault, Reply, Routes, no_content};
use types::{Timestamp, UserId};
use words::{Comparison, conditions};

use super::{NewUser, Password, PasswordChange, User, UserRef, UserUpdate, inactivity, password::Hashed, table};
use crate::{Identity, assignment, delegation::Delegation, error::Error, filter, group, power::Wielder, project, reply};

static LIST: Policy = Policy::new(
    "identity:list_users",
    "rule:admin_required or (role:reader and system_scope:all) or (role:reader and domain_id:%(target.domain_id)s)",
    "List users",
)
.also_for_domains();
static GET: Policy = Policy::new(
    "identity:get_user",
    "rule:admin_required or (role:reader and system_scope:all) \
     or (role:reader and token.domain.id:%(target.user.domain_id)s) or user_id:%(target.user.id)s",
    "Show a user",
)
.also_for_domains();
static CREATE: Policy = Policy::new("identity:create_user", MANAGE, "Create a user").also_for_domains();
static UPDATE: Policy = Policy::new("identity:update_user", MANAGE, "Change a user").also_for_domains();
static DELETE: Policy = Policy::new("identity:delete_user", MANAGE, "Delete a user").also_for_domains();
static LIST_PROJECTS: Policy = Policy::new(
    "identity:list_user_projects",
    "rule:admin_required or (role:reader and system_scope:all) \
     or (role:reader and domain_id:%(target.user.domain_id)s) or user_id:%(target.user.id)s",
    "List the projects in which a user has a role",
)
.also_for_domains();
static LIST_GROUPS: Policy = Policy::new(
    "identity:list_groups_for_user",
    "rule:admin_required or (role:reader and system_scope:all) \
     or (role:reader and domain_id:%(target.user.domain_id)s) or user_id:%(user_id)s",
    "List the groups that a user is in",
)
.also_for_domains();

const MANAGE: &str = "rule:admin_required or (role:manager and token.domain.id:%(target.user.domain_id)s)";

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/users", &LIST, list)
        .post("/v3/users", &CREATE, create)
        // Who may see a user, by his domain or for being him, is asked about this very one.
        .get("/v3/users/{user_id}", Access::Asks(&GET), show)
        .patch("/v3/users/{user_id}", &UPDATE, update)
        .delete("/v3/users/{user_id}", &DELETE, delete)
        // Who knows the present password may set another, with or without a token.
        .post("/v3/users/{user_id}/password", Access::Public, change_password)
        .get("/v3/users/{user_id}/projects", Access::Asks(&LIST_PROJECTS), list_projects)
        .get("/v3/users/{user_id}/groups", Access::Asks(&LIST_GROUPS), list_groups)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let select = filter::by_name_and_enabled(&cx, table::select(&filter::within_domain_of_token(&cx)?))?;
    let select = filter::by_text(&cx, select, &[("domain_id", "domain_id = ")]);
    let select = by_federation(&cx, by_password_expiry(&cx, select)?);
    let select = reply::paged(&cx, select)?;
    let users = room.list(move |tx| table::list(tx, &select)).await?;
    reply::page(&cx, &users)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let user = asked_for(&room, &cx, &GET).await?;
    reply::show(&cx, &user)
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewUser = cx.document("user").await?;
    let (allowed, actor) = (cx.allowed()?.clone(), cx.actor());
    let domain_id = room.domain_asked_for(&cx, new.domain_id.as_ref(), None).await?;
    let (wielder, hash) = (Wielder::of(&room, &cx).await?, hash_of(&room, new.password.as_ref()).await?);
    let user = room
        .change(move |tx| {
            let over = wielder.over_domain(tx, &domain_id)?;
            table::create(tx, &allowed, &over, &actor, &new, hash.as_ref())
        })
        .await?;
    reply::created(&cx, &user)
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: UserUpdate = cx.document("user").await?;
    if update.password.is_some() {
        Delegation::refuse_password_change(&room, &cx).await?;
    }
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), user_id(&cx));
    let (wielder, hash) = (Wielder::of(&room, &cx).await?, hash_of(&room, update.password.as_ref()).await?);
    let rules = Arc::clone(&room.settings.security_compliance);
    let user = room
        .change(move |tx| {
            table::get(tx, &allowed, &id)?;
            let over = wielder.over_user(tx, &id)?;
            table::update(tx, &allowed, &over, &actor, &update, hash.as_ref())?;
            // Its options may exempt it from the rule for inactive users, or no longer.
            inactivity::settle(tx, &rules, &id)?;
            table::get(tx, &allowed, &id)
        })
        .await?;
    reply::show(&cx, &user)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), user_id(&cx));
    let wielder = Wielder::of(&room, &cx).await?;
    room.change(move |tx| {
        table::get(tx, &allowed, &id)?;
        let over = wielder.over_user(tx, &id)?;
        table::delete(tx, &allowed, &over, &actor)
    })
    .await?;
    no_content()
}

async fn change_password(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let change: PasswordChange = cx.document("user").await?;
    Delegation::refuse_password_change(&room, &cx).await?;
    let user = UserRef::Id(user_id(&cx));
    // A password that has expired is good for this.
    let account = room.authenticate(user, &change.original_password.0).await?.account;
    let hash = room.hash_chosen(&account, &change.password.0).await?;
    let mut actor = cx.actor();
    actor.user_id = Some(account.id.to_string());
    actor.name = account.name.clone();
    room.change(move |tx| table::change_password(tx, &actor, &account.id, &hash)).await?;
    no_content()
}

async fn list_projects(room: Arc<Identity>, cx: Cx) -> Reply {
    let id = asked_for(&room, &cx, &LIST_PROJECTS).await?.id;
    let projects: Vec<project::Project> = room.list(move |tx| assignment::effective::projects_of(tx, &id)).await?;
    reply::list(&cx, &projects)
}

async fn list_groups(room: Arc<Identity>, cx: Cx) -> Reply {
    let id = asked_for(&room, &cx, &LIST_GROUPS).await?.id;
    let mut groups: Vec<group::Membership> = room.list(move |tx| group::table::of_user(tx, &id)).await?;
    if let Some(own) = filter::domain_of_token(&cx)? {
        groups.retain(|membership| membership.group.domain_id == *own);
    }
    reply::list(&cx, &groups)
}

/// The user of the path, after the policy admitted the caller to him. Whom it refuses does not learn whether there is one.
async fn asked_for(room: &Identity, cx: &Cx, policy: &'static Policy) -> Result<User, Fault> {
    let id = user_id(cx);
    let wanted = id.clone();
    let found = room.read(move |tx| table::find(tx, &wanted)).await?;
    let target = Target::new().with("user_id", id.as_str());
    let target = match &found {
        None => target,
        Some(user) => target.with("target.user.id", id.as_str()).with("target.user.domain_id", user.domain_id.as_str()),
    };
    cx.check(policy, &target).map_err(|_| Error::Denied(policy.name))?;
    found.ok_or_else(|| Error::not_found("user", id).into())
}

async fn hash_of(room: &Identity, password: Option<&Password>) -> Result<Option<Hashed>, Fault> {
    match password {
        Some(password) => Ok(Some(room.hash_given(&password.0).await?)),
        None => Ok(None),
    }
}

/// `?password_expires_at=lt:2026-12-31T23:59:59Z`
fn by_password_expiry(cx: &Cx, select: Select) -> Result<Select, Fault> {
    let Some(asked) = cx.query().get("password_expires_at") else { return Ok(select) };
    let Some((comparison, instant)) = Comparison::read(asked) else {
        return Err(Fault::bad_request(
            "'password_expires_at' is an operator (eq, neq, lt, lte, gt, gte), a colon, and an instant.",
        ));
    };
    let at = Timestamp::parse(instant)
        .ok_or_else(|| Fault::bad_request("The instant in 'password_expires_at' is written as 2026-12-31T23:59:59Z."))?;
    Ok(select.filter(comparison.of(&conditions!("password_expires_at")), at))
}

/// Those whom an identity provider knows: `?idp_id`, `?protocol_id` and `?unique_id`, which hold together.
fn by_federation(cx: &Cx, select: Select) -> Select {
    let asked = ["idp_id", "protocol_id", "unique_id"].map(|name| cx.query().get(name));
    if asked.iter().all(Option::is_none) {
        return select;
    }
    let condition = "id IN (SELECT user_id FROM federated_users WHERE provider_id = coalesce(CAST(? AS TEXT), provider_id) \
                     AND protocol_id = coalesce(CAST(? AS TEXT), protocol_id) AND unique_id = coalesce(CAST(? AS TEXT), unique_id))";
    select.condition_with(condition, asked.map(Value::from).to_vec())
}

fn user_id(cx: &Cx) -> UserId {
    UserId::from(cx.param("user_id"))
}
