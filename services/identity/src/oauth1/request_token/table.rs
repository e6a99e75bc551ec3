// SPDX-License-Identifier: Apache-2.0
//! The table of request tokens.

use access::{Allowed, Scope, keys::KeyRing};
use serde_json::json;
use store::{Actor, Row, Tx, params};
use types::{RoleId, Secret, Timestamp, UserId};

use super::{Authorization, RequestToken};
use crate::{
    change,
    error::{Error, Result},
    oauth1::{open, seal},
};

const COLUMNS: &str = "id, consumer_id, project_id, secret, expires_at, user_id, role_ids, verifier";

/// The token, whoever asks: for consumers who prove that they know its secret, and users who have its id from one.
pub fn find(tx: &mut Tx, ring: &KeyRing, id: &str) -> Result<Option<RequestToken>> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM oauth1_request_tokens WHERE id = $1"), &params![id])?;
    row.as_ref().map(|row| read(ring, row)).transpose()
}

/// Those that expired unused are forgotten on the way.
pub fn create(tx: &mut Tx, ring: &KeyRing, actor: &Actor, new: &RequestToken) -> Result<()> {
    if tx.query_opt("SELECT 1 FROM projects WHERE id = $1", &params![&new.project_id])?.is_none() {
        return Err(Error::not_found("project", new.project_id.as_str()));
    }
    tx.execute("DELETE FROM oauth1_request_tokens WHERE expires_at < $1", &params![Timestamp::now()])?;
    let sql = "INSERT INTO oauth1_request_tokens (id, consumer_id, project_id, secret, expires_at) VALUES ($1, $2, $3, $4, $5)";
    tx.execute(sql, &params![&new.id, &new.consumer_id, &new.project_id, seal(ring, &new.secret)?, new.expires_at])?;
    change::record(tx, actor, "oauth1_request_token", &new.id, None, Some(&state(new)))
}

/// A user grants these roles. What one user granted, another does not grant over it.
pub fn authorize(
    tx: &mut Tx,
    ring: &KeyRing,
    _: &Allowed<Scope>,
    actor: &Actor,
    id: &str,
    granted: &Authorization,
) -> Result<()> {
    let before = find(tx, ring, id)?.ok_or_else(|| Error::not_found("request token", id))?;
    if before.is_expired() {
        return Err(Error::Unauthorized);
    }
    if before.authorized.as_ref().is_some_and(|earlier| earlier.user_id != granted.user_id) {
        return Err(Error::conflict("request token", "Another user has authorized it"));
    }
    let after = RequestToken { authorized: Some(granted.clone()), ..before.clone() };
    let sql = "UPDATE oauth1_request_tokens SET user_id = $2, role_ids = $3, verifier = $4 WHERE id = $1";
    tx.execute(sql, &params![id, &granted.user_id, json!(granted.role_ids), granted.verifier.reveal()])?;
    change::record(tx, actor, "oauth1_request_token", id, Some(&state(&before)), Some(&state(&after)))
}

/// It is used up.
pub fn delete(tx: &mut Tx, actor: &Actor, token: &RequestToken) -> Result<()> {
    tx.execute("DELETE FROM oauth1_request_tokens WHERE id = $1", &params![&token.id])?;
    change::record(tx, actor, "oauth1_request_token", &token.id, Some(&state(token)), None)
}

/// For the event: no secret and no verifier.
fn state(token: &RequestToken) -> serde_json::Value {
    json!({
        "id": token.id, "consumer_id": token.consumer_id, "project_id": token.project_id,
        "user_id": token.authorized.as_ref().map(|granted| &granted.user_id),
        "role_ids": token.authorized.as_ref().map(|granted| &granted.role_ids),
    })
}

fn read(ring: &KeyRing, row: &Row) -> Result<RequestToken> {
    let user: Option<UserId> = row.get::<Option<String>>(5)?.map(UserId::from);
    let roles: Option<Vec<RoleId>> = row.json(6)?;
    let verifier: Option<String> = row.get(7)?;
    let authorized = match (user, roles, verifier) {
        (Some(user_id), Some(role_ids), Some(verifier)) => {
            Some(Authorization { user_id, role_ids, verifier: Secret::new(verifier) })
        }
        _ => None,
    };
    Ok(RequestToken {
        id: row.get(0)?,
        consumer_id: row.get(1)?,
        project_id: row.get(2)?,
        secret: open(ring, row.get(3)?)?,
        expires_at: row.get(4)?,
        authorized,
    })
}
