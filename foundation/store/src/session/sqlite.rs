// SPDX-License-Identifier: Apache-2.0
//! One connection to the file: statements, savepoints, and SQLite's errors in our words.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::ffi;
use rusqlite::types::{ToSqlOutput, ValueRef as Column};
use rusqlite::{CachedStatement, Connection, ErrorCode, ToSql};

use crate::{Error, Result, Row, Value, ValueRef};

pub(crate) struct Session {
    connection: Connection,
    path: Arc<Path>,
}

impl Session {
    pub(crate) fn new(connection: Connection, path: Arc<Path>) -> Self {
        Self { connection, path }
    }

    pub(crate) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        self.try_execute(sql, params).map_err(|e| self.explain(e))
    }

    pub(crate) fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
        self.try_query(sql, params).map_err(|e| self.explain(e))
    }

    pub(crate) fn script(&mut self, sql: &str) -> Result<()> {
        self.connection.execute_batch(sql).map_err(|e| self.explain(e))
    }

    /// Runs one of the engine's own statements: `BEGIN`, `SAVEPOINT`, `COMMIT`.
    pub(crate) fn control(&mut self, sql: &'static str) -> Result<()> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.raw_execute())
            .map(drop)
            .map_err(|e| self.explain(e))
    }

    /// Whether a transaction is open. SQLite ends it by itself after errors such as a full disk.
    pub(crate) fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    pub(crate) fn rollback(&mut self) {
        if self.in_transaction()
            && let Err(error) = self.control("ROLLBACK")
        {
            tracing::error!(%error, "could not roll back a transaction");
        }
    }

    /// Folds the write-ahead log into the file and empties it, so that the file alone is the whole database.
    pub(crate) fn checkpoint(&mut self) -> Result<()> {
        let outcome = self.query("PRAGMA wal_checkpoint(TRUNCATE)", &[])?;
        match outcome.first().map(|row| row.get::<i64>(0)).transpose()? {
            Some(0) => Ok(()),
            _ => Err(Error::Busy { reason: "somebody still reads an older state" }),
        }
    }

    fn try_execute(&self, sql: &str, params: &[Value]) -> rusqlite::Result<u64> {
        let mut statement = self.connection.prepare_cached(sql)?;
        bind(&mut statement, params)?;
        if statement.column_count() == 0 {
            return Ok(statement.raw_execute()? as u64);
        }
        // INSERT … RETURNING whose rows nobody wants: it must still run to its end.
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
        drop(rows);
        Ok(self.connection.changes())
    }

    fn try_query(&self, sql: &str, params: &[Value]) -> rusqlite::Result<Vec<Row>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        bind(&mut statement, params)?;
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        let mut found = Vec::new();
        while let Some(columns_of_row) = rows.next()? {
            let mut row = Row::with_columns(columns);
            for index in 0..columns {
                row.push(match columns_of_row.get_ref(index)? {
                    Column::Null => ValueRef::Null,
                    Column::Integer(number) => ValueRef::Int(number),
                    Column::Text(text) => {
                        ValueRef::Text(std::str::from_utf8(text).map_err(|e| rusqlite::Error::Utf8Error(index, e))?)
                    }
                    Column::Blob(bytes) => ValueRef::Blob(bytes),
                    Column::Real(_) => {
                        return Err(rusqlite::Error::InvalidColumnType(
                            index,
                            "a fraction, which the store does not know".to_owned(),
                            rusqlite::types::Type::Real,
                        ));
                    }
                });
            }
            found.push(row);
        }
        Ok(found)
    }

    pub(crate) fn busy_timeout(&self, patience: Duration) -> rusqlite::Result<()> {
        self.connection.busy_timeout(patience)
    }

    pub(crate) fn explain(&self, error: rusqlite::Error) -> Error {
        let (code, message) = match &error {
            rusqlite::Error::SqliteFailure(code, message) => (*code, message.as_deref()),
            rusqlite::Error::SqlInputError { error: code, .. } => (*code, None),
            _ => return Error::engine("run a statement on SQLite", error),
        };
        let path = self.path.to_path_buf();
        match (code.code, code.extended_code) {
            (_, ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => unique(message.unwrap_or_default()),
            (_, ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => Error::ForeignKey { table: "the table".to_owned() },
            (ErrorCode::ConstraintViolation, _) => Error::Constraint { rule: message.unwrap_or_default().to_owned() },
            (ErrorCode::NotADatabase, _) => Error::NotADatabase { path },
            (ErrorCode::DatabaseCorrupt, _) => Error::Corrupt { path, detail: message.unwrap_or_default().to_owned() },
            (ErrorCode::DiskFull, _) => Error::Full { source: Arc::new(error) },
            (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Error::Busy { reason: "another program holds its lock" },
            (ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied, _) => {
                Error::Unwritable { path, source: Arc::new(error) }
            }
            _ => Error::engine("run a statement on SQLite", error),
        }
    }
}

/// Binds `$n` to the n-th parameter. SQLite numbers `$n` by first appearance, hence the look at each name.
fn bind(statement: &mut CachedStatement<'_>, params: &[Value]) -> rusqlite::Result<()> {
    for index in 1..=statement.parameter_count() {
        let number = statement
            .parameter_name(index)
            .and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok())
            .ok_or_else(|| rusqlite::Error::InvalidParameterName("write parameters as $1, $2".to_owned()))?;
        let value = number.checked_sub(1).and_then(|at| params.get(at));
        let value = value.ok_or(rusqlite::Error::InvalidParameterCount(params.len(), number))?;
        statement.raw_bind_parameter(index, Bound(value))?;
    }
    Ok(())
}

/// A parameter as rusqlite wants it, without copying it.
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => Column::Null,
            Value::Int(number) => Column::Integer(*number),
            Value::Text(text) => Column::Text(text.as_bytes()),
            Value::Blob(bytes) => Column::Blob(bytes),
        }))
    }
}

/// Reads "UNIQUE constraint failed: users.domain_id, users.name".
fn unique(message: &str) -> Error {
    let list = message.rsplit_once(": ").map_or(message, |(_, list)| list);
    let mut table = String::new();
    let mut columns = Vec::new();
    for item in list.split(", ") {
        match item.split_once('.') {
            Some((of_table, column)) => {
                of_table.clone_into(&mut table);
                columns.push(column.to_owned());
            }
            // A unique index over an expression is named instead of its columns.
            None => columns.push(item.to_owned()),
        }
    }
    Error::Unique { table, columns }
}
