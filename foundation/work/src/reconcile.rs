// SPDX-License-Identifier: Apache-2.0
//! The loop around a reconciler of many things of one kind, each with a key of its own.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::{
    task::{Id, JoinError, JoinHandle, JoinSet},
    time::{Instant, sleep_until},
};

use crate::Bell;

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing is left to do for this key until something changes.
    Settled,
    /// A step was done; look again at once.
    Again,
    /// Something outside is not ready; look again when it rings, or after a while that grows with each attempt.
    Wait,
}

pub trait KeyedReconciler: Send + Sync + 'static {
    fn name(&self) -> &'static str;

    /// The keys that are not as desired, from durable state, in a constant number of statements.
    fn pending(&self) -> impl Future<Output = Result<Vec<String>, String>> + Send;

    /// Takes the next step for this key. Idempotent; never called twice at the same time for one key.
    fn converge(&self, key: &str) -> impl Future<Output = Result<Step, String>> + Send;
}

/// How the loop is tuned.
const AT_ONCE: usize = 32;
const CLOCK: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Runs until the handle is aborted. At each ring of the bell, and by the clock, it asks for the pending keys and
/// converges those that are neither under way nor pausing after a failure. A ring ends the pauses of `Wait`. What is under
/// way when it is aborted goes no further, as after a crash.
pub fn spawn_keyed<R: KeyedReconciler>(reconciler: Arc<R>, bell: Bell) -> JoinHandle<()> {
    tokio::spawn(async move { Loop::new(reconciler).run(bell).await })
}

struct Loop<R> {
    reconciler: Arc<R>,
    under_way: HashSet<String>,
    pauses: HashMap<String, Pause>,
    attempts: JoinSet<Result<Step, String>>,
    /// The key of each attempt.
    keys: HashMap<Id, String>,
}

struct Pause {
    until: Instant,
    length: Duration,
    /// After an error the pause is kept even when the bell rings, so that a broken part is not hammered.
    after_error: bool,
}

impl<R: KeyedReconciler> Loop<R> {
    fn new(reconciler: Arc<R>) -> Self {
        Self { reconciler, under_way: HashSet::new(), pauses: HashMap::new(), attempts: JoinSet::new(), keys: HashMap::new() }
    }

    async fn run(mut self, bell: Bell) {
        let mut look = true;
        let mut rung = true;
        loop {
            if look {
                self.start_pending(rung).await;
            }
            let next = self.next_alarm();
            tokio::select! {
                () = bell.heard() => { look = true; rung = true; }
                Some(ended) = self.attempts.join_next_with_id() => { look = self.settle(ended); rung = false; }
                () = sleep_until(next) => { look = true; rung = false; }
            }
        }
    }

    async fn start_pending(&mut self, rung: bool) {
        let keys = match self.reconciler.pending().await {
            Ok(keys) => keys,
            Err(error) => {
                tracing::error!(reconciler = self.reconciler.name(), %error, "what is pending cannot be read");
                return;
            }
        };
        let now = Instant::now();
        let wanted: HashSet<&String> = keys.iter().collect();
        self.pauses.retain(|key, _| wanted.contains(key));
        for key in keys {
            if self.under_way.len() >= AT_ONCE {
                break;
            }
            let pausing = self.pauses.get(&key).is_some_and(|pause| pause.until > now && (pause.after_error || !rung));
            if pausing || self.under_way.contains(&key) {
                continue;
            }
            self.under_way.insert(key.clone());
            let (reconciler, of) = (self.reconciler.clone(), key.clone());
            let attempt = self.attempts.spawn(async move { reconciler.converge(&of).await });
            self.keys.insert(attempt.id(), key);
        }
    }

    /// Notes how an attempt ended. True if pending keys should be looked for at once.
    fn settle(&mut self, ended: Result<(Id, Result<Step, String>), JoinError>) -> bool {
        let (id, outcome) = match ended {
            Ok(ended) => ended,
            Err(error) => (error.id(), Err(format!("the attempt ended abnormally: {error}"))),
        };
        let Some(key) = self.keys.remove(&id) else { return true };
        self.under_way.remove(&key);
        match outcome {
            Ok(Step::Settled | Step::Again) => {
                self.pauses.remove(&key);
                true
            }
            Ok(Step::Wait) => {
                self.pause(key, false);
                self.under_way.len() + 1 >= AT_ONCE
            }
            Err(error) => {
                tracing::warn!(reconciler = self.reconciler.name(), key, %error, "a step failed and will be tried again");
                self.pause(key, true);
                self.under_way.len() + 1 >= AT_ONCE
            }
        }
    }

    fn pause(&mut self, key: String, after_error: bool) {
        let length = self.pauses.get(&key).map_or(FIRST_PAUSE, |pause| (pause.length * 2).min(LONGEST_PAUSE));
        self.pauses.insert(key, Pause { until: Instant::now() + length, length, after_error });
    }

    fn next_alarm(&self) -> Instant {
        let clock = Instant::now() + CLOCK;
        let pausing = self.pauses.iter().filter(|(key, _)| !self.under_way.contains(*key));
        pausing.map(|(_, pause)| pause.until).min().map_or(clock, |first| first.min(clock))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Counts down each key to zero; "slow" waits for the outside first.
    #[derive(Default)]
    struct Countdown {
        left: Mutex<HashMap<String, u32>>,
        open: Mutex<bool>,
    }

    impl KeyedReconciler for Countdown {
        fn name(&self) -> &'static str {
            "countdown"
        }

        async fn pending(&self) -> Result<Vec<String>, String> {
            Ok(self.left.lock().unwrap().iter().filter(|(_, left)| **left > 0).map(|(key, _)| key.clone()).collect())
        }

        async fn converge(&self, key: &str) -> Result<Step, String> {
            if key == "slow" && !*self.open.lock().unwrap() {
                return Ok(Step::Wait);
            }
            let mut left = self.left.lock().unwrap();
            let count = left.get_mut(key).unwrap();
            *count -= 1;
            if key == "shaky" && *count % 2 == 1 {
                return Err("shaken".into());
            }
            Ok(if *count == 0 { Step::Settled } else { Step::Again })
        }
    }

    async fn until(what: impl Fn() -> bool) {
        for _ in 0..500 {
            if what() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        unreachable!("it did not happen in five seconds");
    }

    #[tokio::test]
    async fn converges_all_keys_in_spite_of_failures() {
        let countdown = Arc::new(Countdown::default());
        countdown.left.lock().unwrap().extend([("a".to_owned(), 5), ("shaky".to_owned(), 3), ("b".to_owned(), 1)]);
        let task = spawn_keyed(countdown.clone(), Bell::new());
        until(|| countdown.left.lock().unwrap().values().all(|left| *left == 0)).await;
        task.abort();
    }

    #[tokio::test]
    async fn a_ring_ends_the_wait() {
        let countdown = Arc::new(Countdown::default());
        countdown.left.lock().unwrap().insert("slow".to_owned(), 1);
        let bell = Bell::new();
        let task = spawn_keyed(countdown.clone(), bell.clone());
        tokio::time::sleep(Duration::from_millis(50)).await;
        *countdown.open.lock().unwrap() = true;
        bell.ring();
        let started = std::time::Instant::now();
        until(|| countdown.left.lock().unwrap().values().all(|left| *left == 0)).await;
        assert!(started.elapsed() < FIRST_PAUSE * 4);
        task.abort();
    }
}
