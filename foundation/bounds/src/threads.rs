// SPDX-License-Identifier: Apache-2.0
//! Threads for blocking work that comes in pieces: bytes to be read, hashed and written. No stream holds a thread between
//! two pieces, and its owners get them by turns.
//!
//! Invariant: streams that are silent hold no thread (test: `silent_streams_hold_no_thread`).

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

/// A thread without work ends after so long, so that an idle cloud weighs little.
const LINGER: Duration = Duration::from_secs(5);

type Job = Box<dyn FnOnce() + Send>;

/// Clones are the same threads.
#[derive(Clone)]
pub struct Threads {
    inner: Arc<Inner>,
}

struct Inner {
    name: &'static str,
    most: usize,
    state: Mutex<State>,
    work_came: Condvar,
}

#[derive(Default)]
struct State {
    jobs: HashMap<Arc<str>, VecDeque<Job>>,
    /// Owners of waiting jobs, whose turn is next first.
    order: VecDeque<Arc<str>>,
    threads: usize,
    idle: usize,
}

/// The work ended without a result: it panicked, or no thread could be started for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost;

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the thread for it ended without a result")
    }
}

impl std::error::Error for Lost {}

impl From<Lost> for std::io::Error {
    fn from(lost: Lost) -> Self {
        Self::other(lost)
    }
}

static BYTES: OnceLock<Threads> = OnceLock::new();

impl Threads {
    /// At most so many threads, which are started when there is work.
    pub fn new(name: &'static str, most: usize) -> Self {
        Self { inner: Arc::new(Inner { name, most: most.max(1), state: Mutex::default(), work_came: Condvar::new() }) }
    }

    /// Those of this process for streams of bytes, whoever reads or writes them.
    pub fn for_bytes() -> &'static Self {
        BYTES.get_or_init(|| Self::new("bytes", default_number()))
    }

    /// How many there are of those. Counts before anybody uses one.
    pub fn set_number_for_bytes(most: usize) {
        let _ = BYTES.set(Self::new("bytes", most));
    }

    /// Runs one piece of work for this owner when his turn has come.
    pub async fn run<T: Send + 'static>(&self, owner: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Lost> {
        let (done, result) = oneshot::channel();
        let job = move || {
            let _ = done.send(work());
        };
        self.inner.push(owner, Box::new(job))?;
        result.await.map_err(|_| Lost)
    }
}

fn default_number() -> usize {
    thread::available_parallelism().map_or(4, |cores| (cores.get() * 2).clamp(4, 16))
}

impl Inner {
    fn push(self: &Arc<Self>, owner: &str, job: Job) -> Result<(), Lost> {
        let mut state = self.lock();
        match state.jobs.get_mut(owner) {
            Some(queue) => queue.push_back(job),
            None => {
                let owner: Arc<str> = owner.into();
                state.order.push_back(owner.clone());
                state.jobs.insert(owner, VecDeque::from([job]));
            }
        }
        if state.idle > 0 || state.threads >= self.most {
            drop(state);
            self.work_came.notify_one();
            return Ok(());
        }
        let inner = self.clone();
        let started = thread::Builder::new().name(self.name.to_owned()).spawn(move || inner.work());
        match started {
            Ok(_) => state.threads += 1,
            // The others come to it.
            Err(error) if state.threads > 0 => tracing::warn!(%error, threads = self.name, "no further thread can be started"),
            Err(error) => {
                tracing::error!(%error, threads = self.name, "no thread can be started");
                state.jobs.clear();
                state.order.clear();
                return Err(Lost);
            }
        }
        Ok(())
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            // Of a job that panics nothing is sent, which its owner sees; the thread goes on.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
        }
    }

    /// The next job, once there is one; none after a while without.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.next() {
                return Some(job);
            }
            state.idle += 1;
            let (waited, gap) = self.work_came.wait_timeout(state, LINGER).unwrap_or_else(PoisonError::into_inner);
            state = waited;
            state.idle -= 1;
            if gap.timed_out() && state.order.is_empty() {
                state.threads -= 1;
                return None;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&mut self) -> Option<Job> {
        let owner = self.order.pop_front()?;
        let queue = self.jobs.get_mut(&owner)?;
        let job = queue.pop_front();
        if queue.is_empty() {
            self.jobs.remove(&owner);
        } else {
            self.order.push_back(owner);
        }
        job
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn owners_get_threads_by_turns() {
        let threads = Threads::new("test", 1);
        let (closed, gate) = std::sync::mpsc::channel::<()>();
        let done = Arc::new(AtomicUsize::new(0));
        let waits = threads.run("a", move || gate.recv());
        tokio::pin!(waits);
        assert!(futures_util::poll!(&mut waits).is_pending());
        let mut crowd: Vec<_> = (0..100)
            .map(|_| {
                let done = done.clone();
                Box::pin(threads.run("a", move || done.fetch_add(1, Ordering::SeqCst)))
            })
            .collect();
        for one in &mut crowd {
            assert!(futures_util::poll!(one).is_pending());
        }
        let before_other = done.clone();
        let other = threads.run("b", move || before_other.load(Ordering::SeqCst));
        tokio::pin!(other);
        assert!(futures_util::poll!(&mut other).is_pending());
        drop(closed);
        assert!(other.await.unwrap() <= 1, "one owner's crowd is not before another's first");
        for one in crowd {
            one.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_panic_ends_one_piece_only() {
        let threads = Threads::new("test", 1);
        assert_eq!(threads.run("a", || panic!("on purpose")).await, Err::<(), _>(Lost));
        assert_eq!(threads.run("a", || 7).await, Ok(7));
    }
}
