// SPDX-License-Identifier: Apache-2.0
//! What assignments come to: through groups, down the tree of projects, and by implication.

use contracts::caller::RoleFacts;
use store::{Row, Tx, Value, params};
use types::{DomainId, GroupId, ProjectId, RoleId, Timestamp, UserId};

use super::Place;
use crate::{
    domain::{Domain, table as domains},
    error::Result,
    project::{Project, table as projects},
    role::table::AllRoles,
};

/// Whatever was given to the user, to a group that the user is in, or to one of `groups`. The user is `$1`; `next` is
/// the number of the first parameter that [`and_groups`] appends.
pub fn held(groups: &[GroupId], next: usize) -> String {
    let said: String = (0..groups.len()).map(|i| format!(", ${}", next + 1 + i)).collect();
    format!(
        "((a.actor_kind = 'user' AND a.actor_id = $1) OR (a.actor_kind = 'group' AND (\
         a.actor_id IN (SELECT group_id FROM group_members WHERE user_id = $1) \
         OR a.actor_id IN (SELECT group_id FROM federated_memberships WHERE user_id = $1 AND valid_until > ${next}) \
         OR a.actor_id IN (NULL{said}))))"
    )
}

/// What [`held`] asks for beyond the user: what time it is, and the groups.
pub fn and_groups(params: &[Value], groups: &[GroupId]) -> Vec<Value> {
    let mut all = params.to_vec();
    all.push(Timestamp::now().into());
    all.extend(groups.iter().map(Value::from));
    all
}

/// The roles that a token of this user for this place carries: of the whole cloud, sorted by name.
pub fn roles_of(tx: &mut Tx, user: &UserId, place: &Place) -> Result<Vec<RoleFacts>> {
    roles_through(tx, user, &[], place)
}

/// The same for a user who is in some groups by an identity provider's word.
pub fn roles_through(tx: &mut Tx, user: &UserId, groups: &[GroupId], place: &Place) -> Result<Vec<RoleFacts>> {
    let direct = direct_roles_of(tx, user, groups, place)?;
    if direct.is_empty() {
        return Ok(vec![]);
    }
    let all = AllRoles::load(tx)?;
    Ok(told(&all, &all.closure(direct)))
}

/// All roles of this user in this place, the domains' own among them, with those that they imply.
pub fn all_roles_of(tx: &mut Tx, all: &AllRoles, user: &UserId, place: &Place) -> Result<Vec<RoleId>> {
    Ok(all.closure(direct_roles_of(tx, user, &[], place)?))
}

/// Those of these roles that a token tells. A domain's own role is a name for those that it implies; it is not itself
/// in a token.
pub fn told(all: &AllRoles, roles: &[RoleId]) -> Vec<RoleFacts> {
    let of_cloud = roles.iter().filter_map(|id| all.by_id.get(id)).filter(|role| role.domain_id.is_none());
    let mut facts: Vec<RoleFacts> = of_cloud.map(|role| RoleFacts { id: role.id.clone(), name: role.name.clone() }).collect();
    facts.sort_by(|a, b| a.name.cmp(&b.name));
    facts
}

fn direct_roles_of(tx: &mut Tx, user: &UserId, groups: &[GroupId], place: &Place) -> Result<Vec<RoleId>> {
    let rows = match place {
        Place::Project(project) => {
            // What is inherited comes from the domain or from any project above.
            let held = held(groups, 3);
            let sql = format!(
                "WITH RECURSIVE above (id) AS (
                     SELECT parent_id FROM projects WHERE id = $2 AND parent_id IS NOT NULL
                     UNION SELECT p.parent_id FROM projects p JOIN above ON p.id = above.id WHERE p.parent_id IS NOT NULL
                 )
                 SELECT DISTINCT a.role_id FROM role_assignments a WHERE {held} AND (
                     (a.target_kind = 'project' AND a.inherited = 0 AND a.target_id = $2)
                     OR (a.target_kind = 'project' AND a.inherited = 1 AND a.target_id IN (SELECT id FROM above))
                     OR (a.target_kind = 'domain' AND a.inherited = 1
                         AND a.target_id = (SELECT domain_id FROM projects WHERE id = $2))
                 ) ORDER BY a.role_id"
            );
            tx.query(&sql, &and_groups(&params![user, project], groups))?
        }
        Place::Domain(_) | Place::System => {
            let held = held(groups, 4);
            let sql = format!(
                "SELECT DISTINCT a.role_id FROM role_assignments a WHERE {held} AND a.inherited = 0 \
                 AND a.target_kind = $2 AND a.target_id = $3 ORDER BY a.role_id"
            );
            tx.query(&sql, &and_groups(&params![user, place.kind(), place.id()], groups))?
        }
    };
    Ok(rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?)
}

/// The enabled projects in which the user has any role.
pub fn projects_of(tx: &mut Tx, user: &UserId) -> Result<Vec<Project>> {
    projects_through(tx, user, &[])
}

/// The same for a user who is in some groups by an identity provider's word.
pub fn projects_through(tx: &mut Tx, user: &UserId, groups: &[GroupId]) -> Result<Vec<Project>> {
    let held = held(groups, 2);
    let sql = format!(
        "WITH RECURSIVE reached (id) AS (
             SELECT p.id FROM projects p JOIN role_assignments a ON a.inherited = 1 AND (
                 (a.target_kind = 'domain' AND a.target_id = p.domain_id)
                 OR (a.target_kind = 'project' AND a.target_id = p.parent_id)
             ) WHERE {held}
             UNION SELECT p.id FROM projects p JOIN reached ON p.parent_id = reached.id
         )
         SELECT id FROM reached
         UNION SELECT a.target_id FROM role_assignments a
               WHERE {held} AND a.target_kind = 'project' AND a.inherited = 0"
    );
    let ids: Vec<ProjectId> = ids(&tx.query(&sql, &and_groups(&params![user], groups))?)?;
    let work = access::Allowed::for_work("list the projects of a user");
    let select = projects::select(&work)
        .filter_in("id", &ids)
        .condition("enabled = 1 AND domain_id IN (SELECT id FROM domains WHERE enabled = 1)");
    projects::list(tx, &select.sort(&[("name", store::Direction::Asc)], "id"))
}

/// The enabled domains in which the user has any role, or one of `groups`.
pub fn domains_through(tx: &mut Tx, user: &UserId, groups: &[GroupId]) -> Result<Vec<Domain>> {
    let held = held(groups, 2);
    let sql = format!(
        "SELECT DISTINCT a.target_id FROM role_assignments a WHERE {held} AND a.target_kind = 'domain' AND a.inherited = 0"
    );
    let ids: Vec<DomainId> = ids(&tx.query(&sql, &and_groups(&params![user], groups))?)?;
    let work = access::Allowed::for_work("list the domains of a user");
    let select = domains::select(&work).filter_in("id", &ids).condition("enabled = 1");
    domains::list(tx, &select.sort(&[("name", store::Direction::Asc)], "id"))
}

fn ids<T: From<String>>(rows: &[Row]) -> Result<Vec<T>> {
    rows.iter().map(|row| Ok(T::from(row.get::<String>(0)?))).collect()
}
