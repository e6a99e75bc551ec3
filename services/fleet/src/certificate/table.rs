// SPDX-License-Identifier: Apache-2.0
//! The table `node_certificates`.

use ::store::{Tx, params};
use types::{NodeId, Timestamp};

use crate::{Result, authority::Issued};

/// Whose certificate it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub node: NodeId,
    pub revoked: bool,
}

pub(crate) fn insert(tx: &mut Tx, node: &NodeId, issued: &Issued) -> Result<()> {
    tx.execute(
        "INSERT INTO node_certificates (fingerprint, serial, node_id, issued_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
        &params![&issued.fingerprint, &issued.serial, node, Timestamp::now(), issued.expires_at],
    )?;
    Ok(())
}

pub(crate) fn holder(tx: &mut Tx, fingerprint: &str) -> Result<Option<Holder>> {
    let row = tx.query_opt("SELECT node_id, revoked_at FROM node_certificates WHERE fingerprint = $1", &params![fingerprint])?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Holder { node: row.get(0)?, revoked: row.get::<Option<i64>>(1)?.is_some() }))
}

pub(crate) fn revoke_all(tx: &mut Tx, node: &NodeId) -> Result<()> {
    tx.execute(
        "UPDATE node_certificates SET revoked_at = $1 WHERE node_id = $2 AND revoked_at IS NULL",
        &params![Timestamp::now(), node],
    )?;
    Ok(())
}
