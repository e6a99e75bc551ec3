// SPDX-License-Identifier: Apache-2.0
//! One pooled connection, driven from a blocking thread, and PostgreSQL's errors in our words.

use std::sync::Arc;

use deadpool_postgres::Object;
use futures_util::future::join;
use futures_util::{FutureExt, TryStreamExt, pin_mut};
use tokio::runtime::Handle;
use tokio_postgres::error::{DbError, SqlState};

use super::convert::{Column, Param};
use crate::{Error, Result, Row, Value};

pub(crate) struct Session {
    client: Object,
    runtime: Handle,
    /// The `BEGIN` that is still to be sent; it travels with the first statement, to save a round trip.
    begin: Option<&'static str>,
}

impl Session {
    pub(super) fn new(client: Object, runtime: Handle, begin: &'static str) -> Self {
        Self { client, runtime, begin: Some(begin) }
    }

    pub(crate) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        let begin = self.begin.take();
        let work = async {
            let statement = self.client.prepare_cached(sql).await?;
            self.client.execute_raw(&statement, params.iter().map(Param)).await
        };
        wait(&self.runtime, after_begin(&self.client, begin, work))
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
        wait(&self.runtime, after_begin(&self.client, begin, work))
    }

    /// Runs statements without parameters, as a migration has them.
    pub(crate) fn script(&mut self, sql: &str) -> Result<()> {
        let begin = self.begin.take();
        wait(&self.runtime, after_begin(&self.client, begin, self.client.batch_execute(sql)))
    }

    /// Commits, or rolls back; nothing is left to do if no statement was sent.
    pub(super) fn end(&mut self, how: &'static str) -> Result<()> {
        match self.begin {
            Some(_) => Ok(()),
            None => self.script(how),
        }
    }

    /// Ends a transaction that only read. Nothing hangs on the answer, and the connection's next user comes after this
    /// on the wire, so it is sent and not waited for.
    pub(super) fn end_read(&mut self) {
        if self.begin.is_none() {
            let _ = self.client.batch_execute("ROLLBACK").now_or_never();
        }
    }

    /// Closes the connection instead of giving it back to the pool.
    pub(super) fn discard(self) {
        drop(Object::take(self.client));
    }
}

/// Waits for the server, on this blocking thread.
#[expect(clippy::disallowed_methods, reason = "sessions live on blocking threads only, where nothing can be awaited")]
fn wait<T>(runtime: &Handle, work: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T> {
    runtime.block_on(work).map_err(explain)
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

pub(super) fn explain(error: tokio_postgres::Error) -> Error {
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
            SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::CANNOT_CONNECT_NOW => {
                return unreachable_because(error);
            }
            _ => {}
        }
    } else if error.is_closed() {
        return unreachable_because(error);
    }
    Error::engine("run a statement on PostgreSQL", error)
}

pub(super) fn unreachable_because(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
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
