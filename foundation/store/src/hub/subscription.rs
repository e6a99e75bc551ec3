// SPDX-License-Identifier: Apache-2.0
//! Who follows the stream: he is given what his filter admits, from a line of bounded length. Who is too slow for it
//! loses his place there, and reads on from the table until he has caught up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Notify;

use super::{Hub, Thing};
use crate::event::{self, EventFilter, EventPage, StoredEvent};
use crate::{Result, Store};

/// How many events wait for one follower.
const LINE: usize = 256;

/// How many of the latest events are kept, so that who has nearly caught up need not look into the table once more.
const RECENT: usize = 256;

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

pub(super) struct Follower {
    filter: EventFilter,
    line: Mutex<Line>,
    notify: Notify,
}

#[derive(Default)]
struct Line {
    events: VecDeque<Arc<StoredEvent>>,
    lagged: bool,
}

/// All who follow.
#[derive(Default)]
pub(super) struct Followers {
    all: Vec<Weak<Follower>>,
    /// The latest events: all between this id and the hub's mark.
    recent: Option<(i64, VecDeque<Arc<StoredEvent>>)>,
}

impl Subscription {
    pub(crate) fn new(store: Store, after: i64, filter: EventFilter) -> Self {
        let follower = Arc::new(Follower { filter, line: Mutex::default(), notify: Notify::new() });
        Self { store, follower, after, live: false }
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
                self.follower.notify.notified().await;
            }
        }
    }

    /// Reads on from the table, or takes a place in the line.
    async fn catch_up(&mut self) -> Result<Option<Heard>> {
        let (after, filter) = (self.after, self.follower.filter.clone());
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

impl Hub {
    /// Gives a follower who has read the table up to this event a place, if what came since is at hand.
    fn join(&self, follower: &Arc<Follower>, through: i64) -> bool {
        let mut state = self.lock();
        let mark = *state.mark.get_or_insert(through);
        let (begins, recent) = state.followers.recent.get_or_insert_with(|| (mark, VecDeque::new()));
        if through < *begins {
            return false;
        }
        *follower.lock() = Line::default();
        for event in recent.iter().filter(|event| event.id > through) {
            follower.offer(event);
        }
        let is_there = |known: &Weak<Follower>| std::ptr::eq(known.as_ptr(), Arc::as_ptr(follower));
        if !state.followers.all.iter().any(is_there) {
            state.followers.all.push(Arc::downgrade(follower));
        }
        drop(state);
        self.look_now();
        true
    }
}

impl Followers {
    /// Whether anybody follows. Who does not any more is forgotten.
    pub(super) fn any(&mut self) -> bool {
        self.all.retain(|known| known.strong_count() > 0);
        if self.all.is_empty() {
            self.recent = None;
        }
        !self.all.is_empty()
    }

    /// Whether somebody waits for events of such a thing.
    pub(super) fn want(&self, thing: &Thing) -> bool {
        self.all.iter().filter_map(Weak::upgrade).any(|follower| follower.filter.may_admit(thing))
    }

    pub(super) fn give(&mut self, events: impl Iterator<Item = StoredEvent>, whole: bool) {
        if !whole {
            return;
        }
        let all: Vec<_> = self.all.iter().filter_map(Weak::upgrade).collect();
        for event in events.map(Arc::new) {
            all.iter().for_each(|follower| follower.offer(&event));
            if let Some((begins, recent)) = &mut self.recent {
                if recent.len() == RECENT
                    && let Some(oldest) = recent.pop_front()
                {
                    *begins = oldest.id;
                }
                recent.push_back(event);
            }
        }
    }
}

impl Follower {
    fn offer(&self, event: &Arc<StoredEvent>) {
        if !self.filter.admits(event) {
            return;
        }
        let mut line = self.lock();
        if line.lagged {
            return;
        }
        if line.events.len() < LINE {
            line.events.push_back(Arc::clone(event));
        } else {
            line.lagged = true;
            metrics::counter!("store_followers_lagged_total").increment(1);
        }
        drop(line);
        self.notify.notify_one();
    }

    fn take(&self) -> (VecDeque<Arc<StoredEvent>>, bool) {
        let mut line = self.lock();
        (std::mem::take(&mut line.events), line.lagged)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
