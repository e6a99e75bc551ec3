// SPDX-License-Identifier: Apache-2.0
//! The table of access rules.

use access::{Allowed, Scope};
use contracts::caller::AccessRule;
use store::{Actor, Row, Tx, params};
use types::UserId;

use super::{Wanted, view};
use crate::{
    change,
    error::{Error, Result},
};

pub fn list(tx: &mut Tx, allowed: &Allowed<Scope>, user: &UserId) -> Result<Vec<AccessRule>> {
    refuse_others(allowed, user)?;
    let sql = "SELECT id, service, method, path FROM access_rules WHERE user_id = $1 ORDER BY service, path, method";
    tx.query(sql, &params![user])?.iter().map(read).collect()
}

pub fn get(tx: &mut Tx, allowed: &Allowed<Scope>, user: &UserId, id: &str) -> Result<AccessRule> {
    refuse_others(allowed, user)?;
    find(tx, user, id)?.ok_or_else(|| Error::not_found("Access Rule", id))
}

/// The rules of one application credential; none says that it is not confined.
pub fn of_credential(tx: &mut Tx, credential: &str) -> Result<Vec<AccessRule>> {
    let sql = "SELECT r.id, r.service, r.method, r.path FROM access_rules r \
               JOIN application_credential_access_rules c ON c.access_rule_id = r.id \
               WHERE c.application_credential_id = $1 ORDER BY r.service, r.path, r.method";
    tx.query(sql, &params![credential])?.iter().map(read).collect()
}

/// The rules of all application credentials of a user, each with the credential's id.
pub fn of_user(tx: &mut Tx, user: &UserId) -> Result<Vec<(String, AccessRule)>> {
    let sql = "SELECT r.id, r.service, r.method, r.path, c.application_credential_id FROM access_rules r \
               JOIN application_credential_access_rules c ON c.access_rule_id = r.id \
               WHERE r.user_id = $1 ORDER BY r.service, r.path, r.method";
    tx.query(sql, &params![user])?.iter().map(|row| Ok((row.get(4)?, read(row)?))).collect()
}

/// Confines a new credential to these rules. Those that the user does not have yet are made.
pub fn confine(tx: &mut Tx, actor: &Actor, user: &UserId, credential: &str, wanted: &[Wanted]) -> Result<Vec<AccessRule>> {
    let mut rules: Vec<AccessRule> = vec![];
    for wanted in wanted {
        let rule = ensure(tx, actor, user, wanted)?;
        if rules.iter().any(|earlier| earlier.id == rule.id) {
            continue;
        }
        let sql = "INSERT INTO application_credential_access_rules (application_credential_id, access_rule_id) VALUES ($1, $2)";
        tx.execute(sql, &params![credential, &rule.id])?;
        rules.push(rule);
    }
    rules.sort_by(|a, b| (&a.service, &a.path, &a.method).cmp(&(&b.service, &b.path, &b.method)));
    Ok(rules)
}

pub fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, user: &UserId, id: &str) -> Result<()> {
    let rule = get(tx, allowed, user, id)?;
    let sql = "SELECT 1 FROM application_credential_access_rules WHERE access_rule_id = $1 LIMIT 1";
    if tx.query_opt(sql, &params![id])?.is_some() {
        return Err(Error::Forbidden(format!(
            "The access rule {id} is in use: delete the application credentials that are confined to it first."
        )));
    }
    tx.execute("DELETE FROM access_rules WHERE id = $1", &params![id])?;
    change::record(tx, actor, "access_rule", id, Some(&view(&rule)), None)
}

fn ensure(tx: &mut Tx, actor: &Actor, user: &UserId, wanted: &Wanted) -> Result<AccessRule> {
    let (service, method, path) = match wanted {
        Wanted::Known(id) => return find(tx, user, id)?.ok_or_else(|| Error::not_found("Access Rule", id)),
        Wanted::Said { service, method, path } => (service, method, path),
    };
    let sql = "SELECT id, service, method, path FROM access_rules \
               WHERE user_id = $1 AND service = $2 AND method = $3 AND path = $4";
    if let Some(row) = tx.query_opt(sql, &params![user, service, method, path])? {
        return read(&row);
    }
    let id = uuid::Uuid::new_v4().simple().to_string();
    let rule = AccessRule { id, service: service.clone(), method: method.clone(), path: path.clone() };
    let sql = "INSERT INTO access_rules (id, user_id, service, method, path) VALUES ($1, $2, $3, $4, $5)";
    tx.execute(sql, &params![&rule.id, user, service, method, path])?;
    change::record(tx, actor, "access_rule", &rule.id, None, Some(&view(&rule)))?;
    Ok(rule)
}

fn find(tx: &mut Tx, user: &UserId, id: &str) -> Result<Option<AccessRule>> {
    let sql = "SELECT id, service, method, path FROM access_rules WHERE user_id = $1 AND id = $2";
    tx.query_opt(sql, &params![user, id])?.as_ref().map(read).transpose()
}

/// Rules are as personal as the credentials that they confine.
fn refuse_others(allowed: &Allowed<Scope>, user: &UserId) -> Result<()> {
    let is_within = allowed.scope().is_all() || allowed.scope().user() == Some(user);
    if is_within { Ok(()) } else { Err(Error::out_of_reach(allowed, "user", user.as_str())) }
}

fn read(row: &Row) -> Result<AccessRule> {
    Ok(AccessRule { id: row.get(0)?, service: row.get(1)?, method: row.get(2)?, path: row.get(3)? })
}
