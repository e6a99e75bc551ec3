// SPDX-License-Identifier: Apache-2.0
//! `/v3/role_assignments`: who has which role where, as given or as it comes out.

use std::sync::Arc;

use access::{Policy, Scope, Target};
use api::{Cx, Fault, Reply, Routes};
use serde_json::{Value, json};
use types::{DomainId, GroupId, ProjectId, RoleId, UserId};

use super::{
    Assignment, Holder, Place,
    lines::{self, Line, Named, Wanted},
};
use crate::{Identity, error::Error, filter, project::table as projects, reply, role::table::AllRoles};

static LIST: Policy = Policy::new(
    "identity:list_role_assignments",
    "rule:admin_required or (role:reader and system_scope:all) or (role:reader and domain_id:%(target.domain_id)s)",
    "List who has which role where",
)
.also_for_domains();
static LIST_TREE: Policy = Policy::new(
    "identity:list_role_assignments_for_tree",
    "rule:admin_required or (role:reader and system_scope:all) or (role:reader and domain_id:%(target.domain_id)s)",
    "List who has which role in a project and in those below it",
)
.also_for_domains();

pub fn routes() -> Routes<Identity> {
    Routes::new().get("/v3/role_assignments", &LIST, list).asking(&[&LIST_TREE])
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let wanted = wanted(&cx)?;
    let names = wanted.names;
    let scope = match &wanted.project {
        Some(project) if wanted.subtree => tree(&room, &cx, project).await?,
        _ => filter::within_domain_of_token(&cx)?.scope().clone(),
    };
    let (lines, roles) = room
        .list(move |tx| {
            let roles = AllRoles::load(tx)?;
            Ok((lines::find(tx, &scope, &wanted, &roles)?, roles))
        })
        .await?;
    let views: Vec<Value> = lines.iter().map(|line| view(&cx, line, names.then_some(&roles))).collect();
    reply::collection(&cx, "role_assignments", &views)
}

/// Of a tree of projects all may be seen, or nothing: the domain that it lies in decides.
async fn tree(room: &Identity, cx: &Cx, project: &ProjectId) -> Result<Scope, Fault> {
    let id = project.clone();
    let found = room.read(move |tx| projects::find(tx, &id)).await?;
    let domain = found.ok_or_else(|| Error::not_found("project", project.as_str()))?.domain_id;
    cx.check(&LIST_TREE, &Target::new().with("target.domain_id", domain.as_str()))?;
    Ok(Scope::Domain(domain))
}

fn wanted(cx: &Cx) -> Result<Wanted, Fault> {
    let query = cx.query();
    // Keystone takes a flag without a value as set, and `0` as not set.
    let flag = |name: &str| query.get(name).is_some_and(|value| value != "0" && !value.eq_ignore_ascii_case("false"));
    let wanted = Wanted {
        user: query.get("user.id").map(UserId::from),
        group: query.get("group.id").map(GroupId::from),
        role: query.get("role.id").map(RoleId::from),
        project: query.get("scope.project.id").map(ProjectId::from),
        domain: query.get("scope.domain.id").map(DomainId::from),
        system: query.get("scope.system").is_some(),
        inherited_only: query.get("scope.OS-INHERIT:inherited_to") == Some("projects"),
        effective: flag("effective"),
        names: flag("include_names"),
        subtree: flag("include_subtree"),
    };
    let places = usize::from(wanted.project.is_some()) + usize::from(wanted.domain.is_some()) + usize::from(wanted.system);
    if places > 1 {
        return Err(Fault::bad_request("Specify a domain or project or the system, not more than one of them."));
    }
    if wanted.user.is_some() && wanted.group.is_some() {
        return Err(Fault::bad_request("Specify a user or group, not both."));
    }
    if wanted.effective && wanted.group.is_some() {
        return Err(Fault::bad_request("Combining effective and group filter will always result in an empty list."));
    }
    if wanted.effective && wanted.inherited_only && wanted.domain.is_some() {
        return Err(Fault::bad_request("Combining effective, domain and inherited filters will always result in an empty list."));
    }
    if wanted.subtree && wanted.project.is_none() {
        return Err(Fault::bad_request("scope.project.id must be specified if include_subtree is also specified."));
    }
    Ok(wanted)
}

/// With `roles`, everything is told with its name.
fn view(cx: &Cx, line: &Line, roles: Option<&AllRoles>) -> Value {
    let Line { assignment, given, holder, place, role_domain } = line;
    let mut view = serde_json::Map::new();
    let holder = with_name(assignment.holder.id(), holder.as_ref().filter(|_| roles.is_some()));
    view.insert(assignment.holder.kind().to_owned(), holder);
    view.insert("role".to_owned(), role_view(&assignment.role, role_domain.as_deref(), roles));
    let mut scope = match &assignment.place {
        Place::System => json!({"system": {"all": true}}),
        Place::Project(_) | Place::Domain(_) => {
            let own = with_name(assignment.place.id(), place.as_ref().filter(|_| roles.is_some()));
            json!({ assignment.place.kind(): own })
        }
    };
    if given.inherited {
        scope["OS-INHERIT:inherited_to"] = "projects".into();
    }
    view.insert("scope".to_owned(), scope);
    view.insert("links".to_owned(), links(cx, assignment, given));
    Value::Object(view)
}

fn role_view(role: &RoleId, domain_name: Option<&str>, roles: Option<&AllRoles>) -> Value {
    match roles.and_then(|roles| roles.by_id.get(role)) {
        None => json!({"id": role}),
        Some(known) => match &known.domain_id {
            None => json!({"id": role, "name": known.name}),
            Some(domain) => json!({"id": role, "name": known.name, "domain": {"id": domain, "name": domain_name}}),
        },
    }
}

fn with_name(id: &str, named: Option<&Named>) -> Value {
    match named {
        None => json!({"id": id}),
        Some(Named { name, domain: None }) => json!({"id": id, "name": name}),
        Some(Named { name, domain: Some((domain, own)) }) => {
            json!({"id": id, "name": name, "domain": {"id": domain, "name": own}})
        }
    }
}

fn links(cx: &Cx, assignment: &Assignment, given: &Assignment) -> Value {
    let place = match &given.place {
        Place::System => "system".to_owned(),
        other => format!("{}s/{}", other.kind(), other.id()),
    };
    let grant = format!("{place}/{}s/{}/roles/{}", given.holder.kind(), given.holder.id(), given.role);
    let path = if given.inherited { format!("/v3/OS-INHERIT/{grant}/inherited_to_projects") } else { format!("/v3/{grant}") };
    let mut links = json!({"assignment": cx.url(&path)});
    if let (Holder::Group(group), Holder::User(user)) = (&given.holder, &assignment.holder) {
        links["membership"] = cx.url(&format!("/v3/groups/{group}/users/{user}")).into();
    }
    if given.role != assignment.role {
        links["prior_role"] = cx.url(&format!("/v3/prior_roles/{}/implies/{}", given.role, assignment.role)).into();
    }
    links
}
