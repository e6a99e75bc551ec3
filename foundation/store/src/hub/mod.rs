// SPDX-License-Identifier: Apache-2.0
//! The hub: one reader of the stream of events in each process, and all who want to hear of it.
//!
//! On PostgreSQL it reads the table by a clock, at least twice a second, on a connection of its own. A notification of another
//! controller makes it look earlier and carries nothing, so that one that is lost costs half a second. Commits of this process
//! are told at once, with what they touched, and not a second time when the reader comes to them. On SQLite there are no
//! others: the table is read only while somebody follows the stream.
//!
//! Who only wants to know that something is another now has a [`Wake`], and is told of an event as soon as it can be
//! seen. Who wants the events themselves has a [`Subscription`](crate::Subscription), and gets them in the order of their ids; on PostgreSQL such an
//! event waits until nothing can come before it any more.
//!
//! Invariant: what another controller commits is known here within a second, or the hub says that it is behind
//! (test: `what_another_controller_commits_is_known_within_a_second_without_notifications`).
//! Invariant: a listener that does not listen holds nobody up and holds no more than its bound (test: `a_slow_listener_reads_on_from_the_table`).

mod clock;
mod ears;
mod followers;
mod round;
mod wake;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

pub use ears::Heeding;
pub(crate) use followers::Follower;
pub use wake::Wake;

use crate::Result;
use crate::thing::{News, Touched};
use clock::Clock;
use ears::{Call, Ears, Listener};
use followers::Followers;
pub(crate) use round::{Found, GATHER, PAGE, Page, Round};
use wake::Pending;

/// How often the table is read when nothing says that there is news; twice within the second in which all must be known.
pub(crate) const LOOK: std::time::Duration = std::time::Duration::from_millis(400);

pub(crate) struct Hub {
    state: Mutex<State>,
    clock: Clock,
    look_now: Notify,
    /// Nobody else writes, so commits of this process are all there is.
    alone: bool,
}

#[derive(Default)]
struct State {
    /// All events up to here were read and told; none, if the reader has not begun or rests.
    mark: Option<i64>,
    begun: bool,
    /// Events above the mark that the ears know already.
    told: HashSet<i64>,
    ears: Ears,
    followers: Followers,
}

impl Hub {
    pub(crate) fn new(alone: bool) -> Self {
        Self { state: Mutex::default(), clock: Clock::new(alone), look_now: Notify::new(), alone }
    }

    pub(crate) fn watch(&self, kinds: &[&'static str], others_only: bool) -> Wake {
        let pending = Arc::new(Pending::default());
        let listener = Listener::new(kinds, others_only, Box::new(Arc::clone(&pending)));
        self.lock().ears.add(&listener);
        Wake::new(pending, listener)
    }

    pub(crate) fn heed(&self, kinds: &[&'static str], hear: impl Fn(&Touched) + Send + Sync + 'static) -> Heeding {
        let listener = Listener::new(kinds, false, Box::new(Call(hear)));
        self.lock().ears.add(&listener);
        Heeding::new(listener)
    }

    /// Tells of a commit of this process.
    pub(crate) fn committed(&self, news: &[News]) {
        let mut state = self.lock();
        let State { mark, told, ears, followers, .. } = &mut *state;
        let news: Vec<&News> = news.iter().filter(|news| !told.contains(&news.event)).collect();
        ears.tell(&news, false);
        if !self.alone
            && let Some(mark) = *mark
        {
            told.extend(news.iter().map(|news| news.event).filter(|event| *event > mark));
        }
        if news.iter().any(|news| followers.want(&news.thing)) {
            self.look_now();
        }
    }

    /// Makes the reader look at once.
    pub(crate) fn look_now(&self) {
        self.look_now.notify_one();
    }

    pub(crate) async fn asked_to_look(&self) {
        self.look_now.notified().await;
    }

    /// Returns when all that was committed a second ago is known here. Usually it is, and this costs a look at a clock;
    /// else it waits for the reader, and fails if the database does not answer it in time.
    pub(crate) async fn current(&self) -> Result<()> {
        if self.clock.is_current() {
            return Ok(());
        }
        self.look_now();
        self.clock.read_from_now_on().await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
