// SPDX-License-Identifier: Apache-2.0
//! One transaction for the jobs of several writers. Each runs under a savepoint: one that fails takes nobody along. If the
//! server refuses the whole, it is run again whole; if it refuses it once more, or for one job's sake, each job runs alone.
//!
//! Nobody is answered before the commit, those either that are refused: what they were refused for may be a change of the same
//! group that comes to nothing.
//!
//! Invariant: a write is answered `Ok` only after the commit that holds it returned (test: `a_commit_that_was_cut_off_is_in_doubt_for_all_who_wait_for_it`).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::line::Waiting;
use super::writer::{BEGIN, Writer, end, in_doubt, pause, roll_back, session};
use crate::job;
use crate::session::Session as AnySession;
use crate::session::postgres::Session;
use crate::shared::on_blocking_thread;
use crate::thing::News;
use crate::tx::Tx;
use crate::{Error, Result, term};

/// Whoever waits when a group begins is taken in, and who comes so long after. It bounds how long the first waits for the last.
const TAKES_IN: Duration = Duration::from_millis(20);

/// The most jobs of a group. From 64 savepoints on PostgreSQL no longer keeps them in memory.
const MOST: usize = 48;

/// How often a group is run before it is taken apart.
const ATTEMPTS: u32 = 2;

/// A job of a group, with what it answered in the last attempt.
struct Member {
    waiting: Waiting,
    ran: Option<Result<bool>>,
}

enum Attempt {
    /// It is over, and this is what became of the commit.
    Done(Result<()>),
    RunAgain,
    Apart,
}

/// Runs a group of those who wait, and answers them.
pub(super) async fn run(writer: &Arc<Writer>) {
    let Some(first) = writer.line.next() else { return };
    let mut members = vec![Member { waiting: first, ran: None }];
    for attempt in 0..ATTEMPTS {
        let session = match writer.session(BEGIN, writer.limits()).await {
            Ok(session) => session,
            Err(error) => return refuse(writer, members, &error),
        };
        let (of, takes_in) = (Arc::clone(writer), attempt == 0);
        let ran = on_blocking_thread(move || (of.try_once(session, &mut members, takes_in), members)).await;
        // Else their replies went with the thread.
        let Ok((ended, ran)) = ran else { return };
        members = ran;
        match ended {
            Attempt::Done(committed) => return answer(writer, members, committed),
            Attempt::RunAgain => pause(attempt).await,
            Attempt::Apart => break,
        }
    }
    for Member { waiting, .. } in members {
        let mut limits = writer.limits();
        limits.until = limits.until.min(waiting.until);
        let ran = writer.alone(&waiting.job, waiting.term, BEGIN, limits).await;
        waiting.answer(ran);
    }
}

/// If the server cannot be reached for one, it cannot for the others; while it is busy they wait on.
fn refuse(writer: &Writer, members: Vec<Member>, error: &Error) {
    let others = if matches!(error, Error::Busy { .. }) { Vec::new() } else { writer.line.all() };
    let waiting = members.into_iter().map(|member| member.waiting).chain(others);
    waiting.for_each(|waiting| waiting.answer(Err(error.clone())));
}

fn answer(writer: &Writer, members: Vec<Member>, committed: Result<()>) {
    let committed = writer.heed(committed);
    for Member { waiting, ran } in members {
        waiting.answer(match (ran, &committed) {
            (Some(ran @ (Ok(false) | Err(_))), _) => ran,
            (_, Err(error)) => Err(error.clone()),
            (ran, Ok(())) => ran.unwrap_or(Err(Error::Closed)),
        });
    }
}

impl Writer {
    fn try_once(&self, session: Session, members: &mut Vec<Member>, takes_in: bool) -> Attempt {
        let mut tx = Tx::new(AnySession::Postgres(session), Arc::clone(&self.shared.counters));
        members.iter_mut().for_each(|member| member.ran = None);
        let mut group = Group::default();
        let (began, standing) = (Instant::now(), self.line.len());
        let mut number = 0;
        loop {
            if number == members.len() {
                let takes_in = takes_in && number < MOST && (number <= standing || began.elapsed() < TAKES_IN);
                let Some(waiting) = takes_in.then(|| self.line.next()).flatten() else { break };
                members.push(Member { waiting, ran: None });
            }
            let Some(member) = members.get_mut(number) else { break };
            let ran = group.run(&mut tx, &member.waiting);
            number += 1;
            let over = group.settle(&mut tx, &ran, members.len() > 1);
            if let Some(member) = members.get_mut(number - 1) {
                member.ran = Some(ran);
            }
            if let Some(attempt) = over {
                roll_back(tx);
                return attempt;
            }
        }
        self.commit(tx, &group, members.len() > 1)
    }

    fn commit(&self, mut tx: Tx, group: &Group, are_several: bool) -> Attempt {
        if group.kept == 0 {
            roll_back(tx);
            return Attempt::Done(Ok(()));
        }
        let Err(error) = end(&mut tx, "COMMIT") else {
            drop(tx);
            self.committed(group.kept, &group.touched);
            return Attempt::Done(Ok(()));
        };
        roll_back(tx);
        match error {
            Error::Busy { .. } => Attempt::RunAgain,
            // Whether it was kept is not known, so it must not be done again.
            Error::Unreachable { .. } => Attempt::Done(Err(in_doubt(error))),
            _ if are_several => Attempt::Apart,
            error => Attempt::Done(Err(error)),
        }
    }
}

/// What a group has come to.
#[derive(Default)]
struct Group {
    /// Whether these leads are held. The answer holds for the whole transaction, and so does the lock on it.
    leads: HashMap<i64, bool>,
    touched: Vec<News>,
    kept: u64,
    undo: Undo,
}

/// How what the last job did is taken back.
#[derive(Clone, Copy, Default)]
enum Undo {
    /// It did nothing.
    #[default]
    Nothing,
    /// It was the first of which something may be kept: the transaction begins anew.
    All,
    Savepoint,
}

impl Group {
    /// Runs one job; nothing of it is settled yet.
    fn run(&mut self, tx: &mut Tx, waiting: &Waiting) -> Result<bool> {
        self.undo = Undo::Nothing;
        if let Some(lead) = waiting.term
            && !self.is_held(tx, lead)?
        {
            return Err(Error::NotLeading);
        }
        self.undo = if self.kept == 0 { Undo::All } else { Undo::Savepoint };
        if self.kept > 0 {
            session(tx)?.control("SAVEPOINT job");
        }
        job::run(&*waiting.job, tx)
    }

    fn is_held(&mut self, tx: &mut Tx, lead: i64) -> Result<bool> {
        if let Some(is_held) = self.leads.get(&lead) {
            return Ok(*is_held);
        }
        let is_held = match term::check(tx, lead) {
            Ok(()) => true,
            Err(Error::NotLeading) => false,
            Err(error) => return Err(error),
        };
        self.leads.insert(lead, is_held);
        Ok(is_held)
    }

    /// Keeps what the last job did, or takes it back. An answer ends the attempt.
    fn settle(&mut self, tx: &mut Tx, ran: &Result<bool>, are_several: bool) -> Option<Attempt> {
        let (run_again, is_broken) = (tx.must_run_again(), tx.is_broken());
        let touched = tx.reset();
        let session = session(tx).ok()?;
        if run_again {
            return Some(Attempt::RunAgain);
        }
        if session.is_lost() {
            let error = ran.as_ref().err().cloned();
            return Some(Attempt::Done(Err(error.unwrap_or(Error::Closed))));
        }
        // Whose statement failed is seen when each runs alone; and without a savepoint all is lost.
        if session.failed_late() || (is_broken && matches!(self.undo, Undo::Nothing)) {
            return Some(if are_several { Attempt::Apart } else { Attempt::Done(Ok(())) });
        }
        match (ran, self.undo) {
            (Ok(true), undo) => {
                if matches!(undo, Undo::Savepoint) {
                    session.control("RELEASE job");
                }
                self.touched.extend(touched);
                self.kept += 1;
            }
            (_, Undo::Savepoint) => session.control("ROLLBACK TO job; RELEASE job"),
            (_, Undo::All) => {
                session.begin_anew(BEGIN);
                // Nothing is known of any lead, nor of the ids of events.
                tx.forget_ids();
                self.leads.clear();
            }
            (_, Undo::Nothing) => {}
        }
        None
    }
}
