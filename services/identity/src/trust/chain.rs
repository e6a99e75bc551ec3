// SPDX-License-Identifier: Apache-2.0
//! The users through whose hands a trust came, when it was passed on.

use std::time::Duration;

use store::{Row, Tx, params};
use types::{Timestamp, UserId};

use super::Trust;
use crate::{
    Identity,
    error::{Error, Result},
};

/// As long as a login waits at most for [`Identity::let_the_second_pass`].
const PATIENCE: Duration = Duration::from_secs(3);

impl Identity {
    /// Waits while a token of this trust would be dated to a second in which one of its users voided his.
    pub async fn let_the_second_pass(&self, trust: &str) -> Result<()> {
        let id = trust.to_owned();
        let Some(chain) = self.read(move |tx| Chain::from_id(tx, &id)).await? else { return Ok(()) };
        let passed = Timestamp::from_seconds(chain.void_until.seconds() + 1);
        let left = u64::try_from(passed.micros() - Timestamp::now().micros()).unwrap_or_default();
        tokio::time::sleep(Duration::from_micros(left).min(PATIENCE)).await;
        Ok(())
    }
}

#[derive(Debug, Clone)]
pub struct Chain {
    /// Whose roles they are in the end: the trustor of the first trust.
    pub first_trustor: UserId,
    /// Whether every trustor and trustee of the chain, and their domains, are enabled.
    pub is_enabled: bool,
    /// Tokens issued at this instant or before are void: somebody of the chain changed the password, or was disabled.
    pub void_until: Timestamp,
}

impl Chain {
    pub fn of(tx: &mut Tx, trust: &Trust) -> Result<Self> {
        Self::from_id(tx, &trust.id)?.ok_or_else(|| Error::not_found("trust", &trust.id))
    }

    fn from_id(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        let sql = "WITH RECURSIVE chain (id, parent, trustor, trustee, depth) AS (
                       SELECT id, redelegated_trust_id, trustor_user_id, trustee_user_id, 0 FROM trusts WHERE id = $1
                       UNION ALL SELECT t.id, t.redelegated_trust_id, t.trustor_user_id, t.trustee_user_id, chain.depth + 1
                                 FROM trusts t JOIN chain ON t.id = chain.parent
                   )
                   SELECT chain.trustor, u.enabled, d.enabled, u.tokens_void_until FROM chain
                   JOIN users u ON u.id IN (chain.trustor, chain.trustee) JOIN domains d ON d.id = u.domain_id
                   ORDER BY chain.depth";
        let rows = tx.query(sql, &params![id])?;
        let Some(first) = rows.last() else { return Ok(None) };
        let mut chain = Self { first_trustor: first.get(0)?, is_enabled: true, void_until: Timestamp(0) };
        for row in &rows {
            chain.is_enabled &= is_enabled(row)?;
            chain.void_until = chain.void_until.max(row.get(3)?);
        }
        Ok(Some(chain))
    }
}

fn is_enabled(row: &Row) -> Result<bool> {
    Ok(row.get::<bool>(1)? && row.get::<bool>(2)?)
}
