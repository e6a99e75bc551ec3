// SPDX-License-Identifier: Apache-2.0
//! Writers of this process stand in one line, and who is at its head takes those behind along into one transaction.
//!
//! ```text
//!   writers ──▶ line ──▶ [BEGIN │ job 1 │ SAVEPOINT job 2 │ SAVEPOINT job 3 │ … │ COMMIT] ──▶ answers
//! ```
//! Run beside each other they would meet: two requests of one project both count what it uses and both add to it, and
//! PostgreSQL refuses one of any two such transactions, however they are tried again. One after the other inside one
//! transaction they cannot, and they share its fsync and its check of the lead. A group that stands still, behind a lock of
//! another controller's or a slow statement, does not hold up the line for long: another one begins beside it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::{BUSY, group, writer::Writer};
use crate::{Error, Result, job::Job};

/// After so long a group is taken to stand still.
const STANDS_STILL: Duration = Duration::from_millis(250);

/// A job in the line, or in a group.
pub(super) struct Waiting {
    pub(super) job: Arc<dyn Job>,
    /// The lead that it belongs to.
    pub(super) term: Option<i64>,
    /// Until then it is worth beginning with.
    pub(super) until: Instant,
    number: u64,
    reply: oneshot::Sender<Result<bool>>,
}

pub(super) struct Line {
    state: Mutex<State>,
    /// How many groups may run beside each other.
    most: usize,
}

struct State {
    waiting: VecDeque<Waiting>,
    next: u64,
    groups: usize,
    /// When a group began last.
    began: Instant,
}

impl Line {
    pub(super) fn new(most: usize) -> Self {
        let state = State { waiting: VecDeque::new(), next: 0, groups: 0, began: Instant::now() };
        Self { state: Mutex::new(state), most }
    }

    /// Runs a job in a group, before that moment or not at all.
    pub(super) async fn write(&self, writer: &Arc<Writer>, job: Arc<dyn Job>, term: Option<i64>, until: Instant) -> Result<bool> {
        let (number, mut answer) = self.stand(job, term, until);
        self.begin_if(writer, |state| state.groups == 0);
        loop {
            let look_again = Instant::now() + STANDS_STILL;
            tokio::select! {
                ran = &mut answer => return ran.map_err(|_| Error::Closed)?,
                () = sleep_until(look_again.min(until)) => {}
            }
            if Instant::now() >= until && self.leave(number) {
                return Err(BUSY);
            }
            if Instant::now() >= until || !self.is_waiting(number) {
                // It is in a group, which has an end of its own.
                return answer.await.map_err(|_| Error::Closed)?;
            }
            self.begin_if(writer, |state| state.began.elapsed() >= STANDS_STILL);
        }
    }

    /// The next job that somebody still waits for.
    pub(super) fn next(&self) -> Option<Waiting> {
        let mut state = self.lock();
        while let Some(waiting) = state.waiting.pop_front() {
            if !waiting.reply.is_closed() {
                return Some(waiting);
            }
        }
        None
    }

    /// All that wait, as when there is no connection for any of them.
    pub(super) fn all(&self) -> Vec<Waiting> {
        self.lock().waiting.drain(..).collect()
    }

    /// How many stand in it.
    pub(super) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    fn stand(&self, job: Arc<dyn Job>, term: Option<i64>, until: Instant) -> (u64, oneshot::Receiver<Result<bool>>) {
        let (reply, answer) = oneshot::channel();
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.waiting.push_back(Waiting { job, term, until, number, reply });
        (number, answer)
    }

    fn is_waiting(&self, number: u64) -> bool {
        self.lock().waiting.iter().any(|waiting| waiting.number == number)
    }

    /// True if it stood in the line still.
    fn leave(&self, number: u64) -> bool {
        let mut state = self.lock();
        let before = state.waiting.len();
        state.waiting.retain(|waiting| waiting.number != number);
        state.waiting.len() < before
    }

    /// Serves the line in a task of its own, so that a writer who goes away takes nobody along.
    fn begin_if(&self, writer: &Arc<Writer>, wanted: impl FnOnce(&State) -> bool) {
        let mut state = self.lock();
        if !wanted(&state) || state.groups >= self.most || state.waiting.is_empty() {
            return;
        }
        state.groups += 1;
        state.began = Instant::now();
        drop(state);
        let writer = Arc::clone(writer);
        tokio::spawn(async move {
            // Dropped with the task, however that ends.
            let turn = Turn(writer);
            while turn.goes_on() {
                group::run(&turn.0).await;
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of those who serve the line.
struct Turn(Arc<Writer>);

impl Turn {
    /// Notes that a group begins, if anybody waits for one.
    fn goes_on(&self) -> bool {
        let mut state = self.0.line.lock();
        state.began = Instant::now();
        !state.waiting.is_empty()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let line = &self.0.line;
        line.lock().groups -= 1;
        // Somebody may have come after the last look, and counted on this one.
        if tokio::runtime::Handle::try_current().is_ok() {
            line.begin_if(&self.0, |state| state.groups == 0);
        }
    }
}

impl Waiting {
    /// Whoever stopped waiting meanwhile does not want to know.
    pub(super) fn answer(self, ran: Result<bool>) {
        let _ = self.reply.send(ran);
    }
}
