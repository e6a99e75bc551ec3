// SPDX-License-Identifier: Apache-2.0
//! The loop around a reconciler of many things of one kind, each with a key of its own.
//!
//! Keys come from two sides. Whoever rings for a key by its name brings it here without a look into the tables. Whoever rings
//! for all, and the clock, has the tables read: in pages, from the first key to the last, and no faster than they are worked
//! off, so that a burst of a thousand is read once and not after each attempt.
//!
//! Every attempt has a deadline, and ends with the loop: its steps are idempotent, so cutting one off is like a crash.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::{Id, JoinError, JoinSet},
    time::{Instant, sleep_until, timeout},
};
use types::Timestamp;

use crate::{
    Bell, Rung,
    pause::Growing,
    status::{Desk, Failure},
};

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing is left to do for this key until something changes.
    Settled,
    /// A step was done; look again at once.
    Again,
    /// Something outside is not ready; look again when it rings, or after a while that grows with each attempt.
    Wait,
    /// Another change came first, so what was decided was decided on old facts; look again after a short while that differs.
    Conflict,
}

pub trait KeyedReconciler: Send + Sync + 'static {
    fn name(&self) -> &'static str;

    /// The first `limit` keys after this one that are not as desired, in ascending order of their bytes, from durable state,
    /// in a constant number of statements. Before the first key is the empty text.
    fn pending(&self, after: &str, limit: usize) -> impl Future<Output = Result<Vec<String>, String>> + Send;

    /// Takes the next step for this key. Idempotent; never called twice at the same time for one key; may be dropped at any
    /// await.
    fn converge(&self, key: &str) -> impl Future<Output = Result<Step, String>> + Send;

    /// How long one attempt may take before it is cut off and counts as failed.
    fn deadline(&self) -> Duration {
        Duration::from_secs(120)
    }

    /// What keeps every key from getting on, such as a connection that is away. Nothing is tried meanwhile.
    fn blocked(&self) -> Option<String> {
        None
    }
}

/// So many keys are converged at once.
const AT_ONCE: usize = 32;
/// So many keys are read from the tables at once.
const PAGE: usize = 256;
/// More are read when fewer than this wait for a place.
const LOW: usize = AT_ONCE;
const CLOCK: Duration = Duration::from_secs(10);
/// How often it is looked whether what blocks all is over; whoever ends it rings as well.
const BLOCKED: Duration = Duration::from_millis(500);
/// After the tables could not be read.
const READ_AGAIN: Growing = Growing { first: Duration::from_millis(500), longest: Duration::from_secs(15) };

pub(crate) struct Loop<R> {
    reconciler: Arc<R>,
    desk: Arc<Desk>,
    jobs: JoinSet<Ended>,
    /// The key of each attempt.
    keys: HashMap<Id, String>,
    look: Look,
}

enum Ended {
    Tried(Result<Step, String>),
    Read(Result<Vec<String>, String>),
}

/// How far the tables were read.
struct Look {
    /// Something changed since the reading under way began.
    wanted: bool,
    /// The last key that was read, in the midst of a reading.
    after: Option<String>,
    is_reading: bool,
    began: Instant,
    /// Not before then: after a failure, and so that no more than half of the time goes into reading.
    not_before: Instant,
    /// By then at the latest.
    clock: Instant,
    failures: u32,
}

impl<R: KeyedReconciler> Loop<R> {
    pub fn new(reconciler: Arc<R>, desk: Arc<Desk>) -> Self {
        metrics::describe_counter!("work_attempts_total", "Attempts of reconcilers, by how they ended");
        metrics::describe_gauge!("work_keys", "Keys of reconcilers that are not settled, by what they are doing");
        let now = Instant::now();
        let look =
            Look { wanted: true, after: None, is_reading: false, began: now, not_before: now, clock: now + CLOCK, failures: 0 };
        Self { reconciler, desk, jobs: JoinSet::new(), keys: HashMap::new(), look }
    }

    pub async fn run(mut self, bell: Bell, mut ending: watch::Receiver<bool>) {
        loop {
            let next = self.start();
            self.show();
            tokio::select! {
                rung = bell.heard() => self.rung(rung),
                Some(ended) = self.jobs.join_next_with_id() => self.ended(ended),
                () = sleep_until(next) => {}
                _ = ending.wait_for(|ending| *ending) => break,
            }
        }
        self.jobs.shutdown().await;
    }

    fn rung(&mut self, rung: Rung) {
        let now = Instant::now();
        let mut papers = self.desk.papers();
        match rung {
            Rung::For(keys) => {
                for key in keys {
                    self.look.wanted |= papers.keys.ring(key, now).0;
                }
            }
            Rung::All => {
                papers.keys.ring_all(now);
                self.look.wanted = true;
            }
        }
    }

    /// Starts what can be started; answers when to look again if nothing happens before.
    fn start(&mut self) -> Instant {
        let now = Instant::now();
        let mut papers = self.desk.papers();
        papers.keys.wake(now);
        papers.blocked = self.reconciler.blocked();
        let mut next = now + CLOCK;
        if papers.blocked.is_some() {
            next = now + BLOCKED;
        } else {
            while papers.keys.under_way < AT_ONCE
                && let Some(key) = papers.keys.take(now)
            {
                let (reconciler, of, deadline) = (self.reconciler.clone(), key.clone(), self.desk.deadline);
                let attempt = self.jobs.spawn(async move {
                    let cut_off = |_| Err(format!("the attempt was not over after {deadline:?} and was cut off"));
                    Ended::Tried(timeout(deadline, reconciler.converge(&of)).await.unwrap_or_else(cut_off))
                });
                self.keys.insert(attempt.id(), key);
            }
        }
        // What woke just now and found no place waits for an attempt to end.
        next = papers.keys.next_alarm().map_or(next, |alarm| next.min(alarm));
        let look = &mut self.look;
        if look.is_reading || papers.keys.backlog() >= LOW {
            return next;
        }
        if look.after.is_none() && !look.wanted && look.clock > now {
            return next.min(look.clock);
        }
        if look.not_before > now {
            return next.min(look.not_before);
        }
        let after = look.after.clone().unwrap_or_else(|| {
            (look.wanted, look.began, look.clock) = (false, now, now + CLOCK);
            papers.keys.begin_round();
            String::new()
        });
        look.is_reading = true;
        let (reconciler, deadline) = (self.reconciler.clone(), self.desk.deadline);
        self.jobs.spawn(async move {
            let cut_off = |_| Err(format!("the tables did not answer within {deadline:?}"));
            Ended::Read(timeout(deadline, reconciler.pending(&after, PAGE)).await.unwrap_or_else(cut_off))
        });
        next
    }

    fn ended(&mut self, ended: Result<(Id, Ended), JoinError>) {
        let (id, ended) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                let sentence = format!("the attempt ended abnormally: {error}");
                let ended = match self.keys.contains_key(&error.id()) {
                    true => Ended::Tried(Err(sentence)),
                    false => Ended::Read(Err(sentence)),
                };
                (error.id(), ended)
            }
        };
        match ended {
            Ended::Read(keys) => self.has_read(keys),
            Ended::Tried(outcome) => {
                if let Some(key) = self.keys.remove(&id) {
                    self.has_tried(key, outcome);
                }
            }
        }
    }

    fn has_tried(&mut self, key: String, outcome: Result<Step, String>) {
        let (name, word) = (self.desk.name, word(&outcome));
        metrics::counter!("work_attempts_total", "reconciler" => name, "outcome" => word).increment(1);
        let mut papers = self.desk.papers();
        if let Err(error) = &outcome {
            tracing::warn!(reconciler = name, key, %error, "a step failed and will be tried again");
            papers.last_error = Some(Failure { key: key.clone(), at: Timestamp::now(), error: error.clone() });
        }
        papers.keys.ended(key, outcome, Instant::now());
    }

    fn has_read(&mut self, keys: Result<Vec<String>, String>) {
        let (look, now) = (&mut self.look, Instant::now());
        let mut papers = self.desk.papers();
        look.is_reading = false;
        match keys {
            Ok(keys) => {
                look.failures = 0;
                papers.look_error = None;
                look.after = keys.last().filter(|_| keys.len() >= PAGE).cloned();
                keys.into_iter().for_each(|key| papers.keys.listed(key));
                if look.after.is_none() {
                    papers.keys.end_round();
                    papers.looked_at = Some(Timestamp::now());
                    look.not_before = now + (now - look.began).min(CLOCK);
                }
            }
            Err(error) => {
                tracing::error!(reconciler = self.desk.name, %error, "what is pending cannot be read");
                papers.look_error = Some(error);
                look.failures = look.failures.saturating_add(1);
                look.wanted = true;
                look.not_before = now + READ_AGAIN.after(look.failures);
            }
        }
    }

    fn show(&self) {
        let papers = self.desk.papers();
        let keys = &papers.keys;
        for (state, count) in [("under_way", keys.under_way), ("ready", keys.ready()), ("pausing", keys.pausing())] {
            metrics::gauge!("work_keys", "reconciler" => self.desk.name, "state" => state).set(count as f64);
        }
    }
}

/// A loop that has ended has no keys.
impl<R> Drop for Loop<R> {
    fn drop(&mut self) {
        for state in ["under_way", "ready", "pausing"] {
            metrics::gauge!("work_keys", "reconciler" => self.desk.name, "state" => state).set(0.0);
        }
    }
}

fn word(outcome: &Result<Step, String>) -> &'static str {
    match outcome {
        Ok(Step::Settled) => "settled",
        Ok(Step::Again) => "again",
        Ok(Step::Wait) => "waits",
        Ok(Step::Conflict) => "conflict",
        Err(_) => "failed",
    }
}

#[cfg(test)]
mod tests;
