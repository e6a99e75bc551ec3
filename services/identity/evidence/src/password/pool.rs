// SPDX-License-Identifier: Apache-2.0
//! The threads that hash passwords: as many as there are processors, of low priority, behind a queue with an end.
//!
//! The scheduler gives them what the rest of the cloud leaves over, so that a storm of logins does not slow other
//! requests; and since a queue that grows for ever helps nobody in it, who comes when it is full is told so. The addresses
//! that logins come from are served by turns, so that a storm from one does not keep the others waiting.
//!
//! Invariant: a storm of logins from one address keeps a login from another waiting for one turn only (test:
//! `addresses_are_served_by_turns`).

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use bounds::Source;
use tokio::sync::oneshot;

use super::{Error, Result, argon};

/// How many wait for each thread: some seconds' work.
const WAITING: usize = 256;

/// A weight of a tenth beside an ordinary thread: little when others want to work, and not nothing.
const NICE: i32 = 10;

/// How long a thread that has nothing to do keeps its memory: longer than the gaps in a storm.
const PATIENCE: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce() + Send>;

/// Its threads end when nobody has it any more.
#[derive(Clone)]
pub struct Pool {
    owner: Arc<Owner>,
}

struct Owner {
    queue: Arc<Queue>,
}

struct Queue {
    room: usize,
    jobs: Mutex<Jobs>,
    changed: Condvar,
}

#[derive(Default)]
struct Jobs {
    /// By whoever asked; by nobody what the cloud wants itself.
    waiting: HashMap<Option<Source>, VecDeque<Job>>,
    /// Those of whom something waits, who is next first.
    order: VecDeque<Option<Source>>,
    count: usize,
    are_over: bool,
}

impl Pool {
    pub fn start() -> Result<Self> {
        let threads = thread::available_parallelism().map_or(2, usize::from);
        let queue = Arc::new(Queue { room: threads * WAITING, jobs: Mutex::default(), changed: Condvar::new() });
        let pool = Self { owner: Arc::new(Owner { queue: Arc::clone(&queue) }) };
        for _ in 0..threads {
            let queue = Arc::clone(&queue);
            let thread = thread::Builder::new().name("passwords".to_owned()).spawn(move || work(&queue));
            thread.map_err(|error| Error::Hash(error.to_string()))?;
        }
        Ok(pool)
    }

    /// Runs this when its turn has come, unless nobody waits for it any more.
    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let (done, result) = oneshot::channel();
        let job = move || {
            if !done.is_closed() {
                // Who waited may leave even now.
                let _ = done.send(job());
            }
        };
        self.owner.queue.push(Source::asking(), Box::new(job))?;
        result.await.map_err(|_| Error::Hash("the thread for it has ended".to_owned()))
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.queue.jobs().are_over = true;
        self.queue.changed.notify_all();
    }
}

impl Queue {
    fn push(&self, source: Option<Source>, job: Job) -> Result<()> {
        let mut jobs = self.jobs();
        // One address gets half of the room at most.
        let own = jobs.waiting.get(&source).map_or(0, VecDeque::len);
        if jobs.count >= self.room || (source.is_some() && own >= self.room / 2) {
            return Err(Error::Busy);
        }
        jobs.push(source, job);
        drop(jobs);
        self.changed.notify_one();
        Ok(())
    }

    /// The next one, once there is one; `None` when no more will come.
    fn pop(&self) -> Option<Job> {
        let nothing = |jobs: &mut Jobs| jobs.count == 0 && !jobs.are_over;
        let waited = self.changed.wait_timeout_while(self.jobs(), PATIENCE, nothing);
        let (mut jobs, gap) = waited.unwrap_or_else(PoisonError::into_inner);
        if gap.timed_out() {
            argon::let_go();
            jobs = self.changed.wait_while(jobs, nothing).unwrap_or_else(PoisonError::into_inner);
        }
        jobs.pop()
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Jobs {
    fn push(&mut self, source: Option<Source>, job: Job) {
        let queue = self.waiting.entry(source).or_default();
        queue.push_back(job);
        if queue.len() == 1 {
            self.order.push_back(source);
        }
        self.count += 1;
    }

    fn pop(&mut self) -> Option<Job> {
        let source = self.order.pop_front()?;
        let queue = self.waiting.get_mut(&source)?;
        let job = queue.pop_front()?;
        if queue.is_empty() {
            self.waiting.remove(&source);
        } else {
            self.order.push_back(source);
        }
        self.count -= 1;
        Some(job)
    }
}

/// Until the pool is dropped.
fn work(queue: &Queue) {
    // On Linux this is the priority of the thread. Where it is refused, logins only weigh more.
    let is_low = rustix::process::getpriority_process(None).is_ok_and(|now| now >= NICE);
    if !is_low && let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::warn!(%error, "the threads that hash passwords keep an ordinary priority");
    }
    while let Some(job) = queue.pop() {
        // A job that panics has no result to give, which its caller sees; the thread goes on.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn its_threads_have_a_low_priority_and_others_keep_theirs() {
        let own = rustix::process::getpriority_process(None).unwrap();
        let pool = Pool::start().unwrap();
        let theirs = pool.run(|| rustix::process::getpriority_process(None).unwrap()).await.unwrap();
        assert_eq!(theirs, NICE.max(own));
        assert_eq!(rustix::process::getpriority_process(None).unwrap(), own);
    }

    #[tokio::test]
    async fn who_comes_when_it_is_full_is_told_and_who_left_costs_nothing() {
        let pool = Pool::start().unwrap();
        let threads = thread::available_parallelism().unwrap().get();
        let gate = Arc::new(Mutex::new(()));
        let ran = Arc::new(AtomicUsize::new(0));
        let closed = gate.lock().unwrap();
        let waiting: Vec<_> = (0..threads * (WAITING + 1))
            .map(|_| {
                let (pool, gate, ran) = (pool.clone(), Arc::clone(&gate), Arc::clone(&ran));
                let job = move || {
                    drop(gate.lock());
                    ran.fetch_add(1, Ordering::Relaxed);
                };
                let mut waits = Box::pin(async move { pool.run(job).await });
                assert!(matches!((&mut waits).now_or_never(), None | Some(Err(Error::Busy))));
                waits
            })
            .collect();
        drop(waiting);
        drop(closed);
        // The jobs of those who left are passed over, and there is room again.
        while matches!(pool.run(|| ()).await, Err(Error::Busy)) {
            tokio::task::yield_now().await;
        }
        assert!(ran.load(Ordering::Relaxed) <= threads, "only those that had begun");
    }

    #[tokio::test]
    async fn addresses_are_served_by_turns() {
        let pool = Pool::start().unwrap();
        let threads = thread::available_parallelism().unwrap().get();
        let source = |last: u8| Source::from(std::net::IpAddr::from([192, 0, 2, last]));
        let gate = Arc::new(Mutex::new(()));
        let ran = Arc::new(AtomicUsize::new(0));
        let closed = gate.lock().unwrap();
        let mut storm = Vec::new();
        for _ in 0..threads * WAITING {
            let (pool, gate, ran) = (pool.clone(), Arc::clone(&gate), Arc::clone(&ran));
            let job = move || {
                drop(gate.lock());
                ran.fetch_add(1, Ordering::SeqCst)
            };
            let mut waits = Box::pin(source(1).ask(async move { pool.run(job).await }));
            if (&mut waits).now_or_never().is_none() {
                storm.push(waits);
            }
        }
        assert!(storm.len() <= threads * (WAITING / 2 + 1), "one address does not get all of the room");
        let before = Arc::clone(&ran);
        let mut other = Box::pin(source(2).ask(pool.run(move || before.load(Ordering::SeqCst))));
        assert!((&mut other).now_or_never().is_none());
        drop(closed);
        assert!(other.await.unwrap() <= 2 * threads + 1);
        drop(storm);
    }

    #[tokio::test]
    async fn a_panic_ends_one_job_only() {
        let pool = Pool::start().unwrap();
        for _ in 0..100 {
            assert!(matches!(pool.run(|| panic!("on purpose")).await, Err::<(), _>(Error::Hash(_))));
        }
        assert_eq!(pool.run(|| 7).await.unwrap(), 7);
    }
}
