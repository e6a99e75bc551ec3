// SPDX-License-Identifier: Apache-2.0
//! The one writer: a thread that commits whatever waits as one group, with one fsync.
//!
//! ```text
//!   writers ──jobs──▶ [BEGIN IMMEDIATE │ SAVEPOINT job 1 │ SAVEPOINT job 2 │ … │ COMMIT = fsync] ──▶ answers
//! ```
//! While one group is being synced the next one gathers. A job that fails rolls back to its savepoint and takes
//! nobody along. If the engine ends the whole transaction for one job's sake, or a deferred constraint fails at the
//! commit, the group is taken apart and each job runs alone.
//!
//! Invariant: a write is answered `Ok` only after the commit that holds it returned (test: `kill_nine_loses_nothing_acknowledged`).

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::open::Lock;
use super::readers::session;
use super::session::Session;
use crate::store::Shared;
use crate::tx::Session as AnySession;
use crate::{Error, Result, Tx, guard};

/// The longest group: bounds how long the first writer of a group waits for the last.
const GROUP: usize = 256;

/// The longest that a group waits for the writers of the one before, however long its commit took.
const GATHERING: Duration = Duration::from_millis(1);

/// How many writers may wait; further ones wait for a place.
const QUEUE: usize = 1024;

pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// One call of `write`, whatever its types.
trait Job: Send {
    /// Whether nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;
    /// Runs the closure; answers whether its changes are to be kept.
    fn run(&mut self, tx: &mut Tx) -> bool;
    fn answer(self: Box<Self>, commit: Result<()>);
}

struct Write<F, T, E> {
    closure: F,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl Writer {
    pub(super) fn start(session: Session, lock: Lock, shared: Arc<Shared>) -> Result<Self> {
        let (sender, jobs) = mpsc::channel(QUEUE);
        let tx = Tx::new(AnySession::Sqlite(session), Arc::clone(&shared.counters));
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                serve(tx, jobs, &shared);
                drop(lock);
            })
            .map_err(|error| Error::engine("start the writer thread", error))?;
        Ok(Self { jobs: Some(sender), thread: Some(thread) })
    }

    pub(super) async fn write<F, T, E>(&self, closure: F) -> Result<T, E>
    where
        F: Fn(&mut Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Write { closure, outcome: None, reply });
        let jobs = self.jobs.as_ref().ok_or(Error::Closed)?;
        jobs.send(job).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }
}

/// Waits until everything accepted is committed and the file is closed, so that it can be opened again at once.
impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take()
            // A closure may hold the last handle of the store; the thread cannot wait for itself.
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the writer thread ended by a panic");
        }
    }
}

fn serve(mut tx: Tx, mut jobs: mpsc::Receiver<Box<dyn Job>>, shared: &Shared) {
    let mut group = Vec::with_capacity(GROUP);
    let mut last = Round::default();
    while jobs.blocking_recv_many(&mut group, GROUP) > 0 {
        gather(&mut jobs, &mut group, &last);
        group.retain(|job| !job.is_abandoned());
        if !group.is_empty() {
            let (size, began) = (group.len(), Instant::now());
            commit(&mut tx, std::mem::take(&mut group), shared);
            last = Round { size, took: began.elapsed() };
        }
    }
}

/// The group before.
#[derive(Default)]
struct Round {
    size: usize,
    took: Duration,
}

/// Lets those in who were just answered and are about to come back. Without this they miss the group that is about to
/// be synced and form one of their own after it, and each write waits for two syncs. It costs a fraction of a sync,
/// and a lone writer nothing.
fn gather(jobs: &mut mpsc::Receiver<Box<dyn Job>>, group: &mut Vec<Box<dyn Job>>, last: &Round) {
    let deadline = Instant::now() + GATHERING.min(last.took / 8);
    while group.len() < last.size.min(GROUP) {
        match jobs.try_recv() {
            Ok(job) => group.push(job),
            Err(_) if Instant::now() < deadline => std::thread::yield_now(),
            Err(_) => return,
        }
    }
}

/// Commits `group` and answers each of its writers.
fn commit(tx: &mut Tx, mut group: Vec<Box<dyn Job>>, shared: &Shared) {
    let attempt = attempt(tx, &mut group, shared);
    if attempt.is_err() {
        tx.reset();
        if let Ok(session) = session(tx) {
            session.rollback();
        }
    }
    match attempt {
        Err(failure) if failure.by_one_job && group.len() > 1 => {
            for job in group {
                commit(tx, vec![job], shared);
            }
        }
        attempt => {
            let commit = attempt.map_err(|failure| failure.error);
            for job in group {
                job.answer(commit.clone());
            }
        }
    }
}

struct Failure {
    error: Error,
    /// Whether a single job may be to blame, so that the others deserve another try.
    by_one_job: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let by_one_job = matches!(error, Error::ForeignKey { .. } | Error::Constraint { .. });
        Self { error, by_one_job }
    }
}

fn attempt(tx: &mut Tx, group: &mut [Box<dyn Job>], shared: &Shared) -> Result<(), Failure> {
    session(tx)?.control("BEGIN IMMEDIATE")?;
    let mut touched = Vec::new();
    let mut kept = 0;
    for job in group {
        session(tx)?.control("SAVEPOINT job")?;
        let keep = job.run(tx);
        let recorded = tx.reset();
        let session = session(tx)?;
        if !session.in_transaction() {
            return Err(Failure { error: Error::Aborted, by_one_job: true });
        }
        if keep {
            touched.extend(recorded);
            kept += 1;
        } else {
            session.control("ROLLBACK TO job")?;
        }
        session.control("RELEASE job")?;
    }
    let session = session(tx)?;
    if kept == 0 {
        session.control("ROLLBACK")?;
        return Ok(());
    }
    session.control("COMMIT")?;
    shared.committed(kept, &touched);
    Ok(())
}

impl<F, T, E> Job for Write<F, T, E>
where
    F: Fn(&mut Tx) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(&mut self, tx: &mut Tx) -> bool {
        let outcome = guard::run(&self.closure, tx);
        self.outcome.insert(outcome).is_ok()
    }

    fn answer(self: Box<Self>, commit: Result<()>) {
        let outcome = match (self.outcome, commit) {
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(error.into()),
            (Some(outcome), Ok(())) => outcome,
            (None, Ok(())) => Err(Error::Closed.into()),
        };
        // Whoever stopped waiting meanwhile does not want to know.
        let _ = self.reply.send(outcome);
    }
}
