// SPDX-License-Identifier: Apache-2.0
//! One connection to the tables, whatever the engine: statements go in, rows and errors in our words come out.

mod convert;
pub(crate) mod postgres;
pub(crate) mod sqlite;

pub(crate) use convert::Column;

use crate::{Result, Row, Value};

/// Which engine is underneath.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

pub(crate) enum Session {
    Sqlite(sqlite::Session),
    Postgres(postgres::Session),
}

impl Session {
    pub(crate) fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    pub(crate) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        match self {
            Self::Sqlite(session) => session.execute(sql, params),
            Self::Postgres(session) => session.execute(sql, params),
        }
    }

    pub(crate) fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
        match self {
            Self::Sqlite(session) => session.query(sql, params),
            Self::Postgres(session) => session.query(sql, params),
        }
    }

    /// Several queries of which none needs another's answer.
    pub(crate) fn queries(&mut self, asked: &[(&str, &[Value])]) -> Result<Vec<Vec<Row>>> {
        match self {
            Self::Sqlite(session) => asked.iter().map(|(sql, params)| session.query(sql, params)).collect(),
            Self::Postgres(session) => session.queries(asked),
        }
    }

    /// A statement whose answer nobody needs.
    pub(crate) fn later(&mut self, sql: &str, params: &[Value]) -> Result<()> {
        match self {
            Self::Sqlite(session) => session.execute(sql, params).map(drop),
            Self::Postgres(session) => session.later(sql, params),
        }
    }

    /// Several statements without parameters, as a migration has them.
    pub(crate) fn script(&mut self, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite(session) => session.script(sql),
            Self::Postgres(session) => session.script(sql),
        }
    }
}
