// SPDX-License-Identifier: Apache-2.0
//! PostgreSQL: for several controllers on one set of tables.
//!
//! Transactions are SERIALIZABLE, so that a closure means here what it means on SQLite, where there is one writer at a
//! time; the server refuses what would not be, and the closure runs again. Closures are plain blocking code: they run on
//! blocking threads and drive the asynchronous client from there.

mod convert;
mod ddl;
mod seat;
mod session;
mod tail;

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, Object, Pool, PoolError, Runtime};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Notify};
use tokio_postgres::NoTls;

use crate::store::{Shared, on_blocking_thread};
use crate::tx::Session as AnySession;
use crate::{
    Error, Result, Tx,
    job::{self, Job},
    lead::{self, Controller},
};

pub(crate) use ddl::ddl;
pub(crate) use seat::{NOTE_CONTROLLER, Seat, TAKE_LEAD};
pub(crate) use session::Session;
use session::{explain, unreachable_because};
use tail::Tail;

/// How many connections one controller holds at most.
const CONNECTIONS: usize = 16;

/// How often a transaction is run again before its writer is told that the database is busy.
const ATTEMPTS: u32 = 30;

/// From this attempt on, the writers of this process that ran into others take turns.
const TAKE_TURNS: u32 = 3;

/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Postgres {
    pool: Pool,
    shared: Arc<Shared>,
    turn: Mutex<()>,
    tail: Tail,
    config: Box<tokio_postgres::Config>,
}

enum Attempt {
    Done(Result<bool>),
    RunAgain,
}

impl Postgres {
    pub(crate) async fn open(url: &str, shared: Arc<Shared>) -> Result<Self> {
        let mut config: tokio_postgres::Config = url.parse().map_err(|_| Error::Url { url: "postgres:…".to_owned() })?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(10));
        }
        config.application_name("ferrostack");
        let pool = Pool::builder(Manager::new(config.clone(), NoTls))
            .max_size(CONNECTIONS)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .runtime(Runtime::Tokio1)
            .post_create(Hook::async_fn(|client, _| {
                Box::pin(async move {
                    let prepared = client.batch_execute(SESSION_SETTINGS).await;
                    prepared.map_err(HookError::Backend)
                })
            }))
            .build()
            .map_err(|error| Error::engine("set up the pool of connections", error))?;
        refuse_old_server(&connection(&pool).await?).await?;
        let tail = Tail::begin(config.clone(), Arc::clone(&shared));
        Ok(Self { pool, shared, turn: Mutex::new(()), tail, config: Box::new(config) })
    }

    pub(crate) async fn take_seat(&self, controller: &Controller) -> Seat {
        Seat::take(&self.config, controller).await
    }

    /// Runs a job; if it belongs to a lead, only as long as that is not over.
    pub(crate) async fn write(&self, job: Arc<dyn Job>, term: Option<i64>) -> Result<bool> {
        let mut turn = None;
        for attempt in 0..ATTEMPTS {
            if attempt == TAKE_TURNS {
                turn = Some(self.turn.lock().await);
            }
            let session = self.session(BEGIN_WRITE).await?;
            let (shared, job) = (Arc::clone(&self.shared), Arc::clone(&job));
            let tell = self.tail.tell();
            match on_blocking_thread(move || write_once(session, &shared, &tell, &*job, term)).await? {
                Attempt::Done(ran) => return ran,
                Attempt::RunAgain => {
                    metrics::counter!("store_retries_total").increment(1);
                    tokio::time::sleep(pause(attempt)).await;
                }
            }
        }
        drop(turn);
        Err(Error::Busy { reason: "too many transactions met in the same rows" })
    }

    pub(crate) async fn read(&self, job: Arc<dyn Job>) -> Result<bool> {
        let session = self.session(BEGIN_READ).await?;
        let shared = Arc::clone(&self.shared);
        on_blocking_thread(move || read_once(session, &shared, &*job)).await?
    }

    async fn session(&self, begin: &'static str) -> Result<Session> {
        let client = connection(&self.pool).await?;
        Ok(Session::new(client, Handle::current(), begin))
    }
}

async fn connection(pool: &Pool) -> Result<Object> {
    pool.get().await.map_err(|error| match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => unreachable_because(error),
        PoolError::Closed => Error::Closed,
        PoolError::Timeout(_) => Error::Busy { reason: "all connections to PostgreSQL are in use" },
        other => unreachable_because(other),
    })
}

async fn refuse_old_server(client: &Object) -> Result<()> {
    let row = client.query_one("SHOW server_version_num", &[]).await;
    let number: String = row.and_then(|row| row.try_get(0)).map_err(explain)?;
    match number.parse::<u32>() {
        Ok(version) if version < OLDEST_SERVER => Err(Error::OldPostgres { found: (version / 10_000).to_string() }),
        _ => Ok(()),
    }
}

const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";
const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// PostgreSQL 13, the first with 64-bit transaction numbers in SQL.
const OLDEST_SERVER: u32 = 130_000;

/// Durable means durable, even where the server's default is to acknowledge before the disk has it; and a controller
/// that hangs inside a transaction does not hold its locks for longer than others can wait for the lead.
const SESSION_SETTINGS: &str = "SELECT set_config('synchronous_commit', 'on', false) \
     WHERE current_setting('synchronous_commit') = 'off'; \
     SET idle_in_transaction_session_timeout = '10s'";

fn write_once(session: Session, shared: &Shared, tell: &Notify, job: &dyn Job, term: Option<i64>) -> Attempt {
    let mut tx = Tx::new(AnySession::Postgres(session), Arc::clone(&shared.counters));
    let led = term.map_or(Ok(()), |term| lead::check(&mut tx, term));
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
                Attempt::Done(Err(error))
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
    if let AnySession::Postgres(session) = tx.session() {
        session.end_read();
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
