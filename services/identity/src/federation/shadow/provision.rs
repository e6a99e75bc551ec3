// SPDX-License-Identifier: Apache-2.0
//! Projects that a mapping promises: made if they are not there, with the roles in them that it names. Under schema 3.0
//! these are all the roles that the user has in projects.

use std::collections::HashSet;

use access::Allowed;
use evidence::mapping::Mapped;
use store::{Actor, Tx, params};
use types::{DomainId, ProjectId, RoleId, UserId};

use crate::{
    assignment::{Assignment, Holder, Place, table as assignments},
    body::{Extra, Name},
    error::Result,
    federation::denied::{denied, resolve_domain},
    options::ResourceOptions,
    power::Over,
    project::{NewProject, Tags, table as projects},
};

/// What a mapping promises, an administrator of the cloud laid down in it.
const PROVISION: &str = "provision a federated user";

/// `domain`: where projects go for which the mapping names none. Answers whether anything may be new.
pub fn ensure(
    tx: &mut Tx,
    actor: &Actor,
    user: &UserId,
    user_domain: &DomainId,
    mapped: &Mapped,
    domain: &DomainId,
) -> Result<bool> {
    let mut is_news = false;
    let mut wanted = HashSet::new();
    for project in &mapped.projects {
        let domain = match &project.domain {
            Some(named) => resolve_domain(tx, named)?,
            None => domain.clone(),
        };
        let roles: Vec<RoleId> = project.roles.iter().map(|role| role_named(tx, role, user_domain)).collect::<Result<_>>()?;
        let (project, is_new) = ensure_project(tx, actor, &project.name, domain)?;
        is_news |= is_new;
        let place = Place::Project(project);
        for role in roles {
            wanted.insert((place.id().to_owned(), role.clone()));
            let assignment = Assignment { holder: Holder::User(user.clone()), place: place.clone(), role, inherited: false };
            let work = Allowed::for_work_on(PROVISION, assignment.clone());
            if !assignments::is_granted(tx, &work)? {
                assignments::grant(tx, &work, &Over::for_work(PROVISION, assignment), actor)?;
                is_news = true;
            }
        }
    }
    if mapped.projects_are_all {
        is_news |= release_others(tx, actor, user, &wanted)?;
    }
    Ok(is_news)
}

/// Takes away the roles in projects that the identity provider does not speak of any more. What is inherited stays: no
/// mapping gives it.
fn release_others(tx: &mut Tx, actor: &Actor, user: &UserId, wanted: &HashSet<(String, RoleId)>) -> Result<bool> {
    let sql = "SELECT target_id, role_id FROM role_assignments \
               WHERE actor_kind = 'user' AND actor_id = $1 AND target_kind = 'project' AND inherited = 0";
    let mut is_news = false;
    for row in tx.query(sql, &params![user])? {
        let (project, role): (String, RoleId) = (row.get(0)?, row.get(1)?);
        if !wanted.contains(&(project.clone(), role.clone())) {
            let place = Place::Project(project.as_str().into());
            let assignment = Assignment { holder: Holder::User(user.clone()), place, role, inherited: false };
            let work = Allowed::for_work_on(PROVISION, assignment.clone());
            assignments::revoke(tx, &work, &Over::for_work(PROVISION, assignment), actor)?;
            is_news = true;
        }
    }
    Ok(is_news)
}

/// A role of the whole cloud, or one of the user's own domain.
fn role_named(tx: &mut Tx, name: &str, domain: &DomainId) -> Result<RoleId> {
    let sql = "SELECT id FROM roles WHERE name = $1 AND domain_id IN ('', $2) ORDER BY domain_id";
    let rows = tx.query(sql, &params![name, domain])?;
    let row = rows.first().ok_or_else(|| denied(format!("the mapping names the role '{name}', which is not there")))?;
    Ok(row.get(0)?)
}

fn ensure_project(tx: &mut Tx, actor: &Actor, name: &str, domain: DomainId) -> Result<(ProjectId, bool)> {
    let found = tx.query_opt("SELECT id FROM projects WHERE domain_id = $1 AND name = $2", &params![&domain, name])?;
    if let Some(row) = found {
        return Ok((row.get(0)?, false));
    }
    let new = NewProject {
        name: Name::parse(name).map_err(|cause| denied(format!("the mapping names a project '{name}': {cause}")))?,
        domain_id: Some(domain.clone()),
        parent_id: None,
        description: None,
        enabled: true,
        is_domain: false,
        tags: Tags::default(),
        options: ResourceOptions::default(),
        extra: Extra::new(),
    };
    let over = Over::for_work(PROVISION, domain);
    Ok((projects::create(tx, &Allowed::for_work(PROVISION), &over, actor, &new)?.id, true))
}
