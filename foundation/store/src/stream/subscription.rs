// SPDX-License-Identifier: Apache-2.0
//! Reading on in the stream: from the table until the end of it, and then from a place in the hub's line.

use std::sync::Arc;

use crate::Result;
use crate::event::{self, EventFilter, EventPage, StoredEvent};
use crate::hub::Follower;
use crate::store::Store;

/// How many events one look into the table gives.
const PAGE: u32 = 500;

/// A reader of the stream that waits for what comes; see [`Store::subscribe`].
pub struct Subscription {
    store: Store,
    follower: Arc<Follower>,
    /// All up to this event was given to the reader, or is none of his.
    after: i64,
    live: bool,
}

/// What a follower hears.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// The next events, at least one, in the order of their ids.
    Events(Vec<Arc<StoredEvent>>),
    /// Events between these two ids, which may be some of his, were deleted before he had read them: by age, or for their
    /// number. The next ones are those after the second.
    Gap { after: i64, through: i64 },
}

impl Subscription {
    pub(crate) fn new(store: Store, after: i64, filter: EventFilter) -> Self {
        Self { store, follower: Follower::new(filter), after, live: false }
    }

    /// What comes next; waits until there is any. Safe to drop half-way.
    pub async fn next(&mut self) -> Result<Heard> {
        loop {
            if !self.live {
                if let Some(heard) = self.catch_up().await? {
                    return Ok(heard);
                }
                continue;
            }
            // A ring that came before is kept, so nothing is missed between looking and waiting.
            let (events, lagged) = self.follower.take();
            let events: Vec<_> = events.into_iter().filter(|event| event.id > self.after).collect();
            // Whoever lagged has what stood in his line before; the rest is in the table.
            self.live = !lagged;
            if let Some(last) = events.last() {
                self.after = last.id;
                return Ok(Heard::Events(events));
            }
            if self.live {
                self.follower.offered().await;
            }
        }
    }

    /// Reads on from the table, or takes a place in the line.
    async fn catch_up(&mut self) -> Result<Option<Heard>> {
        let (after, filter) = (self.after, self.follower.filter().clone());
        let page = self.store.list(move |tx| event::page(tx, after, PAGE, &filter)).await?;
        let EventPage { events, through, gap } = page;
        if let Some(through) = gap {
            self.after = through;
            return Ok(Some(Heard::Gap { after, through }));
        }
        self.after = self.after.max(through);
        if !events.is_empty() {
            return Ok(Some(Heard::Events(events.into_iter().map(Arc::new).collect())));
        }
        self.live = self.store.hub().join(&self.follower, through);
        Ok(None)
    }
}
