// SPDX-License-Identifier: Apache-2.0
//! Giving and taking roles: `/v3/{projects|domains|system}/…/{users|groups}/…/roles/…`, and the inherited ones.
//!
//! The policies depend on the domains of holder, place and role together, so each request asks about the three.

use std::sync::Arc;

use access::{Allowed, Policy, Target};
use api::{Access, Cx, Fault, Reply, Routes, no_content};
use http::Method;
use types::RoleId;

use super::{
    Assignment, Holder, Place,
    policies::{
        self, CHECK, CREATE, LIST, REVOKE, SYSTEM_CHECK_GROUP, SYSTEM_CHECK_USER, SYSTEM_CREATE_GROUP, SYSTEM_CREATE_USER,
        SYSTEM_LIST_GROUP, SYSTEM_LIST_USER, SYSTEM_REVOKE_GROUP, SYSTEM_REVOKE_USER,
    },
    table,
};
use crate::{
    Identity,
    domain::table as domains,
    error::{Error, Result},
    group::table as groups,
    power::Wielder,
    project::table as projects,
    reply,
    role::table as roles,
    user::table as users,
};

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
    let policy = policies::of(&holder, &place).list;
    let target = target(room, cx, policy, Asked { holder: &holder, place: &place, role: None, inherited }).await?;
    let allowed = cx.allow(policy, &target, (holder, place))?;
    let roles = room.list(move |tx| table::granted(tx, &allowed, inherited)).await?;
    reply::list(cx, &roles)
}

async fn check_of(room: &Identity, cx: &Cx, inherited: bool) -> Reply {
    let assignment = assignment(cx, inherited);
    let policy = policies::of(&assignment.holder, &assignment.place).check;
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
    let policy = policies::of(&assignment.holder, &assignment.place).create;
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
    let policy = policies::of(&assignment.holder, &assignment.place).revoke;
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
