// SPDX-License-Identifier: Apache-2.0
//! Who follows the stream: he is given what his filter admits, from a line of bounded length. Who is too slow for it
//! loses his place there, and reads on from the table until he has caught up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Notify;

use super::Hub;
use crate::event::{EventFilter, StoredEvent};
use crate::thing::Thing;

/// How many events wait for one follower.
const LINE: usize = 256;

/// How many of the latest events are kept, so that who has nearly caught up need not look into the table once more.
const RECENT: usize = 256;

/// A place among those who follow.
pub(crate) struct Follower {
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

impl Hub {
    /// Gives a follower who has read the table up to this event a place, if what came since is at hand.
    pub(crate) fn join(&self, follower: &Arc<Follower>, through: i64) -> bool {
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
    pub(crate) fn new(filter: EventFilter) -> Arc<Self> {
        Arc::new(Self { filter, line: Mutex::default(), notify: Notify::new() })
    }

    pub(crate) fn filter(&self) -> &EventFilter {
        &self.filter
    }

    /// Waits until something was put into the line since the last call.
    pub(crate) async fn offered(&self) {
        self.notify.notified().await;
    }

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

    /// What stands in the line, and whether something found no place there.
    pub(crate) fn take(&self) -> (VecDeque<Arc<StoredEvent>>, bool) {
        let mut line = self.lock();
        (std::mem::take(&mut line.events), line.lagged)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
