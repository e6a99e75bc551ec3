// SPDX-License-Identifier: Apache-2.0
//! The threads that hash passwords: as many as there are processors, of low priority, behind a queue with an end.
//!
//! The scheduler gives them what the rest of the cloud leaves over, so that a storm of logins does not slow other
//! requests; and since a queue that grows for ever helps nobody in it, who comes when it is full is told so.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use tokio::sync::oneshot;

use super::argon;
use crate::error::{Error, Result};

/// How many wait for each thread: some seconds' work.
const WAITING: usize = 256;

/// A weight of a tenth beside an ordinary thread: little when others want to work, and not nothing.
const NICE: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

#[derive(Clone)]
pub struct Pool {
    queue: SyncSender<Job>,
}

impl Pool {
    pub fn start() -> Result<Self> {
        let threads = thread::available_parallelism().map_or(2, usize::from);
        let (queue, jobs) = sync_channel(threads * WAITING);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..threads {
            let jobs = Arc::clone(&jobs);
            let thread = thread::Builder::new().name("passwords".to_owned()).spawn(move || work(&jobs));
            thread.map_err(|error| Error::Hash(error.to_string()))?;
        }
        Ok(Self { queue })
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
        self.queue.try_send(Box::new(job)).map_err(|error| match error {
            TrySendError::Full(_) => Error::Busy,
            TrySendError::Disconnected(_) => Error::Hash("the threads for it have ended".to_owned()),
        })?;
        result.await.map_err(|_| Error::Hash("the thread for it has ended".to_owned()))
    }
}

/// Until the pool is dropped.
fn work(jobs: &Mutex<Receiver<Job>>) {
    // On Linux this is the priority of the thread. Where it is refused, logins only weigh more.
    let is_low = rustix::process::getpriority_process(None).is_ok_and(|now| now >= NICE);
    if !is_low && let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::warn!(%error, "the threads that hash passwords keep an ordinary priority");
    }
    while let Some(job) = next(jobs) {
        // A job that panics has no result to give, which its caller sees; the thread goes on.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
    }
}

/// A thread keeps its memory while there is more to do, and waits without it.
fn next(jobs: &Mutex<Receiver<Job>>) -> Option<Job> {
    // Where another thread waits already, there is nothing to do.
    if let Ok(jobs) = jobs.try_lock()
        && let Ok(job) = jobs.try_recv()
    {
        return Some(job);
    }
    argon::let_go();
    jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
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
    async fn a_panic_ends_one_job_only() {
        let pool = Pool::start().unwrap();
        for _ in 0..100 {
            assert!(matches!(pool.run(|| panic!("on purpose")).await, Err::<(), _>(Error::Hash(_))));
        }
        assert_eq!(pool.run(|| 7).await.unwrap(), 7);
    }
}
