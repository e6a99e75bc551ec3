// SPDX-License-Identifier: Apache-2.0
//! The stream of events as its readers see it: pages of it, the place to go on from, and how long it is kept.

mod retention;
mod subscription;

pub use subscription::{Heard, Subscription};

use crate::event::{self, EventFilter, EventPage, StoredEvent};
use crate::store::Store;
use crate::{Result, params};

impl Store {
    /// The events after the one with id `after` (0: from the beginning), oldest first.
    pub async fn events(&self, after: i64, limit: u32, filter: EventFilter) -> Result<Vec<StoredEvent>> {
        self.list(move |tx| Ok(event::page(tx, after, limit, &filter)?.events)).await
    }

    /// The same, and what became of those that are missing.
    pub async fn page_of_events(&self, after: i64, limit: u32, filter: EventFilter) -> Result<EventPage> {
        self.list(move |tx| event::page(tx, after, limit, &filter)).await
    }

    /// The id of the newest event, from which to follow what happens from now on.
    pub async fn last_event_id(&self) -> Result<i64> {
        self.read(|tx| {
            let settled = event::top(tx)?.settled;
            tx.query_one("SELECT coalesce(max(id), 0) FROM events WHERE id <= $1", &params![settled])?.get(0)
        })
        .await
    }

    /// Follows the stream from after the event with id `after` (0: from the beginning).
    pub fn subscribe(&self, after: i64, filter: EventFilter) -> Subscription {
        Subscription::new(self.clone(), after, filter)
    }
}
