// SPDX-License-Identifier: Apache-2.0
//! One pooled connection, driven from a blocking thread, and PostgreSQL's errors in our words.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Object;
use futures_util::future::join;
use futures_util::{FutureExt, TryStreamExt, pin_mut};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::error::{DbError, SqlState};

use super::convert::{Column, Param};
use crate::{Error, Result, Row, Value};

pub(crate) struct Session {
    client: Object,
    runtime: Handle,
    /// The `BEGIN` that is still to be sent; it travels with the first statement, to save a round trip.
    begin: Option<&'static str>,
    limits: Limits,
    /// The server did not answer in time, or the connection is closed: nothing more is sent.
    is_lost: bool,
}

/// How long the server is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// For one statement.
    pub(crate) statement: Duration,
    /// For the whole transaction.
    pub(crate) until: Instant,
}

impl Session {
    pub(crate) fn new(client: Object, runtime: Handle, begin: &'static str, limits: Limits) -> Self {
        Self { client, runtime, begin: Some(begin), limits, is_lost: false }
    }

    pub(crate) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        let begin = self.begin.take();
        let work = async {
            let statement = self.client.prepare_cached(sql).await?;
            self.client.execute_raw(&statement, params.iter().map(Param)).await
        };
        let answer = wait(&self.runtime, self.limits, after_begin(&self.client, begin, work));
        self.heed(answer)
    }

    pub(crate) fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
        let begin = self.begin.take();
        let work = async {
            let statement = self.client.prepare_cached(sql).await?;
            let rows = self.client.query_raw(&statement, params.iter().map(Param)).await?;
            pin_mut!(rows);
            let mut found = Vec::new();
            while let Some(columns) = rows.try_next().await? {
                let mut row = Row::with_columns(columns.len());
                for index in 0..columns.len() {
                    row.push(columns.try_get::<_, Column<'_>>(index)?.0);
                }
                found.push(row);
            }
            Ok(found)
        };
        let answer = wait(&self.runtime, self.limits, after_begin(&self.client, begin, work));
        self.heed(answer)
    }

    /// Runs statements without parameters, as a migration has them.
    pub(crate) fn script(&mut self, sql: &str) -> Result<()> {
        let begin = self.begin.take();
        let answer = wait(&self.runtime, self.limits, after_begin(&self.client, begin, self.client.batch_execute(sql)));
        self.heed(answer)
    }

    /// Commits, or rolls back; nothing is left to do if no statement was sent.
    pub(crate) fn end(&mut self, how: &'static str) -> Result<()> {
        match self.begin {
            _ if self.is_lost => Err(Error::Closed),
            Some(_) => Ok(()),
            None => self.script(how),
        }
    }

    /// Ends a transaction that only read. Nothing hangs on the answer, and the connection's next user comes after this
    /// on the wire, so it is sent and not waited for.
    pub(crate) fn end_read(&mut self) {
        if self.begin.is_none() && !self.is_lost {
            let _ = self.client.batch_execute("ROLLBACK").now_or_never();
        }
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost
    }

    fn heed<T>(&mut self, answer: Result<T>) -> Result<T> {
        if let Err(error) = &answer {
            self.is_lost |= is_silence(error) || self.client.is_closed();
        }
        answer
    }

    /// Closes the connection instead of giving it back to the pool.
    pub(crate) fn discard(self) {
        drop(Object::take(self.client));
    }
}

/// Waits for the server, on this blocking thread, as long as it may take.
#[expect(clippy::disallowed_methods, reason = "sessions live on blocking threads only, where nothing can be awaited")]
fn wait<T>(runtime: &Handle, limits: Limits, work: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T> {
    let began = Instant::now();
    let until = limits.until.min(began + limits.statement);
    match runtime.block_on(async { timeout_at(until, work).await }) {
        Ok(answer) => answer.map_err(explain),
        Err(_) => Err(unreachable_because(Silent(until - began))),
    }
}

/// Sends `begin`, and `work` right behind it on the same wire.
async fn after_begin<T>(
    client: &Object,
    begin: Option<&'static str>,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, tokio_postgres::Error> {
    match begin {
        Some(begin) => {
            // `join` polls in this order, so BEGIN is on its way first.
            let (begun, done) = join(client.batch_execute(begin), work).await;
            begun.and(done)
        }
        None => work.await,
    }
}

/// The server did not answer within this time.
#[derive(Debug, thiserror::Error)]
#[error("PostgreSQL did not answer within {0:?}")]
pub(crate) struct Silent(pub(crate) Duration);

pub(crate) fn explain(error: tokio_postgres::Error) -> Error {
    if let Some(said) = error.as_db_error() {
        let rule = || said.message().to_owned();
        let table = || said.table().unwrap_or("the table").to_owned();
        match *said.code() {
            SqlState::UNIQUE_VIOLATION => {
                return Error::Unique { table: table(), columns: unique_columns(said) };
            }
            SqlState::FOREIGN_KEY_VIOLATION => return Error::ForeignKey { table: table() },
            SqlState::CHECK_VIOLATION | SqlState::NOT_NULL_VIOLATION | SqlState::EXCLUSION_VIOLATION => {
                return Error::Constraint { rule: rule() };
            }
            SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => {
                return Error::Busy { reason: "too many transactions met in the same rows" };
            }
            SqlState::DISK_FULL => return Error::Full { source: Arc::new(error) },
            // The last two are its own deadlines, for a statement and for what comes between two.
            SqlState::ADMIN_SHUTDOWN
            | SqlState::CRASH_SHUTDOWN
            | SqlState::CANNOT_CONNECT_NOW
            | SqlState::QUERY_CANCELED
            | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => return unreachable_because(error),
            _ => {}
        }
    } else if error.is_closed() {
        return unreachable_because(error);
    }
    Error::engine("run a statement on PostgreSQL", error)
}

/// Whether we gave up waiting, so that nothing is known of the connection.
pub(crate) fn is_silence(error: &Error) -> bool {
    matches!(error, Error::Unreachable { source } | Error::InDoubt { source } if source.is::<Silent>())
}

pub(crate) fn unreachable_because(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Unreachable { source: Arc::new(cause) }
}

/// Reads "Key (domain_id, name)=(default, web) already exists." in whatever language; else names the constraint.
fn unique_columns(said: &DbError) -> Vec<String> {
    let list = said
        .detail()
        .and_then(|detail| detail.split_once('('))
        .and_then(|(_, after)| after.split_once(")="))
        .map_or_else(|| said.constraint().unwrap_or_default(), |(list, _)| list);
    list.split(", ").map(str::to_owned).collect()
}
