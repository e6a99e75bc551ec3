// SPDX-License-Identifier: Apache-2.0
//! Numbered steps that bring each room's tables up to date, written once for both engines.
//!
//! A step is SQL in the common subset; on PostgreSQL a few words of it are exchanged (see `ddl.rs`). What ran
//! is noted with a checksum: a step that was released is never edited, one adds the next.

use std::borrow::Cow;

use sha2::{Digest, Sha256};
use types::Timestamp;

mod ddl;
pub(crate) mod model;

use crate::session::Engine;
use crate::tx::Tx;
use crate::{Error, Result, event, params};

/// The steps of one room.
#[derive(Clone, Debug)]
pub struct Migrations {
    pub room: &'static str,
    /// In order, numbered from 1.
    pub steps: Cow<'static, [Step]>,
}

impl Migrations {
    pub const fn new(room: &'static str, steps: &'static [Step]) -> Self {
        Self { room, steps: Cow::Borrowed(steps) }
    }

    /// The steps of several lists, in the order of their numbers.
    pub fn gather(room: &'static str, lists: impl IntoIterator<Item = &'static [Step]>) -> Self {
        let mut steps: Vec<Step> = lists.into_iter().flatten().copied().collect();
        steps.sort_by_key(|step| step.number);
        Self { room, steps: steps.into() }
    }
}

/// One step, usually `include_str!("../../migrations/0001_name.sql")`.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub number: u32,
    pub name: &'static str,
    pub sql: &'static str,
}

/// What the store itself keeps.
const OWN: Migrations = Migrations::new(
    "store",
    &[
        Step { number: 1, name: "events", sql: include_str!("../../migrations/0001_events.sql") },
        Step { number: 2, name: "lead", sql: include_str!("../../migrations/0002_lead.sql") },
        Step { number: 3, name: "identity", sql: include_str!("../../migrations/0003_identity.sql") },
        Step { number: 4, name: "events pruned", sql: include_str!("../../migrations/0004_events_pruned.sql") },
    ],
);

pub(crate) fn with_own(sets: &[Migrations]) -> Vec<Migrations> {
    std::iter::once(OWN).chain(sets.iter().cloned()).collect()
}

/// Makes the table in which the steps that ran are noted.
pub(crate) fn ensure_ledger(tx: &mut Tx) -> Result<()> {
    if tx.engine() == Engine::Postgres {
        // Controllers that start together take turns. The number is "ferrostack's migrations", of no other meaning.
        tx.query("SELECT pg_advisory_xact_lock(7311102)", &[])?;
    }
    tx.script(
        "CREATE TABLE IF NOT EXISTS schema_migrations (room TEXT NOT NULL, number BIGINT NOT NULL, \
         name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL, \
         PRIMARY KEY (room, number))",
    )
}

/// Runs the steps that have not run yet, all in the caller's transaction. Answers whether none had run before.
pub(crate) fn apply(tx: &mut Tx, sets: &[Migrations]) -> Result<bool> {
    if tx.engine() == Engine::Postgres {
        // Turns again. A query would fix what this transaction sees before its turn has come; LOCK does not, so that
        // whoever waited sees the steps of those before him.
        tx.script("LOCK TABLE schema_migrations IN EXCLUSIVE MODE")?;
    }
    let is_new = tx.query_opt("SELECT 1 FROM schema_migrations LIMIT 1", &[])?.is_none();
    for set in sets {
        apply_set(tx, set)?;
    }
    event::start_clock(tx)?;
    Ok(is_new)
}

/// Refuses a database that a newer version of this crate wrote, before anything of it is used.
pub(crate) fn refuse_newer_store(tx: &mut Tx) -> Result<()> {
    if !table_exists(tx, "schema_migrations")? {
        return Ok(());
    }
    refuse_newer(&OWN, &applied(tx, &OWN)?)
}

fn apply_set(tx: &mut Tx, set: &Migrations) -> Result<()> {
    let applied = applied(tx, set)?;
    refuse_newer(set, &applied)?;
    for step in set.steps.iter() {
        let checksum = hex::encode(Sha256::digest(step.sql.as_bytes()));
        match applied.iter().find(|(number, _)| *number == step.number) {
            Some((_, known)) if *known == checksum => {}
            Some(_) => {
                return Err(Error::MigrationChanged {
                    room: set.room.to_owned(),
                    number: step.number,
                    name: step.name.to_owned(),
                });
            }
            None => {
                run(tx, step).map_err(|error| Error::Migration {
                    room: set.room.to_owned(),
                    number: step.number,
                    name: step.name.to_owned(),
                    source: Box::new(error),
                })?;
                tx.execute(
                    "INSERT INTO schema_migrations (room, number, name, checksum, applied_at) \
                     VALUES ($1, $2, $3, $4, $5)",
                    &params![set.room, step.number, step.name, checksum, Timestamp::now()],
                )?;
                tracing::info!(room = set.room, step = step.number, name = step.name, "migrated");
            }
        }
    }
    Ok(())
}

fn run(tx: &mut Tx, step: &Step) -> Result<()> {
    match tx.engine() {
        Engine::Sqlite => tx.script(step.sql),
        Engine::Postgres => tx.script(&ddl::ddl(step.sql)),
    }
}

fn applied(tx: &mut Tx, set: &Migrations) -> Result<Vec<(u32, String)>> {
    let sql = "SELECT number, checksum FROM schema_migrations WHERE room = $1 ORDER BY number";
    let rows = tx.query(sql, &params![set.room])?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

fn refuse_newer(set: &Migrations, applied: &[(u32, String)]) -> Result<()> {
    let known = set.steps.iter().map(|step| step.number).max().unwrap_or(0);
    let found = applied.iter().map(|(number, _)| *number).max().unwrap_or(0);
    if found > known {
        return Err(Error::NewerSchema { room: set.room.to_owned(), found, known });
    }
    Ok(())
}

pub(crate) fn table_exists(tx: &mut Tx, table: &'static str) -> Result<bool> {
    let sql = match tx.engine() {
        Engine::Sqlite => "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = $1",
        Engine::Postgres => "SELECT 1 WHERE to_regclass($1) IS NOT NULL",
    };
    Ok(tx.query_opt(sql, &params![table])?.is_some())
}
