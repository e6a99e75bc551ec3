// SPDX-License-Identifier: Apache-2.0
//! What a writer needs, and a transaction for one job alone: run again as often as PostgreSQL asks for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{BUSY, connect::Connect, line::Line, pool::Pool};
use crate::job::{self, Job};
use crate::session::Session as AnySession;
use crate::session::postgres::{Limits, Session, is_silence};
use crate::shared::{Shared, on_blocking_thread};
use crate::thing::News;
use crate::tx::Tx;
use crate::{Error, Result, term};

/// How often a transaction is run again before its writer is told that the database is busy.
const ATTEMPTS: u32 = 30;

pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";

pub(super) struct Writer {
    pub(super) pool: Pool,
    pub(super) shared: Arc<Shared>,
    pub(super) connect: Connect,
    /// Told when something was committed here.
    pub(super) tell: Arc<Notify>,
    pub(super) line: Line,
}

enum Attempt {
    Done(Result<bool>),
    RunAgain,
}

impl Writer {
    /// For a transaction that begins now. The server's own deadline comes first: then the connection is good for more.
    pub(super) fn limits(&self) -> Limits {
        let settings = self.connect.settings();
        Limits { statement: settings.statement + settings.statement / 8, until: Instant::now() + settings.transaction }
    }

    pub(super) async fn session(&self, begin: &'static str, limits: Limits) -> Result<Session> {
        let client = self.heed(self.pool.take(limits.until).await)?;
        Ok(Session::new(client, begin, limits, Arc::clone(&self.shared.counters)))
    }

    /// After a silence the connections that lie idle are not trusted either.
    pub(super) fn heed<T>(&self, ran: Result<T>) -> Result<T> {
        if ran.as_ref().is_err_and(is_silence) {
            self.pool.forget_idle();
        }
        ran
    }

    /// Runs a job; if it belongs to a lead, only as long as that is not over.
    pub(super) async fn alone(
        self: &Arc<Self>,
        job: &Arc<dyn Job>,
        term: Option<i64>,
        begin: &'static str,
        limits: Limits,
    ) -> Result<bool> {
        for attempt in 0..ATTEMPTS {
            let session = self.session(begin, limits).await?;
            let (writer, job) = (Arc::clone(self), Arc::clone(job));
            match on_blocking_thread(move || writer.once(session, &*job, term)).await? {
                Attempt::Done(ran) => return self.heed(ran),
                Attempt::RunAgain => pause(attempt).await,
            }
            if Instant::now() >= limits.until {
                break;
            }
        }
        Err(BUSY)
    }

    fn once(&self, session: Session, job: &dyn Job, term: Option<i64>) -> Attempt {
        let mut tx = Tx::new(AnySession::Postgres(session), Arc::clone(&self.shared.counters));
        let led = term.map_or(Ok(()), |number| term::check(&mut tx, number));
        let ran = led.and_then(|()| job::run(job, &mut tx));
        let run_again = tx.must_run_again();
        let touched = tx.reset();
        match ran {
            Ok(true) if !run_again => match end(&mut tx, "COMMIT") {
                Ok(()) => {
                    self.committed(1, &touched);
                    Attempt::Done(Ok(true))
                }
                Err(Error::Busy { .. }) => {
                    roll_back(tx);
                    Attempt::RunAgain
                }
                Err(error) => {
                    roll_back(tx);
                    Attempt::Done(Err(in_doubt(error)))
                }
            },
            nothing_kept => {
                roll_back(tx);
                if run_again { Attempt::RunAgain } else { Attempt::Done(nothing_kept) }
            }
        }
    }

    pub(super) fn committed(&self, writes: u64, touched: &[News]) {
        self.shared.committed(writes, touched);
        if !touched.is_empty() {
            self.tell.notify_one();
        }
    }
}

/// What a failed commit means for who waits for it.
pub(super) fn in_doubt(error: Error) -> Error {
    match error {
        Error::Unreachable { source } => Error::InDoubt { source },
        error => error,
    }
}

pub(super) fn end(tx: &mut Tx, how: &'static str) -> Result<()> {
    session(tx)?.end(how)
}

pub(super) fn session(tx: &mut Tx) -> Result<&mut Session> {
    match tx.session() {
        AnySession::Postgres(session) => Ok(session),
        AnySession::Sqlite(_) => Err(Error::Closed),
    }
}

/// Ends a transaction; a connection that cannot even do that is closed.
pub(super) fn roll_back(mut tx: Tx) {
    if end(&mut tx, "ROLLBACK").is_err()
        && let AnySession::Postgres(session) = tx.into_session()
    {
        session.discard();
    }
}

/// Before the next attempt: a time that grows, and that differs between writers so that they do not meet again at once.
pub(super) async fn pause(attempt: u32) {
    use std::hash::{BuildHasher, RandomState};
    metrics::counter!("store_retries_total").increment(1);
    let longest = 2_000_u64 << attempt.min(5);
    tokio::time::sleep(Duration::from_micros(RandomState::new().hash_one(attempt) % longest)).await;
}
