// SPDX-License-Identifier: Apache-2.0
//! How long the stream is kept. It goes from its beginning, in small steps: on SQLite each holds up the only writer.
//!
//! There is no index by time, which each event would have to pay for: what is old lies at the beginning.

use types::Timestamp;

use crate::store::Store;
use crate::tx::Tx;
use crate::{Result, params};

/// How many events one transaction deletes.
const STEP: u32 = 400;

impl Store {
    /// Deletes events from the stream's beginning: those recorded before `older_than`, and those beyond the newest
    /// `keep_at_most`. The newest event always stays. Answers how many went. It can be stopped at any time.
    pub async fn prune_events(&self, older_than: Option<Timestamp>, keep_at_most: Option<u64>) -> Result<u64> {
        let kept_from = match keep_at_most {
            Some(most) => self.list(move |tx| oldest_of_the_newest(tx, most)).await?,
            None => 0,
        };
        let mut pruned = 0;
        loop {
            let some = self.write(move |tx| prune_some(tx, older_than, kept_from)).await?;
            pruned += some;
            if some == 0 {
                return Ok(pruned);
            }
            // Others write in between.
            tokio::task::yield_now().await;
        }
    }
}

fn oldest_of_the_newest(tx: &mut Tx, count: u64) -> Result<i64> {
    let sql = "SELECT id FROM events ORDER BY id DESC LIMIT 1 OFFSET $1";
    let row = tx.query_opt(sql, &params![count.saturating_sub(1)])?;
    row.map_or(Ok(0), |row| row.get(0))
}

fn prune_some(tx: &mut Tx, older_than: Option<Timestamp>, kept_from: i64) -> Result<u64> {
    let rows = tx.query("SELECT id, at FROM events ORDER BY id LIMIT $1", &params![i64::from(STEP) + 1])?;
    let mut through = None;
    // The last is the newest, or one for the next step.
    for row in rows.iter().take(rows.len().saturating_sub(1)) {
        let (id, at): (i64, Timestamp) = (row.get(0)?, row.get(1)?);
        if id >= kept_from && older_than.is_none_or(|older_than| at >= older_than) {
            break;
        }
        through = Some(id);
    }
    let Some(through) = through else { return Ok(0) };
    tx.execute("UPDATE events_pruned SET through = $1", &params![through])?;
    tx.execute("DELETE FROM events WHERE id <= $1", &params![through])
}
