// SPDX-License-Identifier: Apache-2.0
//! The table of credentials.

use access::{Allowed, Scope, keys::KeyRing};
use serde_json::{Value, json};
use store::{Actor, Row, Select, Tx, params};
use types::{CredentialId, ProjectId, Secret, Timestamp, UserId};

use super::{Credential, TOTP};
use crate::{
    change,
    error::{Error, Result},
    power::Over,
};

const COLUMNS: &str = "id, user_id, project_id, type, encrypted_blob, extra";

/// The credentials that the caller may see.
pub fn select(allowed: &Allowed<Scope>) -> Select {
    let select = Select::new("credentials", COLUMNS);
    match allowed.scope() {
        Scope::All => select,
        Scope::User { user, .. } => select.scope("user_id = ", user),
        Scope::Domain(_) | Scope::Project(_) => select.condition("1 = 0"),
    }
}

pub fn list(tx: &mut Tx, ring: &KeyRing, select: &Select) -> Result<Vec<Credential>> {
    select.rows(tx)?.iter().map(|row| read(ring, row)).collect()
}

pub fn get(tx: &mut Tx, ring: &KeyRing, allowed: &Allowed<Scope>, id: &CredentialId) -> Result<Credential> {
    find(tx, ring, id)?
        .filter(|credential| admits(allowed, &credential.user_id))
        .ok_or_else(|| Error::out_of_reach(allowed, "credential", id.as_str()))
}

/// The credential, whoever asks: for those who prove that they know its secret.
pub fn find(tx: &mut Tx, ring: &KeyRing, id: &CredentialId) -> Result<Option<Credential>> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM credentials WHERE id = $1"), &params![id])?;
    row.as_ref().map(|row| read(ring, row)).transpose()
}

pub fn totp_secrets(tx: &mut Tx, ring: &KeyRing, user: &UserId) -> Result<Vec<Secret<String>>> {
    let sql = "SELECT encrypted_blob FROM credentials WHERE user_id = $1 AND type = $2 ORDER BY id";
    tx.query(sql, &params![user, TOTP])?.iter().map(|row| open(ring, row.get(0)?)).collect()
}

pub fn create(tx: &mut Tx, ring: &KeyRing, allowed: &Allowed<Scope>, over: &Over<Credential>, actor: &Actor) -> Result<()> {
    let new = over.subject();
    if !admits(allowed, &new.user_id) {
        return Err(Error::Forbidden("A credential is made by its user, or by an administrator.".into()));
    }
    refuse_unknown_owner(tx, new)?;
    let sql = "INSERT INTO credentials (id, user_id, project_id, type, encrypted_blob, key_hash, extra) \
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    tx.execute(sql, &values(ring, new)?).map_err(|error| match error {
        error if error.is_unique("id") => Error::conflict("credential", format!("Duplicate entry found with id {}", new.id)),
        error => error.into(),
    })?;
    change::record(tx, actor, "credential", new.id.as_str(), None, Some(&state(new)))
}

/// Writes `after` in place of `before`, which was read with a proof in this transaction.
pub fn update(tx: &mut Tx, ring: &KeyRing, actor: &Actor, before: &Over<Credential>, after: &Over<Credential>) -> Result<()> {
    let (before, after) = (before.subject(), after.subject());
    refuse_unknown_owner(tx, after)?;
    let sql = "UPDATE credentials SET user_id = $2, project_id = $3, type = $4, encrypted_blob = $5, key_hash = $6, \
               extra = $7 WHERE id = $1";
    tx.execute(sql, &values(ring, after)?)?;
    change::record(tx, actor, "credential", after.id.as_str(), Some(&state(before)), Some(&state(after)))
}

/// Deletes what was read with a proof in this transaction.
pub fn delete(tx: &mut Tx, actor: &Actor, over: &Over<Credential>) -> Result<()> {
    let credential = over.subject();
    tx.execute("DELETE FROM credentials WHERE id = $1", &params![&credential.id])?;
    change::record(tx, actor, "credential", credential.id.as_str(), Some(&state(credential)), None)
}

/// Seals under the primary key whatever an older one sealed.
pub fn seal_anew(tx: &mut Tx, ring: &KeyRing) -> Result<()> {
    let primary = ring.primary_hash();
    for row in tx.query("SELECT id, encrypted_blob FROM credentials WHERE key_hash <> $1", &params![&primary])? {
        let (id, blob) = (row.get::<CredentialId>(0)?, open(ring, row.get(1)?)?);
        let sql = "UPDATE credentials SET encrypted_blob = $2, key_hash = $3 WHERE id = $1";
        tx.execute(sql, &params![id, seal(ring, &blob)?, &primary])?;
    }
    Ok(())
}

fn admits(allowed: &Allowed<Scope>, user: &UserId) -> bool {
    allowed.scope().is_all() || allowed.scope().user() == Some(user)
}

fn refuse_unknown_owner(tx: &mut Tx, credential: &Credential) -> Result<()> {
    if tx.query_opt("SELECT 1 FROM users WHERE id = $1", &params![&credential.user_id])?.is_none() {
        return Err(Error::not_found("user", credential.user_id.as_str()));
    }
    let Some(project) = &credential.project_id else { return Ok(()) };
    if tx.query_opt("SELECT 1 FROM projects WHERE id = $1", &params![project])?.is_none() {
        return Err(Error::not_found("project", ProjectId::as_str(project)));
    }
    Ok(())
}

fn values(ring: &KeyRing, credential: &Credential) -> Result<[store::Value; 7]> {
    Ok(params![
        &credential.id,
        &credential.user_id,
        credential.project_id.as_ref(),
        &credential.kind,
        seal(ring, &credential.blob)?,
        ring.primary_hash(),
        Value::Object(credential.extra.clone()),
    ])
}

fn seal(ring: &KeyRing, blob: &Secret<String>) -> Result<String> {
    Ok(ring.seal(blob.reveal().as_bytes(), Timestamp::now())?)
}

fn open(ring: &KeyRing, sealed: &str) -> Result<Secret<String>> {
    let opened = ring.open_kept(sealed).map_err(|_| Error::Sealed)?;
    Ok(Secret::new(String::from_utf8(opened.message).map_err(|_| Error::Sealed)?))
}

/// For the event: all but the blob.
fn state(credential: &Credential) -> Value {
    json!({
        "id": credential.id, "user_id": credential.user_id, "project_id": credential.project_id, "type": credential.kind,
    })
}

fn read(ring: &KeyRing, row: &Row) -> Result<Credential> {
    Ok(Credential {
        id: row.get(0)?,
        user_id: row.get(1)?,
        project_id: row.get(2)?,
        kind: row.get(3)?,
        blob: open(ring, row.get(4)?)?,
        extra: row.json(5)?,
    })
}
