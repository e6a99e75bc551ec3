// SPDX-License-Identifier: Apache-2.0
//! The table of application credentials.

use access::{Allowed, Scope};
use store::{Actor, Row, Tx, params};
use types::{RoleId, Secret, UserId};

use super::ApplicationCredential;
use crate::{
    access_rule::table as rules,
    change,
    error::{Error, Result},
    power::Over,
    role::table::AllRoles,
};

const COLUMNS: &str = "id, user_id, project_id, name, description, secret_hash, expires_at, unrestricted, role_ids";

/// For logins: the caller is not known yet.
pub fn find(tx: &mut Tx, id: &str) -> Result<Option<ApplicationCredential>> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM application_credentials WHERE id = $1"), &params![id])?;
    row.as_ref().map(|row| with_rules(tx, row)).transpose()
}

pub fn named(tx: &mut Tx, user: &UserId, name: &str) -> Result<Option<ApplicationCredential>> {
    let sql = format!("SELECT {COLUMNS} FROM application_credentials WHERE user_id = $1 AND name = $2");
    tx.query_opt(&sql, &params![user, name])?.as_ref().map(|row| with_rules(tx, row)).transpose()
}

/// The roles that the credential was given, with those they imply today.
pub fn roles_within(tx: &mut Tx, credential: &ApplicationCredential) -> Result<Vec<RoleId>> {
    Ok(AllRoles::load(tx)?.closure(credential.role_ids.iter().cloned()))
}

pub fn list(tx: &mut Tx, allowed: &Allowed<Scope>, user: &UserId, name: Option<&str>) -> Result<Vec<ApplicationCredential>> {
    refuse_others(allowed, user)?;
    let sql = format!("SELECT {COLUMNS} FROM application_credentials WHERE user_id = $1 ORDER BY name");
    let mut all: Vec<ApplicationCredential> = tx.query(&sql, &params![user])?.iter().map(read).collect::<Result<_>>()?;
    all.retain(|credential| name.is_none_or(|name| credential.name == name));
    for (credential, rule) in rules::of_user(tx, user)? {
        if let Some(credential) = all.iter_mut().find(|known| known.id == credential) {
            credential.access_rules.push(rule);
        }
    }
    Ok(all)
}

pub fn get(tx: &mut Tx, allowed: &Allowed<Scope>, user: &UserId, id: &str) -> Result<ApplicationCredential> {
    // Whose it is decides, not under whom the path looks for it.
    let found = find(tx, id)?;
    refuse_others(allowed, found.as_ref().map_or(user, |credential| &credential.user_id))?;
    found.ok_or_else(|| Error::not_found("Application Credential", id))
}

pub fn create(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, new: &ApplicationCredential) -> Result<()> {
    refuse_others(allowed, &new.user_id)?;
    let sql = "INSERT INTO application_credentials (id, user_id, project_id, name, description, secret_hash, expires_at, \
               unrestricted, role_ids) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let row = params![
        &new.id,
        &new.user_id,
        &new.project_id,
        &new.name,
        new.description.as_ref(),
        new.secret_hash.reveal(),
        new.expires_at,
        new.unrestricted,
        serde_json::to_string(&new.role_ids).unwrap_or_default(),
    ];
    tx.execute(sql, &row).map_err(|error| Error::name_taken(error, "application_credential", &new.name, ""))?;
    change::record(tx, actor, "application_credential", &new.id, None, Some(&state(new)))
}

/// Deletes what was read with a proof in this transaction.
pub fn delete(tx: &mut Tx, over: &Over<ApplicationCredential>, actor: &Actor) -> Result<()> {
    let credential = over.subject();
    tx.execute("DELETE FROM application_credentials WHERE id = $1", &params![&credential.id])?;
    change::record(tx, actor, "application_credential", &credential.id, Some(&state(credential)), None)
}

/// Credentials are personal: within the scope are those of its user, or everybody's.
fn refuse_others(allowed: &Allowed<Scope>, user: &UserId) -> Result<()> {
    let is_within = allowed.scope().is_all() || allowed.scope().user() == Some(user);
    if is_within { Ok(()) } else { Err(Error::out_of_reach(allowed, "user", user.as_str())) }
}

fn state(credential: &ApplicationCredential) -> serde_json::Value {
    serde_json::json!({
        "id": credential.id, "name": credential.name, "user_id": credential.user_id,
        "project_id": credential.project_id, "unrestricted": credential.unrestricted, "role_ids": credential.role_ids,
    })
}

fn with_rules(tx: &mut Tx, row: &Row) -> Result<ApplicationCredential> {
    let credential = read(row)?;
    Ok(ApplicationCredential { access_rules: rules::of_credential(tx, &credential.id)?, ..credential })
}

fn read(row: &Row) -> Result<ApplicationCredential> {
    Ok(ApplicationCredential {
        id: row.get(0)?,
        user_id: row.get(1)?,
        project_id: row.get(2)?,
        name: row.get(3)?,
        description: row.get(4)?,
        secret_hash: Secret::new(row.get(5)?),
        expires_at: row.get(6)?,
        unrestricted: row.get(7)?,
        role_ids: row.json(8)?,
        access_rules: vec![],
    })
}
