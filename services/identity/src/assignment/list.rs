// SPDX-License-Identifier: Apache-2.0
//! `/v3/role_assignments`: who has which role where, as given or as it comes out.

use std::{collections::HashMap, sync::Arc};

use access::{Allowed, Policy, Scope};
use api::{Cx, Fault, Reply, Routes};
use serde_json::{Value, json};
use store::{Tx, params};
use types::{DomainId, GroupId, ProjectId, RoleId, UserId};

use super::{Assignment, Holder, Place, store as assignments};
use crate::{Identity, error::Result, reply, role::store::AllRoles};

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

pub const POLICIES: [&Policy; 2] = [&LIST, &LIST_TREE];

pub fn routes(room: Arc<Identity>) -> Routes<Identity> {
    Routes::new(room).get("/v3/role_assignments", &LIST, list)
}

/// What a client asks for.
#[derive(Debug, Clone, Default)]
struct Wanted {
    user: Option<UserId>,
    group: Option<GroupId>,
    role: Option<RoleId>,
    project: Option<ProjectId>,
    domain: Option<DomainId>,
    system: bool,
    inherited_only: bool,
    effective: bool,
    names: bool,
    subtree: bool,
}

/// One line of the answer, with where it came from.
#[derive(Debug, Clone)]
struct Line {
    assignment: Assignment,
    /// As it was given; differs from the above where groups, the tree or an implication came between.
    given: Assignment,
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let wanted = Wanted::read(&cx)?;
    let allowed = if wanted.subtree { cx.scope(&LIST_TREE)? } else { cx.allowed()?.clone() };
    let names = wanted.names;
    let (lines, facts) = room
        .list(move |tx| {
            let facts = Facts::load(tx, &wanted)?;
            let lines = lines(tx, &allowed, &wanted, &facts)?;
            Ok((lines, facts))
        })
        .await?;
    let views: Vec<Value> = lines.iter().map(|line| view(&cx, line, &facts, names)).collect();
    reply::collection(&cx, "role_assignments", &views)
}

impl Wanted {
    fn read(cx: &Cx) -> Result<Self, Fault> {
        let query = cx.query();
        // Keystone takes a flag without a value as set, and `0` as not set.
        let flag = |name: &str| query.get(name).is_some_and(|value| value != "0" && !value.eq_ignore_ascii_case("false"));
        let wanted = Self {
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
        if wanted.effective && wanted.inherited_only {
            return Err(Fault::bad_request(
                "Combining effective, domain and inherited filters will always result in an empty list.",
            ));
        }
        if wanted.subtree && wanted.project.is_none() {
            return Err(Fault::bad_request("scope.project.id must be specified if include_subtree is also specified."));
        }
        Ok(wanted)
    }
}

/// What assignments are expanded and named with. One statement each, whatever the number of lines.
struct Facts {
    roles: AllRoles,
    projects: HashMap<ProjectId, (String, DomainId, Option<ProjectId>)>,
    domains: HashMap<DomainId, String>,
    users: HashMap<UserId, (String, DomainId)>,
    groups: HashMap<GroupId, (String, DomainId)>,
    members: HashMap<GroupId, Vec<UserId>>,
}

impl Facts {
    fn load(tx: &mut Tx, wanted: &Wanted) -> Result<Self> {
        let mut facts = Self {
            roles: AllRoles::load(tx)?,
            projects: HashMap::new(),
            domains: HashMap::new(),
            users: HashMap::new(),
            groups: HashMap::new(),
            members: HashMap::new(),
        };
        for row in tx.query("SELECT id, name, domain_id, parent_id FROM projects", &params![])? {
            facts.projects.insert(row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?));
        }
        for row in tx.query("SELECT id, name FROM domains", &params![])? {
            facts.domains.insert(row.get(0)?, row.get(1)?);
        }
        if wanted.names {
            for row in tx.query("SELECT id, name, domain_id FROM users", &params![])? {
                facts.users.insert(row.get(0)?, (row.get(1)?, row.get(2)?));
            }
            for row in tx.query("SELECT id, name, domain_id FROM user_groups", &params![])? {
                facts.groups.insert(row.get(0)?, (row.get(1)?, row.get(2)?));
            }
        }
        if wanted.effective {
            for row in tx.query("SELECT group_id, user_id FROM group_members", &params![])? {
                facts.members.entry(row.get(0)?).or_default().push(row.get(1)?);
            }
        }
        Ok(facts)
    }

    fn is_below(&self, project: &ProjectId, ancestor: &ProjectId) -> bool {
        let mut at = self.projects.get(project).and_then(|(_, _, parent)| parent.as_ref());
        while let Some(parent) = at {
            if parent == ancestor {
                return true;
            }
            at = self.projects.get(parent).and_then(|(_, _, parent)| parent.as_ref());
        }
        false
    }

    fn domain_of(&self, place: &Place) -> Option<&DomainId> {
        match place {
            Place::Project(project) => self.projects.get(project).map(|(_, domain, _)| domain),
            Place::Domain(domain) => self.domains.get_key_value(domain).map(|(domain, _)| domain),
            Place::System => None,
        }
    }

    fn named(&self, id: &str, name: &str, domain: &DomainId) -> Value {
        json!({"id": id, "name": name, "domain": {"id": domain, "name": self.domains.get(domain)}})
    }
}

fn lines(tx: &mut Tx, allowed: &Allowed<Scope>, wanted: &Wanted, facts: &Facts) -> Result<Vec<Line>> {
    let given = assignments::find(tx, &conditions(wanted))?;
    let expanded = given.into_iter().flat_map(|given| {
        let all = if wanted.effective { expand(&given, facts) } else { vec![given.clone()] };
        all.into_iter().map(move |assignment| Line { assignment, given: given.clone() })
    });
    let mut lines: Vec<Line> = expanded.filter(|line| admits(allowed.scope(), &line.assignment, facts)).collect();
    lines.retain(|line| fits(&line.assignment, wanted, facts));
    let mut seen = std::collections::HashSet::new();
    lines.retain(|line| seen.insert(line.assignment.clone()));
    Ok(lines)
}

/// The conditions that the database can check. With `effective`, holder, place and role are known only afterwards.
fn conditions(wanted: &Wanted) -> Vec<(&'static str, Option<::store::Value>)> {
    if wanted.effective {
        return vec![];
    }
    let holder_kind = wanted.user.as_ref().map(|_| "user").or(wanted.group.as_ref().map(|_| "group"));
    vec![
        ("actor_kind = ", holder_kind.map(Into::into)),
        ("actor_id = ", wanted.user.as_ref().map(Into::into).or(wanted.group.as_ref().map(Into::into))),
        ("role_id = ", wanted.role.as_ref().map(Into::into)),
        ("inherited = ", wanted.inherited_only.then(|| true.into())),
    ]
}

fn fits(assignment: &Assignment, wanted: &Wanted, facts: &Facts) -> bool {
    let holder = match &assignment.holder {
        Holder::User(id) => wanted.group.is_none() && wanted.user.as_ref().is_none_or(|user| user == id),
        Holder::Group(id) => wanted.user.is_none() && wanted.group.as_ref().is_none_or(|group| group == id),
    };
    let in_project = |wanted_project: &ProjectId| match &assignment.place {
        Place::Project(id) => id == wanted_project || (wanted.subtree && facts.is_below(id, wanted_project)),
        Place::Domain(_) | Place::System => false,
    };
    holder
        && wanted.role.as_ref().is_none_or(|role| *role == assignment.role)
        && wanted.project.as_ref().is_none_or(in_project)
        && wanted.domain.as_ref().is_none_or(|domain| assignment.place == Place::Domain(domain.clone()))
        && (!wanted.system || assignment.place == Place::System)
}

/// A domain's reader sees what was given in the domain.
fn admits(scope: &Scope, assignment: &Assignment, facts: &Facts) -> bool {
    match facts.domain_of(&assignment.place) {
        Some(domain) => scope.admits_domain(domain),
        None => scope.is_all(),
    }
}

/// One assignment as it comes out: for each member of the group, in each project below, for each implied role.
fn expand(given: &Assignment, facts: &Facts) -> Vec<Assignment> {
    let holders: Vec<Holder> = match &given.holder {
        Holder::User(_) => vec![given.holder.clone()],
        Holder::Group(group) => facts.members.get(group).into_iter().flatten().map(|user| Holder::User(user.clone())).collect(),
    };
    let places: Vec<Place> = match (&given.place, given.inherited) {
        (place, false) => vec![place.clone()],
        (Place::Domain(domain), true) => {
            let of_domain = facts.projects.iter().filter(|(_, (_, own, _))| own == domain);
            of_domain.map(|(id, _)| Place::Project(id.clone())).collect()
        }
        (Place::Project(above), true) => {
            let below = facts.projects.keys().filter(|id| facts.is_below(id, above));
            below.map(|id| Place::Project(id.clone())).collect()
        }
        (Place::System, true) => vec![],
    };
    let roles = facts.roles.closure([given.role.clone()]);
    let roles: Vec<_> = roles.into_iter().filter(|id| facts.roles.by_id.get(id).is_some_and(|r| r.domain_id.is_none())).collect();
    let mut all = vec![];
    for holder in &holders {
        for place in &places {
            for role in &roles {
                all.push(Assignment { holder: holder.clone(), place: place.clone(), role: role.clone(), inherited: false });
            }
        }
    }
    all
}

fn view(cx: &Cx, line: &Line, facts: &Facts, names: bool) -> Value {
    let Line { assignment, given } = line;
    let mut view = serde_json::Map::new();
    let holder = match &assignment.holder {
        Holder::User(id) => (names, facts.users.get(id)),
        Holder::Group(id) => (names, facts.groups.get(id)),
    };
    let holder_view = match holder {
        (true, Some((name, domain))) => facts.named(assignment.holder.id(), name, domain),
        _ => json!({"id": assignment.holder.id()}),
    };
    view.insert(assignment.holder.kind().to_owned(), holder_view);
    view.insert("role".to_owned(), role_view(&assignment.role, facts, names));
    view.insert("scope".to_owned(), scope_view(&assignment.place, given.inherited, facts, names));
    view.insert("links".to_owned(), links(cx, assignment, given));
    Value::Object(view)
}

fn role_view(role: &RoleId, facts: &Facts, names: bool) -> Value {
    match facts.roles.by_id.get(role).filter(|_| names) {
        None => json!({"id": role}),
        Some(known) => match &known.domain_id {
            None => json!({"id": role, "name": known.name}),
            Some(domain) => facts.named(role.as_str(), &known.name, domain),
        },
    }
}

fn scope_view(place: &Place, inherited: bool, facts: &Facts, names: bool) -> Value {
    let mut scope = match place {
        Place::System => json!({"system": {"all": true}}),
        Place::Project(id) => match facts.projects.get(id).filter(|_| names) {
            Some((name, domain, _)) => json!({"project": facts.named(id.as_str(), name, domain)}),
            None => json!({"project": {"id": id}}),
        },
        Place::Domain(id) => match facts.domains.get(id).filter(|_| names) {
            Some(name) => json!({"domain": {"id": id, "name": name}}),
            None => json!({"domain": {"id": id}}),
        },
    };
    if inherited {
        scope["OS-INHERIT:inherited_to"] = "projects".into();
    }
    scope
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
