// SPDX-License-Identifier: Apache-2.0
//! Reports to the controller: everything at first and now and then, what changed in between.
//!
//! What a complete report does not list is taken for gone, so it is made only when every machine was looked at.

use std::time::Duration;

use contracts::node::Observed;
use tokio::time::{Instant, timeout_at};

use super::Board;
use crate::{Error, Result, link::Client};

const EVERYTHING_EVERY: Duration = Duration::from_secs(30);
/// While machines are still being looked at after a start.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const RETRY: Duration = Duration::from_secs(1);

/// Runs until the connection fails. A controller that cannot take a report now is asked again.
pub async fn report(client: &Client, board: &Board) -> Result<()> {
    let mut mark = 0;
    let mut everything_at = Instant::now();
    loop {
        let due = everything_at <= Instant::now();
        // Looked at before the news are read: what is seen in between is in them.
        let complete = due && board.is_complete();
        let news = board.since(if complete { 0 } else { mark });
        if complete || !news.machines.is_empty() {
            let observed = Observed { complete, machines: news.machines };
            match client.report(&observed).await {
                Ok(()) => {
                    board.acknowledged(&observed.machines);
                    mark = news.mark;
                    if complete {
                        everything_at = Instant::now() + EVERYTHING_EVERY;
                    }
                }
                Err(Error::Refused(refusal)) if refusal.is_transient() => {
                    tracing::warn!(%refusal, "the controller cannot take a report now");
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
                Err(error) => return Err(error),
            }
        }
        let look_again = everything_at.max(Instant::now() + LOOK_AGAIN);
        let _ = timeout_at(look_again, board.changed_after(mark)).await;
    }
}
