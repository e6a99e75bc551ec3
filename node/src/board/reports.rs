// SPDX-License-Identifier: Apache-2.0
//! Reports to the controller: everything at first and now and then, what changed in between.
//!
//! What a complete report does not list is taken for gone, so it is made only when everything was looked at.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use contracts::node::Observed;
use tokio::time::{Instant, timeout_at};

use super::Board;
use crate::{Error, Result, link::Client};

/// What changes is said at once; this is for what was lost on the way, and for strays.
const EVERYTHING_EVERY: Duration = Duration::from_secs(300);
/// While things are still being looked at after a start.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const RETRY: Duration = Duration::from_secs(1);

/// Runs until the connection fails. A controller that cannot take a report now is asked again. `as_of` is the latest line on
/// what is desired that was taken in.
pub async fn report(client: &Client, board: &Board, as_of: &AtomicU64) -> Result<()> {
    let mut mark = 0;
    let mut everything_at = Instant::now();
    loop {
        let due = everything_at <= Instant::now();
        // Read before we look: what is said later is not in what we find.
        let as_of = as_of.load(Ordering::Acquire);
        // Looked at before the news are read: what is seen in between is in them.
        let complete = due && board.is_complete();
        let news = board.since(if complete { 0 } else { mark });
        if complete || !news.things.is_empty() {
            let observed = Observed { as_of, complete, things: news.things.clone() };
            match client.report(&observed).await {
                Ok(()) => {
                    board.acknowledged(&news.things);
                    mark = news.mark;
                    if complete {
                        everything_at = Instant::now() + EVERYTHING_EVERY.mul_f64(spread());
                    }
                }
                // Whether the connection is dead its own pings tell; another one would be no faster.
                Err(error @ (Error::NotNow { .. } | Error::NoAnswer)) => {
                    let pause = if let Error::NotNow { after, .. } = error { after } else { RETRY };
                    tracing::warn!(error = error.chain(), "the controller cannot take a report now");
                    tokio::time::sleep(pause).await;
                    continue;
                }
                Err(error) => return Err(error),
            }
        }
        let look_again = everything_at.max(Instant::now() + LOOK_AGAIN);
        let _ = timeout_at(look_again, board.changed_after(mark)).await;
    }
}

/// From three quarters to five: hosts that began together do not speak together for ever.
fn spread() -> f64 {
    0.75 + f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 512.0
}
