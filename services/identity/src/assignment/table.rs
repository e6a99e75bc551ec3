// SPDX-License-Identifier: Apache-2.0
//! The table of role assignments.

use access::Allowed;
use store::{Actor, Tx, Value, params};
use types::RoleId;

use super::{Assignment, Holder, Place};
use crate::{
    change,
    error::{Error, Result},
    power::Over,
    role::{Role, table as roles},
};

/// Gives a role; that it was given already is no error.
pub fn grant(tx: &mut Tx, allowed: &Allowed<Assignment>, over: &Over<Assignment>, actor: &Actor) -> Result<()> {
    let assignment = allowed.thing();
    over.is_of(assignment)?;
    refuse_role_of_another_domain(tx, assignment)?;
    let sql = "INSERT INTO role_assignments (actor_kind, actor_id, target_kind, target_id, role_id, inherited) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    if tx.execute(sql, &key(assignment))? > 0 {
        let state = state(assignment);
        change::record(tx, actor, "role_assignment", assignment.holder.id(), None, Some(&state))?;
    }
    Ok(())
}

/// A domain's own role is one in the projects of this domain only.
fn refuse_role_of_another_domain(tx: &mut Tx, assignment: &Assignment) -> Result<()> {
    let (Place::Project(project), role) = (&assignment.place, &assignment.role) else { return Ok(()) };
    let sql = "SELECT 1 FROM roles r JOIN projects p ON p.id = $2 WHERE r.id = $1 AND r.domain_id <> '' \
               AND r.domain_id <> p.domain_id";
    if tx.query_opt(sql, &params![role, project])?.is_none() {
        return Ok(());
    }
    Err(Error::Forbidden(format!("Project {project} must be in the same domain as the role {role} being assigned.")))
}

pub fn revoke(tx: &mut Tx, allowed: &Allowed<Assignment>, over: &Over<Assignment>, actor: &Actor) -> Result<()> {
    let assignment = allowed.thing();
    over.is_of(assignment)?;
    let sql = "DELETE FROM role_assignments WHERE actor_kind = $1 AND actor_id = $2 AND target_kind = $3 \
               AND target_id = $4 AND role_id = $5 AND inherited = $6";
    if tx.execute(sql, &key(assignment))? == 0 {
        return Err(not_found(assignment));
    }
    let state = state(assignment);
    change::record(tx, actor, "role_assignment", assignment.holder.id(), Some(&state), None)
}

pub fn is_granted(tx: &mut Tx, allowed: &Allowed<Assignment>) -> Result<bool> {
    let assignment = allowed.thing();
    let sql = "SELECT 1 FROM role_assignments WHERE actor_kind = $1 AND actor_id = $2 AND target_kind = $3 \
               AND target_id = $4 AND role_id = $5 AND inherited = $6";
    Ok(tx.query_opt(sql, &key(assignment))?.is_some())
}

/// The roles that were given to this very holder in this very place.
pub fn granted(tx: &mut Tx, allowed: &Allowed<(Holder, Place)>, inherited: bool) -> Result<Vec<Role>> {
    let (holder, place) = allowed.thing();
    let sql = "SELECT role_id FROM role_assignments WHERE actor_kind = $1 AND actor_id = $2 AND target_kind = $3 \
               AND target_id = $4 AND inherited = $5 ORDER BY role_id";
    let rows = tx.query(sql, &params![holder.kind(), holder.id(), place.kind(), place.id(), inherited])?;
    let ids: Vec<RoleId> = rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let all = roles::AllRoles::load(tx)?;
    Ok(ids.iter().filter_map(|id| all.by_id.get(id)).cloned().collect())
}

pub fn not_found(assignment: &Assignment) -> Error {
    let Assignment { holder, place, role, .. } = assignment;
    let id = format!("{role} of {} {} on {} {}", holder.kind(), holder.id(), place.kind(), place.id());
    Error::not_found("role assignment with role", id)
}

fn key(assignment: &Assignment) -> [Value; 6] {
    let Assignment { holder, place, role, inherited } = assignment;
    params![holder.kind(), holder.id(), place.kind(), place.id(), role, *inherited]
}

fn state(assignment: &Assignment) -> serde_json::Value {
    let Assignment { holder, place, role, inherited } = assignment;
    serde_json::json!({
        format!("{}_id", holder.kind()): holder.id(),
        format!("{}_id", place.kind()): place.id(),
        "role_id": role,
        "inherited": inherited,
    })
}
