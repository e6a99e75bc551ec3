// SPDX-License-Identifier: Apache-2.0
//! PostgreSQL: for several controllers on one set of tables.
//!
//! Transactions are SERIALIZABLE, so that a closure means here what it means on SQLite, where there is one writer at a
//! time; the server refuses what would not be, and the closure runs again. Those of one process run in groups, so that they
//! do not meet each other ([decision 14](docs/decisions/0014-many-hosts-on-postgresql.md)). Closures are plain blocking code: they run on
//! blocking threads and drive the asynchronous client from there.

mod connect;
mod group;
mod line;
mod pool;
mod seat;
mod settings;
mod tail;
mod tls;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::session::Session as AnySession;
use crate::session::postgres::{Limits, Session};
use crate::shared::{Shared, on_blocking_thread};
use crate::term::Controller;
use crate::tx::Tx;
use crate::{
    Error, Result,
    job::{self, Job},
};

use connect::Connect;
use line::Line;
use pool::Pool;
pub(crate) use seat::Seat;
pub use settings::{PostgresSettings, TlsMode, TlsSettings};
use tail::Tail;
use writer::Writer;

/// An upgrade of large tables may take so long. Until then the controller does not serve.
const UPGRADE: Duration = Duration::from_secs(6 * 60 * 60);

const BUSY: Error = Error::Busy { reason: "too many transactions met in the same rows" };

const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
const BEGIN_UPGRADE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL statement_timeout = 0";

/// The rest of the connections is for those who read.
const WRITERS_OF_ALL: usize = 4;

pub(crate) struct Postgres {
    writer: Arc<Writer>,
    /// Ends with the last handle.
    _tail: Tail,
}

/// How long a transaction may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As the settings say.
    Usual,
    /// It changes whole tables, and nobody else is served meanwhile.
    Upgrade,
}

impl Postgres {
    pub(crate) async fn open(url: &str, settings: &PostgresSettings, shared: Arc<Shared>) -> Result<Self> {
        let connect = Connect::new(url, settings)?;
        let pool = Pool::open(connect.clone()).await?;
        let tail = Tail::begin(connect.clone(), Arc::clone(&shared));
        let line = Line::new((settings.connections / WRITERS_OF_ALL).max(1));
        Ok(Self { writer: Arc::new(Writer { pool, shared, connect, tell: tail.tell(), line }), _tail: tail })
    }

    pub(crate) async fn take_seat(&self, controller: &Controller) -> Seat {
        Seat::take(&self.writer.connect, controller).await
    }

    /// Runs a job; if it belongs to a lead, only as long as that is not over.
    pub(crate) async fn write(&self, job: Arc<dyn Job>, term: Option<i64>, pace: Pace) -> Result<bool> {
        match pace {
            Pace::Usual => self.writer.line.write(&self.writer, job, term, self.writer.limits().until).await,
            Pace::Upgrade => {
                let limits = Limits { statement: UPGRADE, until: Instant::now() + UPGRADE };
                self.writer.alone(&job, term, BEGIN_UPGRADE, limits).await
            }
        }
    }

    /// How many writers stand in line.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.writer.line.len()
    }

    pub(crate) async fn read(&self, job: Arc<dyn Job>) -> Result<bool> {
        let session = self.writer.session(BEGIN_READ, self.writer.limits()).await?;
        let shared = Arc::clone(&self.writer.shared);
        let ran = on_blocking_thread(move || read_once(session, &shared, &*job)).await?;
        self.writer.heed(ran)
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
