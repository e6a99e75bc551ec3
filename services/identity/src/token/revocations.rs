// SPDX-License-Identifier: Apache-2.0
//! `/v3/OS-REVOKE/events`: which tokens are void before their time, for services that keep what they were told of one.

use std::sync::Arc;

use ::store::{Tx, params};
use access::Policy;
use api::{Cx, Fault, Reply, Routes};
use serde_json::{Value, json};
use types::Timestamp;

use crate::{Identity, error::Result, reply};

static LIST: Policy = Policy::new("identity:list_revoke_events", "rule:service_or_admin", "List which tokens are void");

pub fn routes() -> Routes<Identity> {
    Routes::new().get("/v3/OS-REVOKE/events", &LIST, list)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let asked = match cx.query().get("since") {
        None => Timestamp(0),
        Some(text) => Timestamp::parse(text).ok_or_else(|| {
            Fault::bad_request(format!("The 'since' is an instant such as 2027-02-27T18:30:59Z, not '{text}'."))
        })?,
    };
    // What was revoked longer ago than a token lives has expired by itself.
    let lifetime = i64::try_from(room.settings.token_lifetime.as_micros()).unwrap_or(i64::MAX);
    let since = asked.max(Timestamp(Timestamp::now().0.saturating_sub(lifetime)));
    let events = room.list(move |tx| Ok([single_tokens(tx, since)?, tokens_of_users(tx, since)?].concat())).await?;
    reply::collection(&cx, "events", &events)
}

/// Tokens that were revoked one by one.
fn single_tokens(tx: &mut Tx, since: Timestamp) -> Result<Vec<Value>> {
    let sql = "SELECT audit_id, revoked_at FROM revoked_tokens WHERE expires_at > $1 AND revoked_at >= $2 \
               ORDER BY revoked_at, audit_id";
    let rows = tx.query(sql, &params![Timestamp::now(), since])?;
    let event = |row: &::store::Row| {
        let (audit_id, at): (String, Timestamp) = (row.get(0)?, row.get(1)?);
        Ok(json!({"audit_id": audit_id, "issued_before": at.zulu_micros()}))
    };
    rows.iter().map(event).collect()
}

/// Users of whom every token is void that was issued up to an instant.
fn tokens_of_users(tx: &mut Tx, since: Timestamp) -> Result<Vec<Value>> {
    let sql = "SELECT id, tokens_void_until FROM users WHERE tokens_void_until >= $1 AND tokens_void_until > 0 \
               ORDER BY tokens_void_until, id";
    let event = |row: &::store::Row| {
        let (user, until): (String, Timestamp) = (row.get(0)?, row.get(1)?);
        Ok(json!({"user_id": user, "issued_before": until.zulu_micros()}))
    };
    tx.query(sql, &params![since])?.iter().map(event).collect()
}
