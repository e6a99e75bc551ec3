// SPDX-License-Identifier: Apache-2.0
//! A transaction as a room's closure sees it: statements with `$1` placeholders, and the event of the change.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::session::{Engine, Session};
use crate::thing::News;
use crate::{Error, Result, Row, Value};

/// The transaction that a closure runs in.
///
/// After a statement has failed nothing more can be done in the same transaction, on either engine: PostgreSQL works
/// so, and a room must not come to rely on SQLite's milder habit. Use `ON CONFLICT` where a clash is no error.
pub struct Tx {
    session: Session,
    counters: Arc<Counters>,
    news: Vec<News>,
    /// Events of this transaction, also of jobs of which nothing was kept.
    recorded: i64,
    /// The id before which the transaction's first event comes, where the store gives ids out itself.
    events_from: Option<i64>,
    broken: Option<Broken>,
}

/// What the store has done since it was opened.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) statements: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) writes: AtomicU64,
    /// How often PostgreSQL was waited for.
    pub(crate) round_trips: AtomicU64,
    pub(crate) overheard: Overheard,
}

/// The statements that ran while somebody listened.
#[derive(Default)]
pub(crate) struct Overheard {
    pub(crate) listens: AtomicBool,
    pub(crate) statements: Mutex<Vec<(String, Vec<Value>)>>,
}

impl Overheard {
    fn note(&self, sql: &str, params: &[Value]) {
        if self.listens.load(Ordering::Relaxed) {
            let mut statements = self.statements.lock().unwrap_or_else(PoisonError::into_inner);
            statements.push((sql.to_owned(), params.to_vec()));
        }
    }
}

/// Why the transaction cannot go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Broken {
    ByStatement,
    /// PostgreSQL asks for the whole transaction to be run again.
    RunAgain,
}

impl Tx {
    /// Runs a statement; answers how many rows it touched.
    pub fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        refuse_nul(params)?;
        self.counters.overheard.note(sql, params);
        self.statement(|session| session.execute(sql, params))
    }

    /// Runs a query, or a statement with `RETURNING`.
    pub fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
        refuse_nul(params)?;
        self.counters.overheard.note(sql, params);
        self.statement(|session| session.query(sql, params))
    }

    /// Runs several queries of which none needs another's answer. PostgreSQL is waited for once for all of them.
    pub fn queries(&mut self, asked: &[(&str, &[Value])]) -> Result<Vec<Vec<Row>>> {
        for (sql, params) in asked {
            refuse_nul(params)?;
            self.counters.overheard.note(sql, params);
        }
        self.count(asked.len().saturating_sub(1) as u64);
        self.statement(|session| session.queries(asked))
    }

    /// The first row, where there may be none.
    pub fn query_opt(&mut self, sql: &str, params: &[Value]) -> Result<Option<Row>> {
        Ok(self.query(sql, params)?.into_iter().next())
    }

    /// The first row, where there must be one.
    pub fn query_one(&mut self, sql: &str, params: &[Value]) -> Result<Row> {
        self.query_opt(sql, params)?.ok_or(Error::NoRow)
    }

    /// Runs `UPDATE … WHERE id = … AND generation = …`; that it touched no row is an [`Error::Conflict`].
    pub fn execute_cas(&mut self, sql: &str, params: &[Value]) -> Result<()> {
        match self.execute(sql, params)? {
            0 => Err(Error::Conflict),
            _ => Ok(()),
        }
    }

    /// Runs a statement whose answer nobody needs. On PostgreSQL it goes out with the next one that is waited for, and that it
    /// failed is said by that one, or by the commit: so it is for what clashes with nothing.
    pub fn later(&mut self, sql: &str, params: &[Value]) -> Result<()> {
        refuse_nul(params)?;
        self.counters.overheard.note(sql, params);
        self.statement(|session| session.later(sql, params))
    }

    /// For the few queries whose text must differ; both texts then stand side by side in the room.
    pub fn engine(&self) -> Engine {
        self.session.engine()
    }

    pub(crate) fn new(session: Session, counters: Arc<Counters>) -> Self {
        Self { session, counters, news: Vec::new(), recorded: 0, events_from: None, broken: None }
    }

    /// Runs several statements without parameters, as a migration has them.
    pub(crate) fn script(&mut self, sql: &str) -> Result<()> {
        self.statement(|session| session.script(sql))
    }

    /// How many events were recorded in this transaction.
    pub(crate) fn recorded(&self) -> i64 {
        self.recorded
    }

    /// What `find` answers, asked once in a transaction.
    pub(crate) fn events_from(&mut self, find: impl FnOnce(&mut Self) -> Result<i64>) -> Result<i64> {
        let from = self.events_from.map_or_else(|| find(self), Ok)?;
        self.events_from = Some(from);
        Ok(from)
    }

    /// The ids of events are worked out anew.
    pub(crate) fn forget_ids(&mut self) {
        self.events_from = None;
    }

    /// An event was recorded, of which is told after the commit.
    pub(crate) fn note(&mut self, news: News) {
        self.recorded += 1;
        self.news.push(news);
    }

    pub(crate) fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    pub(crate) fn into_session(self) -> Session {
        self.session
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    pub(crate) fn must_run_again(&self) -> bool {
        self.broken == Some(Broken::RunAgain)
    }

    /// Forgets the last closure; answers which events it recorded.
    pub(crate) fn reset(&mut self) -> Vec<News> {
        self.broken = None;
        std::mem::take(&mut self.news)
    }

    fn count(&self, statements: u64) {
        self.counters.statements.fetch_add(statements, Ordering::Relaxed);
        metrics::counter!("store_statements_total").increment(statements);
    }

    fn statement<T>(&mut self, run: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
        if self.is_broken() {
            return Err(Error::Aborted);
        }
        self.count(1);
        run(&mut self.session).inspect_err(|error| {
            self.broken = Some(match error {
                Error::Busy { .. } => Broken::RunAgain,
                _ => Broken::ByStatement,
            });
        })
    }
}

/// PostgreSQL cannot keep a NUL character in text, so neither engine does.
fn refuse_nul(params: &[Value]) -> Result<()> {
    let has_nul = |value: &Value| matches!(value, Value::Text(text) if text.contains('\0'));
    if params.iter().any(has_nul) {
        return Err(Error::Constraint { rule: "text holds no NUL character".to_owned() });
    }
    Ok(())
}
