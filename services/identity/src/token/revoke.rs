// SPDX-License-Identifier: Apache-2.0
//! Revocation: a row for each revoked token until it would have expired, all of them in memory.

use access::payload::{AuditId, Payload};
use store::{Actor, Tx, params};
use types::Timestamp;

use crate::{
    Identity, change,
    error::{Error, Result},
};

impl Identity {
    /// Durable first, then in force.
    pub async fn revoke(&self, actor: Actor, payload: &Payload) -> Result<()> {
        let own = *payload.audit_ids.first().ok_or(Error::Unauthorized)?;
        let (user, expires_at) = (payload.user.clone(), payload.expires_at);
        self.store
            .write(move |tx| {
                let now = Timestamp::now();
                tx.execute("DELETE FROM revoked_tokens WHERE expires_at < $1", &params![now])?;
                let sql =
                    "INSERT INTO revoked_tokens (audit_id, expires_at, revoked_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
                tx.execute(sql, &params![own.to_string(), expires_at, now])?;
                let state = serde_json::json!({"audit_id": own.to_string(), "user_id": user});
                change::record(tx, &actor, "token", &own.to_string(), Some(&state), None)
            })
            .await?;
        self.tokens.revoke(own, expires_at);
        Ok(())
    }

    /// Reads what this or another controller has revoked.
    pub(crate) async fn load_revoked(&self) -> Result<()> {
        let heard = self.tokens.heard_of();
        let all = self.list(revoked).await.inspect_err(|_| self.tokens.miss_revoked())?;
        self.tokens.add_revoked(all, &heard);
        Ok(())
    }

    /// Finds out until when the tokens that were revoked lately must be remembered.
    pub(crate) async fn settle_revoked(&self) {
        if self.tokens.has_heard()
            && let Err(error) = self.load_revoked().await
        {
            tracing::warn!(cause = ?error, "the table of revoked tokens cannot be read; what was heard of stays revoked");
        }
    }
}

fn revoked(tx: &mut Tx) -> Result<Vec<(AuditId, Timestamp)>> {
    let rows = tx.query("SELECT audit_id, expires_at FROM revoked_tokens WHERE expires_at > $1", &params![Timestamp::now()])?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(id) = AuditId::parse(row.get(0)?) {
            all.push((id, row.get(1)?));
        }
    }
    Ok(all)
}
