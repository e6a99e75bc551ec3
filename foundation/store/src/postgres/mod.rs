// SPDX-License-Identifier: Apache-2.0
//! PostgreSQL: for several controllers on one set of tables.
//!
//! Transactions are SERIALIZABLE, so that a closure means here what it means on SQLite, where there is one writer at a
//! time; the server refuses what would not be, and the closure runs again. Closures are plain blocking code: they run on
//! blocking threads and drive the asynchronous client from there.

mod connect;
mod pool;
mod seat;
mod settings;
mod tail;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, timeout_at};

use crate::session::Session as AnySession;
use crate::session::postgres::{Limits, Session, is_silence};
use crate::shared::{Shared, on_blocking_thread};
use crate::term::{self, Controller};
use crate::tx::Tx;
use crate::{
    Error, Result,
    job::{self, Job},
};

use connect::Connect;
use pool::Pool;
pub(crate) use seat::Seat;
pub use settings::{PostgresSettings, TlsMode, TlsSettings};
use tail::Tail;

/// How often a transaction is run again before its writer is told that the database is busy.
const ATTEMPTS: u32 = 30;

/// From this attempt on, the writers of this process that ran into others take turns.
const TAKE_TURNS: u32 = 3;

/// An upgrade of large tables may take so long. Until then the controller does not serve.
const UPGRADE: Duration = Duration::from_secs(6 * 60 * 60);

const BUSY: Error = Error::Busy { reason: "too many transactions met in the same rows" };

pub(crate) struct Postgres {
    pool: Pool,
    shared: Arc<Shared>,
    turn: Mutex<()>,
    tail: Tail,
    connect: Connect,
}

/// How long a transaction may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As the settings say.
    Usual,
    /// It changes whole tables, and nobody else is served meanwhile.
    Upgrade,
}

enum Attempt {
    Done(Result<bool>),
    RunAgain,
}

impl Postgres {
    pub(crate) async fn open(url: &str, settings: &PostgresSettings, shared: Arc<Shared>) -> Result<Self> {
        let connect = Connect::new(url, settings)?;
        let pool = Pool::open(connect.clone()).await?;
        let tail = Tail::begin(connect.clone(), Arc::clone(&shared));
        Ok(Self { pool, shared, turn: Mutex::new(()), tail, connect })
    }

    pub(crate) async fn take_seat(&self, controller: &Controller) -> Seat {
        Seat::take(&self.connect, controller).await
    }

    /// Runs a job; if it belongs to a lead, only as long as that is not over.
    pub(crate) async fn write(&self, job: Arc<dyn Job>, term: Option<i64>, pace: Pace) -> Result<bool> {
        let (limits, begin) = self.limits(pace);
        let mut turn = None;
        for attempt in 0..ATTEMPTS {
            if attempt == TAKE_TURNS {
                turn = Some(timeout_at(limits.until, self.turn.lock()).await.map_err(|_| BUSY)?);
            }
            let session = self.session(begin, limits).await?;
            let (shared, job) = (Arc::clone(&self.shared), Arc::clone(&job));
            let tell = self.tail.tell();
            match on_blocking_thread(move || write_once(session, &shared, &tell, &*job, term)).await? {
                Attempt::Done(ran) => return self.heed(ran),
                Attempt::RunAgain => {
                    metrics::counter!("store_retries_total").increment(1);
                    tokio::time::sleep(pause(attempt)).await;
                }
            }
            if Instant::now() >= limits.until {
                break;
            }
        }
        drop(turn);
        Err(BUSY)
    }

    pub(crate) async fn read(&self, job: Arc<dyn Job>) -> Result<bool> {
        let (limits, _) = self.limits(Pace::Usual);
        let session = self.session(BEGIN_READ, limits).await?;
        let shared = Arc::clone(&self.shared);
        let ran = on_blocking_thread(move || read_once(session, &shared, &*job)).await?;
        self.heed(ran)
    }

    async fn session(&self, begin: &'static str, limits: Limits) -> Result<Session> {
        let client = self.heed(self.pool.take(limits.until).await)?;
        Ok(Session::new(client, Handle::current(), begin, limits))
    }

    fn limits(&self, pace: Pace) -> (Limits, &'static str) {
        let settings = self.connect.settings();
        let now = Instant::now();
        match pace {
            // The server's own deadline comes first: then the connection is good for more.
            Pace::Usual => {
                let statement = settings.statement + settings.statement / 8;
                (Limits { statement, until: now + settings.transaction }, BEGIN_WRITE)
            }
            Pace::Upgrade => (Limits { statement: UPGRADE, until: now + UPGRADE }, BEGIN_UPGRADE),
        }
    }

    fn heed<T>(&self, ran: Result<T>) -> Result<T> {
        if ran.as_ref().is_err_and(is_silence) {
            self.pool.forget_idle();
        }
        ran
    }
}

const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";
const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
const BEGIN_UPGRADE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL statement_timeout = 0";

fn write_once(session: Session, shared: &Shared, tell: &Notify, job: &dyn Job, term: Option<i64>) -> Attempt {
    let mut tx = Tx::new(AnySession::Postgres(session), Arc::clone(&shared.counters));
    let led = term.map_or(Ok(()), |number| term::check(&mut tx, number));
    let ran = led.and_then(|()| job::run(job, &mut tx));
    let run_again = tx.must_run_again();
    let touched = tx.reset();
    match ran {
        _ if run_again => {
            roll_back(tx);
            Attempt::RunAgain
        }
        Ok(true) => match end(&mut tx, "COMMIT") {
            Ok(()) => {
                shared.committed(1, &touched);
                if !touched.is_empty() {
                    tell.notify_one();
                }
                Attempt::Done(Ok(true))
            }
            Err(Error::Busy { .. }) => {
                roll_back(tx);
                Attempt::RunAgain
            }
            Err(error) => {
                roll_back(tx);
                Attempt::Done(Err(match error {
                    Error::Unreachable { source } => Error::InDoubt { source },
                    error => error,
                }))
            }
        },
        nothing_kept => {
            roll_back(tx);
            Attempt::Done(nothing_kept)
        }
    }
}

fn read_once(session: Session, shared: &Shared, job: &dyn Job) -> Result<bool> {
    let mut tx = Tx::new(AnySession::Postgres(session), Arc::clone(&shared.counters));
    let ran = job::run(job, &mut tx);
    if let AnySession::Postgres(mut session) = tx.into_session() {
        session.end_read();
        if session.is_lost() {
            session.discard();
        }
    }
    ran
}

fn end(tx: &mut Tx, how: &'static str) -> Result<()> {
    match tx.session() {
        AnySession::Postgres(session) => session.end(how),
        AnySession::Sqlite(_) => Err(Error::Closed),
    }
}

/// Ends a transaction; a connection that cannot even do that is closed.
fn roll_back(mut tx: Tx) {
    if end(&mut tx, "ROLLBACK").is_err()
        && let AnySession::Postgres(session) = tx.into_session()
    {
        session.discard();
    }
}

/// A pause that grows, and that differs between writers so that they do not meet again at once.
fn pause(attempt: u32) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let longest = 2_000_u64 << attempt.min(5);
    Duration::from_micros(RandomState::new().hash_one(attempt) % longest)
}
