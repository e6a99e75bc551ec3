// SPDX-License-Identifier: Apache-2.0
//! One pooled connection, driven from a blocking thread, and PostgreSQL's errors in our words.

use std::sync::Arc;

use deadpool_postgres::Object;
use futures_util::{TryStreamExt, pin_mut};
use tokio::runtime::Handle;
use tokio_postgres::error::{DbError, SqlState};

use super::convert::{Column, Param};
use crate::{Error, Result, Row, Value};

pub(crate) struct Session {
    client: Object,
    runtime: Handle,
}

impl Session {
    pub(super) fn new(client: Object, runtime: Handle) -> Self {
        Self { client, runtime }
    }

    pub(crate) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        let work = async {
            let statement = self.client.prepare_cached(sql).await?;
            self.client.execute_raw(&statement, params.iter().map(Param)).await
        };
        self.runtime.block_on(work).map_err(explain)
    }

    pub(crate) fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
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
        self.runtime.block_on(work).map_err(explain)
    }

    /// Runs statements without parameters: migrations, and the engine's own `BEGIN` and `COMMIT`.
    pub(crate) fn script(&mut self, sql: &str) -> Result<()> {
        self.runtime.block_on(self.client.batch_execute(sql)).map_err(explain)
    }

    /// Closes the connection instead of giving it back to the pool.
    pub(super) fn discard(self) {
        drop(Object::take(self.client));
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
