// SPDX-License-Identifier: Apache-2.0
//! Deletes events that are kept for long enough: the business of the one controller that leads.

use std::time::Duration;

use store::Store;
use types::Timestamp;

use crate::config::Events;

/// How often it is looked for some. Between two looks not much comes together.
const LOOK: Duration = Duration::from_secs(600);

/// After a start there is more to do than this.
const FIRST: Duration = Duration::from_secs(60);

pub(super) async fn keep_forgetting(store: Store, settings: Events) {
    tokio::time::sleep(FIRST).await;
    loop {
        let older_than = Timestamp::now().micros().saturating_sub(i64::try_from(settings.age().as_micros()).unwrap_or(i64::MAX));
        match store.prune_events(Some(Timestamp(older_than)), Some(settings.keep_at_most)).await {
            Ok(0) => {}
            Ok(events) => tracing::info!(events, "old events were deleted"),
            Err(store::Error::NotLeading) => return,
            Err(error) => tracing::warn!(%error, "old events could not be deleted; trying again"),
        }
        tokio::time::sleep(LOOK).await;
    }
}
