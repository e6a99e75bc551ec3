// SPDX-License-Identifier: Apache-2.0
//! Giving and taking roles: `/v3/{projects|domains|system}/…/{users|groups}/…/roles/…`, and the inherited ones.
//!
//! The policies depend on the domains of holder, place and role together, so each request asks about the three.

use std::sync::Arc;

use access::{Allowed, Enforcer, Policy, Target};
use api::{Access, Cx, Fault, Reply, Routes, no_content};
use contracts::caller::Caller;
use http::Method;
use types::{DomainId, RoleId};

use super::{Assignment, Holder, Place, table};
use crate::{
    Identity,
    domain::table as domains,
    error::{Error, Result},
    group::table as groups,
    power::Wielder,
    project::table as projects,
    reply,
    role::{Role, table as roles},
    user::table as users,
};

/// Holder and place both in the domain of the token.
macro_rules! both_of_domain {
    ($role:literal) => {
        concat!(
            "((role:",
            $role,
            " and domain_id:%(target.user.domain_id)s and domain_id:%(target.project.domain_id)s) or ",
            "(role:",
            $role,
            " and domain_id:%(target.user.domain_id)s and domain_id:%(target.domain.id)s) or ",
            "(role:",
            $role,
            " and domain_id:%(target.group.domain_id)s and domain_id:%(target.project.domain_id)s) or ",
            "(role:",
            $role,
            " and domain_id:%(target.group.domain_id)s and domain_id:%(target.domain.id)s))"
        )
    };
}

const READ_ANY: &str = "rule:admin_required or (role:reader and system_scope:all)";

static CHECK: Policy = Policy::new(
    "identity:check_grant",
    concat!(
        "rule:admin_required or (role:reader and system_scope:all) or ",
        both_of_domain!("reader"),
        " and (domain_id:%(target.role.domain_id)s or None:%(target.role.domain_id)s)"
    ),
    "Check that a role is given",
)
.also_for_domains();
static LIST: Policy = Policy::new(
    "identity:list_grants",
    concat!("rule:admin_required or (role:reader and system_scope:all) or ", both_of_domain!("reader")),
    "List the roles given to a user or group somewhere",
)
.also_for_domains();
static CREATE: Policy = Policy::new("identity:create_grant", MANAGE, "Give a role").also_for_domains();
static REVOKE: Policy = Policy::new("identity:revoke_grant", MANAGE, "Take a role away").also_for_domains();
static SYSTEM_LIST_USER: Policy =
    Policy::new("identity:list_system_grants_for_user", READ_ANY, "List the roles of a user on the system");
static SYSTEM_CHECK_USER: Policy =
    Policy::new("identity:check_system_grant_for_user", READ_ANY, "Check that a user has a role on the system");
static SYSTEM_CREATE_USER: Policy =
    Policy::new("identity:create_system_grant_for_user", "rule:admin_required", "Give a user a role on the system");
static SYSTEM_REVOKE_USER: Policy =
    Policy::new("identity:revoke_system_grant_for_user", "rule:admin_required", "Take a role on the system from a user");
static SYSTEM_LIST_GROUP: Policy =
    Policy::new("identity:list_system_grants_for_group", READ_ANY, "List the roles of a group on the system");
static SYSTEM_CHECK_GROUP: Policy =
    Policy::new("identity:check_system_grant_for_group", READ_ANY, "Check that a group has a role on the system");
static SYSTEM_CREATE_GROUP: Policy =
    Policy::new("identity:create_system_grant_for_group", "rule:admin_required", "Give a group a role on the system");
static SYSTEM_REVOKE_GROUP: Policy =
    Policy::new("identity:revoke_system_grant_for_group", "rule:admin_required", "Take a role on the system from a group");

/// A domain's administrator gives the domain's own roles and those of the whole cloud; its manager only the lesser ones.
const MANAGE: &str = concat!(
    "rule:admin_required or ",
    both_of_domain!("admin"),
    " and (domain_id:%(target.role.domain_id)s or None:%(target.role.domain_id)s) or ",
    both_of_domain!("manager"),
    " and rule:domain_managed_target_role"
);

/// Which roles a domain's manager may give: nothing above its own.
pub const RULES: &[(&str, &str)] = &[(
    "domain_managed_target_role",
    "'manager':%(target.role.name)s or 'member':%(target.role.name)s or 'reader':%(target.role.name)s",
)];

/// Whether a caller may give any role anywhere to anybody, by the rules in force.
pub fn may_give_anything(enforcer: &Enforcer, caller: &Caller) -> bool {
    [&CREATE, &SYSTEM_CREATE_USER].into_iter().all(|policy| enforcer.scope(policy, caller).is_ok_and(|it| it.scope().is_all()))
}

/// Whether a caller may give this role within a domain, by the rules in force.
pub fn may_give(enforcer: &Enforcer, caller: &Caller, domain: &DomainId, role: &Role) -> bool {
    let target = Target::new()
        .with("target.user.domain_id", domain.as_str())
        .with("target.project.domain_id", domain.as_str())
        .with("target.role.name", role.name.as_str())
        .with_optional("target.role.domain_id", role.domain_id.as_ref().map(|domain| domain.as_str()));
    enforcer.check(&CREATE, caller, &target).is_ok()
}

#[rustfmt::skip]
pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/projects/{project_id}/users/{user_id}/roles", Access::Asks(&LIST), list)
        .get("/v3/projects/{project_id}/users/{user_id}/roles/{role_id}", Access::Asks(&CHECK), check)
        .put("/v3/projects/{project_id}/users/{user_id}/roles/{role_id}", Access::Asks(&CREATE), create)
        .delete("/v3/projects/{project_id}/users/{user_id}/roles/{role_id}", Access::Asks(&REVOKE), revoke)
        .get("/v3/projects/{project_id}/groups/{group_id}/roles", Access::Asks(&LIST), list)
        .get("/v3/projects/{project_id}/groups/{group_id}/roles/{role_id}", Access::Asks(&CHECK), check)
        .put("/v3/projects/{project_id}/groups/{group_id}/roles/{role_id}", Access::Asks(&CREATE), create)
        .delete("/v3/projects/{project_id}/groups/{group_id}/roles/{role_id}", Access::Asks(&REVOKE), revoke)
        .get("/v3/domains/{domain_id}/users/{user_id}/roles", Access::Asks(&LIST), list)
        .get("/v3/domains/{domain_id}/users/{user_id}/roles/{role_id}", Access::Asks(&CHECK), check)
        .put("/v3/domains/{domain_id}/users/{user_id}/roles/{role_id}", Access::Asks(&CREATE), create)
        .delete("/v3/domains/{domain_id}/users/{user_id}/roles/{role_id}", Access::Asks(&REVOKE), revoke)
        .get("/v3/domains/{domain_id}/groups/{group_id}/roles", Access::Asks(&LIST), list)
        .get("/v3/domains/{domain_id}/groups/{group_id}/roles/{role_id}", Access::Asks(&CHECK), check)
        .put("/v3/domains/{domain_id}/groups/{group_id}/roles/{role_id}", Access::Asks(&CREATE), create)
        .delete("/v3/domains/{domain_id}/groups/{group_id}/roles/{role_id}", Access::Asks(&REVOKE), revoke)
        .get("/v3/system/users/{user_id}/roles", Access::Asks(&SYSTEM_LIST_USER), list)
        .get("/v3/system/users/{user_id}/roles/{role_id}", Access::Asks(&SYSTEM_CHECK_USER), check)
        .put("/v3/system/users/{user_id}/roles/{role_id}", Access::Asks(&SYSTEM_CREATE_USER), create)
        .delete("/v3/system/users/{user_id}/roles/{role_id}", Access::Asks(&SYSTEM_REVOKE_USER), revoke)
        .get("/v3/system/groups/{group_id}/roles", Access::Asks(&SYSTEM_LIST_GROUP), list)
        .get("/v3/system/groups/{group_id}/roles/{role_id}", Access::Asks(&SYSTEM_CHECK_GROUP), check)
        .put("/v3/system/groups/{group_id}/roles/{role_id}", Access::Asks(&SYSTEM_CREATE_GROUP), create)
        .delete("/v3/system/groups/{group_id}/roles/{role_id}", Access::Asks(&SYSTEM_REVOKE_GROUP), revoke)
        .get("/v3/OS-INHERIT/projects/{project_id}/users/{user_id}/roles/{role_id}/inherited_to_projects", Access::Asks(&CHECK), check_inherited)
        .put("/v3/OS-INHERIT/projects/{project_id}/users/{user_id}/roles/{role_id}/inherited_to_projects", Access::Asks(&CREATE), create_inherited)
        .delete("/v3/OS-INHERIT/projects/{project_id}/users/{user_id}/roles/{role_id}/inherited_to_projects", Access::Asks(&REVOKE), revoke_inherited)
        .get("/v3/OS-INHERIT/projects/{project_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects", Access::Asks(&CHECK), check_inherited)
        .put("/v3/OS-INHERIT/projects/{project_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects", Access::Asks(&CREATE), create_inherited)
        .delete("/v3/OS-INHERIT/projects/{project_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects", Access::Asks(&REVOKE), revoke_inherited)
        .get("/v3/OS-INHERIT/domains/{domain_id}/users/{user_id}/roles/inherited_to_projects", Access::Asks(&LIST), list_inherited)
        .get("/v3/OS-INHERIT/domains/{domain_id}/users/{user_id}/roles/{role_id}/inherited_to_projects", Access::Asks(&CHECK), check_inherited)
        .put("/v3/OS-INHERIT/domains/{domain_id}/users/{user_id}/roles/{role_id}/inherited_to_projects", Access::Asks(&CREATE), create_inherited)
        .delete("/v3/OS-INHERIT/domains/{domain_id}/users/{user_id}/roles/{role_id}/inherited_to_projects", Access::Asks(&REVOKE), revoke_inherited)
        .get("/v3/OS-INHERIT/domains/{domain_id}/groups/{group_id}/roles/inherited_to_projects", Access::Asks(&LIST), list_inherited)
        .get("/v3/OS-INHERIT/domains/{domain_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects", Access::Asks(&CHECK), check_inherited)
        .put("/v3/OS-INHERIT/domains/{domain_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects", Access::Asks(&CREATE), create_inherited)
        .delete("/v3/OS-INHERIT/domains/{domain_id}/groups/{group_id}/roles/{role_id}/inherited_to_projects", Access::Asks(&REVOKE), revoke_inherited)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    list_of(&room, &cx, false).await
}

async fn list_inherited(room: Arc<Identity>, cx: Cx) -> Reply {
    list_of(&room, &cx, true).await
}

async fn check(room: Arc<Identity>, cx: Cx) -> Reply {
    check_of(&room, &cx, false).await
}

async fn check_inherited(room: Arc<Identity>, cx: Cx) -> Reply {
    check_of(&room, &cx, true).await
}

async fn create(room: Arc<Identity>, cx: Cx) -> Reply {
    create_of(&room, &cx, false).await
}

async fn create_inherited(room: Arc<Identity>, cx: Cx) -> Reply {
    create_of(&room, &cx, true).await
}

async fn revoke(room: Arc<Identity>, cx: Cx) -> Reply {
    revoke_of(&room, &cx, false).await
}

async fn revoke_inherited(room: Arc<Identity>, cx: Cx) -> Reply {
    revoke_of(&room, &cx, true).await
}

async fn list_of(room: &Identity, cx: &Cx, inherited: bool) -> Reply {
    let (holder, place) = (holder(cx), place(cx));
    let policy = policies(&holder, &place).list;
    let target = target(room, cx, policy, Asked { holder: &holder, place: &place, role: None, inherited }).await?;
    let allowed = cx.allow(policy, &target, (holder, place))?;
    let roles = room.list(move |tx| table::granted(tx, &allowed, inherited)).await?;
    reply::list(cx, &roles)
}

async fn check_of(room: &Identity, cx: &Cx, inherited: bool) -> Reply {
    let assignment = assignment(cx, inherited);
    let policy = policies(&assignment.holder, &assignment.place).check;
    let target = target(room, cx, policy, Asked::about(&assignment)).await?;
    let allowed = cx.allow(policy, &target, assignment)?;
    room.read(move |tx| {
        let is_granted = table::is_granted(tx, &allowed)?;
        if is_granted { Ok(()) } else { Err(table::not_found(allowed.thing())) }
    })
    .await?;
    no_content()
}

async fn create_of(room: &Identity, cx: &Cx, inherited: bool) -> Reply {
    let assignment = assignment(cx, inherited);
    let policy = policies(&assignment.holder, &assignment.place).create;
    let target = target(room, cx, policy, Asked::about(&assignment)).await?;
    let allowed = cx.allow(policy, &target, assignment)?;
    let (actor, wielder) = (cx.actor(), Wielder::of(room, cx).await?);
    room.change(move |tx| {
        let over = wielder.over_assignment(tx, allowed.thing().clone())?;
        table::grant(tx, &allowed, &over, &actor)
    })
    .await?;
    no_content()
}

async fn revoke_of(room: &Identity, cx: &Cx, inherited: bool) -> Reply {
    let assignment = assignment(cx, inherited);
    let policy = policies(&assignment.holder, &assignment.place).revoke;
    let target = target(room, cx, policy, Asked::about(&assignment)).await?;
    let allowed = cx.allow(policy, &target, assignment)?;
    let (actor, wielder) = (cx.actor(), Wielder::of(room, cx).await?);
    room.change(move |tx| {
        let over = wielder.over_assignment(tx, allowed.thing().clone())?;
        table::revoke(tx, &allowed, &over, &actor)
    })
    .await?;
    no_content()
}

struct Policies {
    list: &'static Policy,
    check: &'static Policy,
    create: &'static Policy,
    revoke: &'static Policy,
}

fn policies(holder: &Holder, place: &Place) -> Policies {
    match (place, holder) {
        (Place::System, Holder::User(_)) => Policies {
            list: &SYSTEM_LIST_USER,
            check: &SYSTEM_CHECK_USER,
            create: &SYSTEM_CREATE_USER,
            revoke: &SYSTEM_REVOKE_USER,
        },
        (Place::System, Holder::Group(_)) => Policies {
            list: &SYSTEM_LIST_GROUP,
            check: &SYSTEM_CHECK_GROUP,
            create: &SYSTEM_CREATE_GROUP,
            revoke: &SYSTEM_REVOKE_GROUP,
        },
        (Place::Project(_) | Place::Domain(_), _) => Policies { list: &LIST, check: &CHECK, create: &CREATE, revoke: &REVOKE },
    }
}

/// What a request is about.
struct Asked<'a> {
    holder: &'a Holder,
    place: &'a Place,
    role: Option<&'a RoleId>,
    inherited: bool,
}

impl<'a> Asked<'a> {
    fn about(assignment: &'a Assignment) -> Self {
        let Assignment { holder, place, role, inherited } = assignment;
        Self { holder, place, role: Some(role), inherited: *inherited }
    }
}

/// Says which of the three is missing, and gathers what the rules ask of them. About inherited roles, and a holder from
/// whom a role is to be taken, Keystone asks first, so that only whom the rules admit learns what is missing.
async fn target(room: &Identity, cx: &Cx, policy: &'static Policy, asked: Asked<'_>) -> Result<Target, Fault> {
    let (wanted_holder, wanted_place, role_id) = (asked.holder.clone(), asked.place.clone(), asked.role.cloned());
    let is_said_first = move |kind: &str| {
        let is_holder = kind == "user" || kind == "group";
        let is_asked_first = asked.inherited || (is_holder && cx.method == Method::DELETE);
        !is_asked_first
    };
    let (target, missing) = room
        .read(move |tx| {
            let mut missing = None;
            let mut target = Target::new();
            let domain = match &wanted_holder {
                Holder::User(id) => users::find(tx, id)?.map(|user| user.domain_id),
                Holder::Group(id) => groups::find(tx, id)?.map(|group| group.domain_id),
            };
            match domain {
                Some(domain) => target = target.with(format!("target.{}.domain_id", wanted_holder.kind()), domain),
                None => missing = Some((wanted_holder.kind(), wanted_holder.id().to_owned())),
            }
            match &wanted_place {
                Place::Project(id) => match projects::find(tx, id)? {
                    Some(project) => target = target.with("target.project.domain_id", project.domain_id),
                    None => missing = Some(("project", id.to_string())),
                },
                Place::Domain(id) => match domains::get(tx, &Allowed::for_work("find the place of a role"), id) {
                    Ok(domain) => target = target.with("target.domain.id", domain.id),
                    Err(Error::NotFound { kind, id }) => missing = Some((kind, id)),
                    Err(error) => return Err(error),
                },
                Place::System => {}
            }
            if let Some(role_id) = &role_id {
                match roles::find(tx, role_id)? {
                    Some(role) => {
                        target =
                            target.with("target.role.name", role.name).with_optional("target.role.domain_id", role.domain_id);
                    }
                    None => missing = Some(("role", role_id.to_string())),
                }
            }
            Ok::<_, Error>((target, missing))
        })
        .await?;
    let missing = missing.map(|(kind, id)| (is_said_first(kind), Fault::from(Error::not_found(kind, id))));
    match missing {
        Some((true, fault)) => Err(fault),
        Some((false, fault)) => cx.check(policy, &target).and(Err(fault)),
        None => Ok(target),
    }
}

fn assignment(cx: &Cx, inherited: bool) -> Assignment {
    Assignment { holder: holder(cx), place: place(cx), role: cx.param("role_id").into(), inherited }
}

fn holder(cx: &Cx) -> Holder {
    match cx.param("group_id") {
        "" => Holder::User(cx.param("user_id").into()),
        group => Holder::Group(group.into()),
    }
}

fn place(cx: &Cx) -> Place {
    match (cx.param("project_id"), cx.param("domain_id")) {
        ("", "") => Place::System,
        ("", domain) => Place::Domain(domain.into()),
        (project, _) => Place::Project(project.into()),
    }
}
