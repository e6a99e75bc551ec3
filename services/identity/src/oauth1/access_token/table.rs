// SPDX-License-Identifier: Apache-2.0
//! The table of access tokens.

use access::{Allowed, Scope, keys::KeyRing};
use serde_json::json;
use store::{Actor, Row, Tx, params};
use types::{Secret, UserId};

use super::AccessToken;
use crate::{
    change,
    error::{Error, Result},
    oauth1::{open, seal},
    power::Over,
};

/// The secret is read apart, by who needs it.
const COLUMNS: &str = "id, consumer_id, project_id, user_id, role_ids, expires_at, secret";

pub fn list(tx: &mut Tx, ring: &KeyRing, _: &Allowed<Scope>, user: &UserId) -> Result<Vec<AccessToken>> {
    let sql = format!("SELECT {COLUMNS} FROM oauth1_access_tokens WHERE user_id = $1 ORDER BY id");
    tx.query(&sql, &params![user])?.iter().map(|row| read(ring, row)).collect()
}

pub fn get(tx: &mut Tx, ring: &KeyRing, _: &Allowed<Scope>, user: &UserId, id: &str) -> Result<AccessToken> {
    find(tx, ring, id)?.filter(|token| token.user_id == *user).ok_or_else(|| Error::not_found("access token", id))
}

/// The token, whoever asks: for consumers who prove that they know its secret.
pub fn find(tx: &mut Tx, ring: &KeyRing, id: &str) -> Result<Option<AccessToken>> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM oauth1_access_tokens WHERE id = $1"), &params![id])?;
    row.as_ref().map(|row| read(ring, row)).transpose()
}

/// The same without its secret, for whoever has a token that was bought with it.
pub fn granted(tx: &mut Tx, id: &str) -> Result<Option<AccessToken>> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM oauth1_access_tokens WHERE id = $1"), &params![id])?;
    row.as_ref().map(|row| with_secret(row, Secret::new(String::new()))).transpose()
}

pub fn create(tx: &mut Tx, ring: &KeyRing, actor: &Actor, new: &AccessToken) -> Result<()> {
    let sql = "INSERT INTO oauth1_access_tokens (id, consumer_id, project_id, user_id, role_ids, expires_at, secret) \
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let row = params![
        &new.id,
        &new.consumer_id,
        &new.project_id,
        &new.user_id,
        json!(new.role_ids),
        new.expires_at,
        seal(ring, &new.secret)?,
    ];
    tx.execute(sql, &row)?;
    change::record(tx, actor, "oauth1_access_token", &new.id, None, Some(&state(new)))
}

pub fn delete(tx: &mut Tx, ring: &KeyRing, allowed: &Allowed<Scope>, over: &Over<UserId>, actor: &Actor, id: &str) -> Result<()> {
    let user = over.subject();
    let token = get(tx, ring, allowed, user, id)?;
    tx.execute("DELETE FROM oauth1_access_tokens WHERE id = $1", &params![id])?;
    change::record(tx, actor, "oauth1_access_token", id, Some(&state(&token)), None)
}

fn state(token: &AccessToken) -> serde_json::Value {
    json!({
        "id": token.id, "consumer_id": token.consumer_id, "project_id": token.project_id, "user_id": token.user_id,
        "role_ids": token.role_ids,
    })
}

fn read(ring: &KeyRing, row: &Row) -> Result<AccessToken> {
    with_secret(row, open(ring, row.get(6)?)?)
}

fn with_secret(row: &Row, secret: Secret<String>) -> Result<AccessToken> {
    Ok(AccessToken {
        id: row.get(0)?,
        consumer_id: row.get(1)?,
        project_id: row.get(2)?,
        user_id: row.get(3)?,
        role_ids: row.json(4)?,
        expires_at: row.get(5)?,
        secret,
    })
}
