// SPDX-License-Identifier: Apache-2.0
//! One pooled connection, driven from a blocking thread, and PostgreSQL's errors in our words.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use deadpool_postgres::Object;
use futures_util::future::{poll_immediate, try_join_all};
use futures_util::{FutureExt, TryStreamExt, pin_mut};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::error::{DbError, SqlState};

use super::convert::{Column, Param};
use crate::tx::Counters;
use crate::{Error, Result, Row, Value};

pub(crate) struct Session {
    client: Object,
    runtime: Handle,
    /// What is still to be sent: it travels with the next statement that is waited for, to save round trips.
    unsent: Vec<Said>,
    /// The server heard of this transaction.
    is_open: bool,
    limits: Limits,
    counters: Arc<Counters>,
    /// The server did not answer in time, or the connection is closed: nothing more is sent.
    is_lost: bool,
    /// A statement failed that went out with a later one.
    failed_late: bool,
}

/// What is said without waiting for the answer.
enum Said {
    /// Of the transaction, and without parameters.
    Control(&'static str),
    Statement(String, Vec<Value>),
}

/// How long the server is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// For one statement.
    pub(crate) statement: Duration,
    /// For the whole transaction.
    pub(crate) until: Instant,
}

/// So many statements that nobody waits for are sent at once at most.
const UNSENT: usize = 64;

impl Session {
    pub(crate) fn new(client: Object, begin: &'static str, limits: Limits, counters: Arc<Counters>) -> Self {
        let unsent = vec![Said::Control(begin)];
        let runtime = Handle::current();
        Self { client, runtime, unsent, is_open: false, limits, counters, is_lost: false, failed_late: false }
    }

    pub(crate) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        self.wait(async |client| {
            let statement = client.prepare_cached(sql).await?;
            client.execute_raw(&statement, params.iter().map(Param)).await
        })
    }

    pub(crate) fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
        self.wait(async |client| rows(client, sql, params).await)
    }

    /// Several queries of which none needs another's answer, sent at once and waited for once.
    pub(crate) fn queries(&mut self, asked: &[(&str, &[Value])]) -> Result<Vec<Vec<Row>>> {
        self.wait(async |client| try_join_all(asked.iter().map(|(sql, params)| rows(client, sql, params))).await)
    }

    /// A statement whose answer nobody needs. If it fails, the next one that is waited for says so.
    pub(crate) fn later(&mut self, sql: &str, params: &[Value]) -> Result<()> {
        self.unsent.push(Said::Statement(sql.to_owned(), params.to_vec()));
        if self.unsent.len() < UNSENT { Ok(()) } else { self.wait(async |_| Ok(())) }
    }

    /// Runs statements without parameters, as a migration has them.
    pub(crate) fn script(&mut self, sql: &str) -> Result<()> {
        self.wait(async |client| client.batch_execute(sql).await)
    }

    /// A word on the transaction itself, which goes out with the next statement.
    pub(crate) fn control(&mut self, word: &'static str) {
        self.unsent.push(Said::Control(word));
    }

    /// Gives up all that was done, and begins another transaction.
    pub(crate) fn begin_anew(&mut self, begin: &'static str) {
        self.unsent.clear();
        if self.is_open {
            self.control("ROLLBACK");
        }
        self.control(begin);
    }

    /// Commits, or rolls back; nothing is left to do if there was no statement.
    pub(crate) fn end(&mut self, how: &'static str) -> Result<()> {
        if self.is_lost {
            return Err(Error::Closed);
        }
        let says_something = self.unsent.iter().any(|said| matches!(said, Said::Statement(..)));
        if self.is_open || says_something { self.script(how) } else { Ok(()) }
    }

    /// Ends a transaction that only read. Nothing hangs on the answer, and the connection's next user comes after this
    /// on the wire, so it is sent and not waited for.
    pub(crate) fn end_read(&mut self) {
        if self.is_open && !self.is_lost {
            let _ = self.client.batch_execute("ROLLBACK").now_or_never();
        }
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// What failed may be another's than what was waited for.
    pub(crate) fn failed_late(&self) -> bool {
        self.failed_late
    }

    /// Closes the connection instead of giving it back to the pool.
    pub(crate) fn discard(self) {
        drop(Object::take(self.client));
    }

    /// Sends what is still to be sent and `work` right behind it, and waits for the server, on this blocking thread, as long as it
    /// may take.
    #[expect(clippy::disallowed_methods, reason = "sessions live on blocking threads only, where nothing can be awaited")]
    fn wait<T>(&mut self, work: impl AsyncFnOnce(&Object) -> Result<T, tokio_postgres::Error>) -> Result<T> {
        let unsent = std::mem::take(&mut self.unsent);
        self.is_open = true;
        self.counters.round_trips.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        let until = self.limits.until.min(began + self.limits.statement);
        let client = &self.client;
        let talk = async { send_before(client, &unsent, work(client)).await };
        let answer = match self.runtime.block_on(async { timeout_at(until, talk).await }) {
            Ok(Ok(answer)) => answer.map_err(explain),
            Ok(Err(late)) => {
                self.failed_late = true;
                Err(explain(late))
            }
            Err(_) => Err(unreachable_because(Silent(until - began))),
        };
        if let Err(error) = &answer {
            self.is_lost |= is_silence(error) || self.client.is_closed();
        }
        answer
    }
}

async fn rows(client: &Object, sql: &str, params: &[Value]) -> Result<Vec<Row>, tokio_postgres::Error> {
    let statement = client.prepare_cached(sql).await?;
    let rows = client.query_raw(&statement, params.iter().map(Param)).await?;
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
}

/// Sends what was said, and `work` right behind it on the same wire; fails if anything of the former does.
async fn send_before<T>(
    client: &Object,
    unsent: &[Said],
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<Result<T, tokio_postgres::Error>, tokio_postgres::Error> {
    // What has to be prepared first would be overtaken by what has not.
    for said in unsent {
        if let Said::Statement(sql, _) = said {
            client.prepare_cached(sql).await?;
        }
    }
    let mut answers = Vec::with_capacity(unsent.len());
    for said in unsent {
        let mut answer = Box::pin(async move {
            match said {
                Said::Control(word) => client.batch_execute(word).await,
                Said::Statement(sql, params) => {
                    let statement = client.prepare_cached(sql).await?;
                    client.execute_raw(&statement, params.iter().map(Param)).await.map(drop)
                }
            }
        });
        // The first poll sends it.
        let at_once = poll_immediate(&mut answer).await;
        answers.push((answer, at_once));
    }
    pin_mut!(work);
    let at_once = poll_immediate(&mut work).await;
    for (answer, at_once) in answers {
        match at_once {
            Some(answer) => answer?,
            None => answer.await?,
        }
    }
    Ok(match at_once {
        Some(done) => done,
        None => work.await,
    })
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
