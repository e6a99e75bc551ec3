// SPDX-License-Identifier: Apache-2.0
//! Users who did not log in for as long as the operator's rule allows are disabled: they show so, and their tokens end.
//!
//! A row remembers that it was the rule which closed the account. When the rule does not say so any more, because the
//! operator took it back or the user is exempt now, the account opens again; one that an administrator closed does not.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use store::{Actor, Tx, params};
use types::{Timestamp, UserId};

use super::{options::UserOptions, table as users};
use crate::{Identity, change, error::Result, settings::SecurityCompliance};

/// A login asks the rule itself; this is how long tokens and lists may lag behind midnight.
const LOOKED_AT: Duration = Duration::from_secs(60);

/// So many users at most change in one transaction.
const BATCH: usize = 200;

impl Identity {
    /// Closes and opens accounts until all are as the rule says.
    pub async fn converge_inactive(&self) -> Result<()> {
        let rules = Arc::clone(&self.settings.security_compliance);
        let due = self.list(move |tx| due(tx, &rules)).await?;
        for batch in due.chunks(BATCH) {
            let (rules, batch) = (Arc::clone(&self.settings.security_compliance), batch.to_vec());
            self.change(move |tx| batch.iter().try_for_each(|id| settle(tx, &rules, id))).await?;
        }
        Ok(())
    }
}

pub async fn watch(room: Weak<Identity>) {
    loop {
        tokio::time::sleep(LOOKED_AT).await;
        let Some(room) = room.upgrade() else { return };
        if let Err(error) = room.converge_inactive().await {
            tracing::error!(cause = ?error, "inactive users cannot be looked for; their tokens may live on");
        }
    }
}

/// Closes or opens one account, if it is not as the rule says.
pub fn settle(tx: &mut Tx, rules: &SecurityCompliance, id: &UserId) -> Result<()> {
    let sql = "SELECT enabled, closed_for_inactivity, coalesce(last_active_at, created_at), options FROM users WHERE id = $1";
    let Some(row) = tx.query_opt(sql, &params![id])? else { return Ok(()) };
    let (is_enabled, is_closed) = (row.get::<bool>(0)?, row.get::<bool>(1)?);
    let is_inactive = rules.is_inactive(row.get(2)?, &UserOptions::of(row.json(3)?));
    if (is_enabled && is_inactive) || (is_closed && !is_inactive) {
        let before = users::find(tx, id)?;
        tx.execute(
            "UPDATE users SET enabled = $2, closed_for_inactivity = $3 WHERE id = $1",
            &params![id, !is_inactive, is_inactive],
        )?;
        users::void_tokens(tx, id)?;
        let after = users::find(tx, id)?;
        change::record(tx, &Actor::system("inactivity"), "user", id.as_str(), before.as_ref(), after.as_ref())?;
    }
    Ok(())
}

fn due(tx: &mut Tx, rules: &SecurityCompliance) -> Result<Vec<UserId>> {
    // Nobody is inactive before the end of the day on which he was last seen.
    let today = Timestamp::from_seconds(crate::settings::day(Timestamp::now()) * 86_400);
    let until = rules.disable_user_account_days_inactive.map_or(Timestamp(0), |_| today);
    let sql = "SELECT id, enabled, coalesce(last_active_at, created_at), options FROM users \
               WHERE closed_for_inactivity = 1 OR (enabled = 1 AND coalesce(last_active_at, created_at) < $1) ORDER BY id";
    let mut due = vec![];
    for row in tx.query(sql, &params![until])? {
        let is_inactive = rules.is_inactive(row.get(2)?, &UserOptions::of(row.json(3)?));
        if row.get::<bool>(1)? == is_inactive {
            due.push(row.get(0)?);
        }
    }
    Ok(due)
}
