// SPDX-License-Identifier: Apache-2.0
//! Who holds which roles where, found by the database: a fixed number of statements each, whatever is in the tables.

use std::collections::HashMap;

use store::{Row, Tx, Value, params};
use types::{DomainId, GroupId, ProjectId, RoleId, Timestamp, UserId};

use super::Claim;
use crate::{
    assignment::{Assignment, Place, effective},
    error::Result,
};

/// Each project with its domain and with what is above it.
type Around = HashMap<ProjectId, (DomainId, Vec<ProjectId>)>;

/// What a user has now, also by being in `groups`: in what is enabled, and as long as his memberships count.
pub fn now(tx: &mut Tx, user: &UserId, groups: &[GroupId]) -> Result<Vec<Claim>> {
    let held = effective::held(groups, 2);
    let sql = format!(
        "SELECT DISTINCT a.role_id, a.target_kind, a.target_id, a.inherited, d.id FROM role_assignments a \
         LEFT JOIN projects p ON a.target_kind = 'project' AND p.id = a.target_id \
         LEFT JOIN domains d ON d.id = CASE WHEN a.target_kind = 'domain' THEN a.target_id ELSE p.domain_id END \
         WHERE {held} AND (a.target_kind = 'system' OR (d.enabled = 1 AND (p.id IS NULL OR p.enabled = 1)))"
    );
    let rows = tx.query(&sql, &effective::and_groups(&params![user], groups))?;
    // What is above matters only for what is acted upon.
    rows.iter().map(|row| Ok(Claim { domain: row.get(4)?, ..claim(row, &Around::new())? })).collect()
}

/// What a user can come to have without another's doing: in what is disabled too, by groups that an identity provider has
/// put him in before, and by trusts.
pub fn ever_of_user(tx: &mut Tx, user: &UserId) -> Result<Vec<Claim>> {
    let held = "(a.actor_kind = 'user' AND a.actor_id = $1 OR a.actor_kind = 'group' AND (\
                a.actor_id IN (SELECT group_id FROM group_members WHERE user_id = $1) \
                OR a.actor_id IN (SELECT group_id FROM federated_memberships WHERE user_id = $1)))";
    let trusts = "SELECT project_id, role_ids FROM trusts WHERE trustee_user_id = $1 AND project_id IS NOT NULL \
                  AND (expires_at IS NULL OR expires_at > $2) AND (remaining_uses IS NULL OR remaining_uses > 0)";
    let trusts = tx.query(trusts, &params![user, Timestamp::now()])?;
    let base = format!(
        "SELECT a.target_id FROM role_assignments a WHERE a.target_kind = 'project' AND {held} \
         UNION SELECT project_id FROM trusts WHERE trustee_user_id = $1"
    );
    let around = around(tx, &base, params![user].to_vec())?;
    let mut claims = held_by(tx, held, user.into(), &around)?;
    for trust in &trusts {
        let project: ProjectId = trust.get(0)?;
        let roles: Vec<RoleId> = trust.json(1)?;
        claims.extend(roles.into_iter().map(|role| placed(role, Place::Project(project.clone()), false, &around)));
    }
    Ok(claims)
}

/// What the members of a group have by it.
pub fn ever_of_group(tx: &mut Tx, group: &GroupId) -> Result<Vec<Claim>> {
    let held = "a.actor_kind = 'group' AND a.actor_id = $1";
    let base = format!("SELECT a.target_id FROM role_assignments a WHERE a.target_kind = 'project' AND {held}");
    let around = around(tx, &base, params![group].to_vec())?;
    held_by(tx, held, group.into(), &around)
}

/// What anybody was given in this very project, or below it.
pub fn given_in(tx: &mut Tx, project: &ProjectId) -> Result<Vec<Claim>> {
    held_by(tx, "a.target_kind = 'project' AND a.target_id = $1", project.into(), &Around::new())
}

/// What an assignment gives.
pub fn by(tx: &mut Tx, assignment: &Assignment) -> Result<Claim> {
    let Assignment { place, role, inherited, .. } = assignment;
    let around = match place {
        Place::Project(project) => around(tx, "SELECT CAST($1 AS TEXT)", params![project].to_vec())?,
        Place::Domain(_) | Place::System => Around::new(),
    };
    Ok(placed(role.clone(), place.clone(), *inherited, &around))
}

fn held_by(tx: &mut Tx, held: &str, holder: Value, around: &Around) -> Result<Vec<Claim>> {
    let sql = format!("SELECT DISTINCT a.role_id, a.target_kind, a.target_id, a.inherited FROM role_assignments a WHERE {held}");
    tx.query(&sql, &[holder])?.iter().map(|row| claim(row, around)).collect()
}

/// The projects that `base` selects, each with what is around it.
fn around(tx: &mut Tx, base: &str, values: Vec<Value>) -> Result<Around> {
    let sql = format!(
        "WITH RECURSIVE tree (id, above, domain_id) AS (
             SELECT p.id, p.parent_id, p.domain_id FROM projects p WHERE p.id IN ({base})
             UNION SELECT tree.id, p.parent_id, p.domain_id FROM tree JOIN projects p ON p.id = tree.above
         )
         SELECT id, above, domain_id FROM tree"
    );
    let mut around = Around::new();
    for row in tx.query(&sql, &values)? {
        let domain: DomainId = row.get(2)?;
        let (_, above) = around.entry(row.get(0)?).or_insert_with(|| (domain, vec![]));
        above.extend(row.get::<Option<ProjectId>>(1)?);
    }
    Ok(around)
}

fn claim(row: &Row, around: &Around) -> Result<Claim> {
    let id: String = row.get(2)?;
    let place = match row.get::<&str>(1)? {
        "project" => Place::Project(id.into()),
        "domain" => Place::Domain(id.into()),
        _ => Place::System,
    };
    Ok(placed(row.get(0)?, place, row.get(3)?, around))
}

fn placed(role: RoleId, place: Place, inherited: bool, around: &Around) -> Claim {
    let (domain, above) = match &place {
        Place::Project(id) => around.get(id).cloned().map(|(domain, above)| (Some(domain), above)).unwrap_or_default(),
        Place::Domain(id) => (Some(id.clone()), vec![]),
        Place::System => (None, vec![]),
    };
    Claim { role, place, inherited, domain, above }
}
