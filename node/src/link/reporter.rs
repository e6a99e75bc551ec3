// SPDX-License-Identifier: Apache-2.0
//! Reports to the controller: everything at first and now and then, what changed in between.

use std::time::Duration;

use contracts::node::Observed;
use tokio::time::{Instant, timeout_at};

use super::Client;
use crate::{Error, Result, board::Board};

const EVERYTHING_EVERY: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_secs(1);

/// Runs until the connection fails. A controller that cannot take a report now is asked again.
pub(super) async fn report(client: &Client, board: &Board) -> Result<()> {
    let mut mark = 0;
    let mut everything_at = Instant::now();
    loop {
        let complete = everything_at <= Instant::now();
        let news = board.since(if complete { 0 } else { mark });
        if complete || !news.machines.is_empty() {
            let observed = Observed { complete, machines: news.machines };
            match client.post::<_, serde_json::Value>("/v1/observed", &observed).await {
                Ok(_) => {
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
        let _ = timeout_at(everything_at, board.changed_after(mark)).await;
    }
}
