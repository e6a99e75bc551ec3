// SPDX-License-Identifier: Apache-2.0
//! What both engines report to, and the threads that they block.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::hub::Hub;
use crate::thing::News;
use crate::tx::Counters;
use crate::{Error, Result};

/// What the engines report to.
pub(crate) struct Shared {
    pub(crate) counters: Arc<Counters>,
    pub(crate) hub: Hub,
}

impl Shared {
    /// Counts one commit that acknowledged `writes` writes, and tells of what they touched.
    pub(crate) fn committed(&self, writes: u64, news: &[News]) {
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        self.counters.writes.fetch_add(writes, Ordering::Relaxed);
        metrics::counter!("store_commits_total").increment(1);
        metrics::counter!("store_writes_total").increment(writes);
        self.hub.committed(news);
    }
}

/// Runs `work` on a thread that may block; its panic becomes an error.
pub(crate) async fn on_blocking_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|stopped| match stopped.try_into_panic() {
        Ok(payload) => Error::panicked(payload.as_ref()),
        Err(_) => Error::Closed,
    })
}
