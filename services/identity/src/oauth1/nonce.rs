// SPDX-License-Identifier: Apache-2.0
//! Signed requests that were seen. It is the table that remembers them, so that no other controller accepts one again.

use std::time::Duration;

use evidence::signature::oauth1::SignedRequest;
use store::{Tx, params};
use types::Timestamp;

use crate::error::{Error, Result};

/// How far the clocks of consumers may differ from ours.
pub const SKEW: Duration = Duration::from_secs(600);

/// Refuses a request whose signature is right, but which is old, or was accepted before.
pub fn accept_once(tx: &mut Tx, request: &SignedRequest) -> Result<()> {
    let (now, at) = (Timestamp::now(), request.signed_at);
    if at.plus(SKEW) < now || now.plus(SKEW) < at {
        return Err(Error::Unauthorized);
    }
    // By the time of the request itself such a row can serve no more.
    let forgotten = Timestamp(now.micros() - 2 * i64::try_from(SKEW.as_micros()).unwrap_or(i64::MAX));
    tx.execute("DELETE FROM oauth1_nonces WHERE signed_at < $1", &params![forgotten])?;
    let sql = "INSERT INTO oauth1_nonces (consumer_id, signed_at, nonce) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    match tx.execute(sql, &params![&request.consumer, at, &request.nonce])? {
        0 => Err(Error::Unauthorized),
        _ => Ok(()),
    }
}
