// SPDX-License-Identifier: Apache-2.0
//! The table `join_tokens`.

use ::store::{Tx, params};
use subtle::ConstantTimeEq;
use types::{NodeId, Secret, Timestamp};

use super::{NewToken, Opened, hash, id_of};
use crate::{Result, error::forbidden};

pub(crate) fn insert(tx: &mut Tx, token: &NewToken, expires_at: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO join_tokens (id, secret_hash, created_at, expires_at) VALUES ($1, $2, $3, $4)",
        &params![&token.id, hash(&token.secret), Timestamp::now(), expires_at],
    )?;
    Ok(())
}

/// What this secret opens for the holder of this key; refused alike for unknown, wrong and expired ones.
///
/// Invariant: a token lets in one key only (test: `a_token_lets_in_one_host_once`).
pub(crate) fn open(tx: &mut Tx, secret: &Secret<String>, key_hash: &str) -> Result<Opened> {
    let refused = || forbidden("the join token is wrong, expired or used: ask the operator for a new one");
    let id = id_of(secret).ok_or_else(refused)?;
    let row =
        tx.query_opt("SELECT secret_hash, expires_at, used_by_key, node_id FROM join_tokens WHERE id = $1", &params![id])?;
    let row = row.ok_or_else(refused)?;
    let same = row.get::<&str>(0)?.as_bytes().ct_eq(hash(secret).as_bytes());
    if !bool::from(same) || row.get::<Timestamp>(1)? < Timestamp::now() {
        return Err(refused());
    }
    match (row.get::<Option<&str>>(2)?, row.get::<Option<NodeId>>(3)?) {
        (None, _) => Ok(Opened::Fresh),
        (Some(key), Some(node)) if key == key_hash => Ok(Opened::Again { node }),
        _ => Err(refused()),
    }
}

pub(crate) fn mark_used(tx: &mut Tx, secret: &Secret<String>, key_hash: &str, node: &NodeId) -> Result<()> {
    let id = id_of(secret).unwrap_or_default();
    tx.execute_cas(
        "UPDATE join_tokens SET used_by_key = $1, node_id = $2 WHERE id = $3 AND used_by_key IS NULL",
        &params![key_hash, node, id],
    )?;
    Ok(())
}

pub(crate) fn remove_expired(tx: &mut Tx) -> Result<()> {
    tx.execute("DELETE FROM join_tokens WHERE expires_at < $1", &params![Timestamp::now()])?;
    Ok(())
}
