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
use crate::session::Session as AnySession;
use crate::session::sqlite::Session;
use crate::shared::Shared;
use crate::tx::Tx;
use crate::{
    Error, Result,
    job::{self, Job},
};

/// The longest group: bounds how long the first writer of a group waits for the last.
const GROUP: usize = 256;

/// The longest that a group waits for the writers of the one before, however long its commit took.
const GATHERING: Duration = Duration::from_millis(1);

/// How many writers may wait; further ones wait for a place.
const QUEUE: usize = 1024;

pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Asked>>,
    thread: Option<JoinHandle<()>>,
}

/// What the writer is asked for, in the order in which it is done.
enum Asked {
    Write(Write),
    /// The log is folded into the file.
    Checkpoint(oneshot::Sender<Result<()>>),
}

/// A job that waits for its commit.
struct Write {
    job: Arc<dyn Job>,
    ran: Option<Result<bool>>,
    reply: oneshot::Sender<Result<bool>>,
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

    pub(super) async fn write(&self, job: Arc<dyn Job>) -> Result<bool> {
        let (reply, answer) = oneshot::channel();
        self.ask(Asked::Write(Write { job, ran: None, reply })).await?;
        answer.await.map_err(|_| Error::Closed)?
    }

    pub(super) async fn checkpoint(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.ask(Asked::Checkpoint(reply)).await?;
        answer.await.map_err(|_| Error::Closed)?
    }

    async fn ask(&self, asked: Asked) -> Result<()> {
        let jobs = self.jobs.as_ref().ok_or(Error::Closed)?;
        jobs.send(asked).await.map_err(|_| Error::Closed)
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

fn serve(mut tx: Tx, mut jobs: mpsc::Receiver<Asked>, shared: &Shared) {
    let mut asked = Vec::with_capacity(GROUP);
    let mut last = Round::default();
    while jobs.blocking_recv_many(&mut asked, GROUP) > 0 {
        gather(&mut jobs, &mut asked, &last);
        let (mut group, mut checkpoints) = (Vec::with_capacity(asked.len()), Vec::new());
        for asked in asked.drain(..) {
            match asked {
                Asked::Write(write) if write.reply.is_closed() => {}
                Asked::Write(write) => group.push(write),
                Asked::Checkpoint(reply) => checkpoints.push(reply),
            }
        }
        if !group.is_empty() {
            let (size, began) = (group.len(), Instant::now());
            commit(&mut tx, group, shared);
            last = Round { size, took: began.elapsed() };
        }
        for reply in checkpoints {
            let _ = reply.send(session(&mut tx).and_then(Session::checkpoint));
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
fn gather(jobs: &mut mpsc::Receiver<Asked>, group: &mut Vec<Asked>, last: &Round) {
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
fn commit(tx: &mut Tx, mut group: Vec<Write>, shared: &Shared) {
    let attempt = attempt(tx, &mut group, shared);
    if attempt.is_err() {
        tx.reset();
        if let Ok(session) = session(tx) {
            session.rollback();
        }
    }
    match attempt {
        Err(failure) if failure.by_one_job && group.len() > 1 => {
            for write in group {
                commit(tx, vec![write], shared);
            }
        }
        attempt => {
            let commit = attempt.map_err(|failure| failure.error);
            for write in group {
                write.answer(commit.clone());
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

fn attempt(tx: &mut Tx, group: &mut [Write], shared: &Shared) -> Result<(), Failure> {
    session(tx)?.control("BEGIN IMMEDIATE")?;
    let mut touched = Vec::new();
    let mut kept = 0;
    for write in group {
        session(tx)?.control("SAVEPOINT job")?;
        let keep = matches!(write.ran.insert(job::run(&*write.job, tx)), Ok(true));
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

impl Write {
    fn answer(self, commit: Result<()>) {
        let ran = match (self.ran, commit) {
            // It was not to be kept, whatever became of the others.
            (Some(ran @ (Ok(false) | Err(_))), _) => ran,
            (_, Err(error)) => Err(error),
            (Some(kept), Ok(())) => kept,
            (None, Ok(())) => Err(Error::Closed),
        };
        // Whoever stopped waiting meanwhile does not want to know.
        let _ = self.reply.send(ran);
    }
}
