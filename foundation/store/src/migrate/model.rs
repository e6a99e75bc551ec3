// SPDX-License-Identifier: Apache-2.0
//! What the steps of all rooms make, found by running them in memory, and whether a database has it: a table that somebody
//! dropped, or that a damaged file lost, is told at the start and not by whatever request needs it first.
//!
//! To run them takes longer than all the rest of a start. So a SQLite file that was found whole is sealed: its `user_version`
//! says of which steps and of which tables that was, and it is looked at again only if either is another now.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use sha2::{Digest, Sha256};

use super::Migrations;
use crate::session::Engine;
use crate::tx::Tx;
use crate::{Error, Result};

/// Tables with their columns.
type Model = BTreeMap<String, BTreeSet<String>>;

const ON_SQLITE: &str = "SELECT tables.name, columns.name FROM sqlite_schema AS tables \
     JOIN pragma_table_info(tables.name) AS columns WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite%'";
const ON_POSTGRES: &str = "SELECT table_name::text, column_name::text FROM information_schema.columns \
     WHERE table_schema = ANY (current_schemas(false))";

/// Refuses a database that lacks any of what the steps make. One whose tables this transaction has made lacks nothing.
pub(crate) fn ensure_whole(tx: &mut Tx, sets: &[Migrations], is_new: bool) -> Result<()> {
    if tx.engine() == Engine::Postgres {
        return if is_new { Ok(()) } else { check(tx, &of(sets)?) };
    }
    let seal = seal(tx, sets)?;
    if tx.query_one("PRAGMA user_version", &[])?.get::<i64>(0)? == i64::from(seal) {
        return Ok(());
    }
    if !is_new {
        check(tx, &of(sets)?)?;
    }
    tx.script(&format!("PRAGMA user_version = {seal}"))
}

/// A number for these steps and the tables as they are, never that of a file without one.
fn seal(tx: &mut Tx, sets: &[Migrations]) -> Result<u32> {
    let mut hash = Sha256::new();
    for step in sets.iter().flat_map(|set| set.steps.iter()) {
        hash.update(step.sql);
    }
    for row in tx.query("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name", &[])? {
        hash.update(row.get::<&str>(0)?);
    }
    let hash = hash.finalize();
    Ok(u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) >> 1 | 1)
}

/// The tables that all steps together make.
fn of(sets: &[Migrations]) -> Result<Model> {
    let failed = |error| Error::engine("work out which tables there should be", error);
    let memory = Connection::open_in_memory().map_err(failed)?;
    for step in sets.iter().flat_map(|set| set.steps.iter()) {
        // A step that does not run is told when the database is asked to run it.
        if memory.execute_batch(step.sql).is_err() {
            break;
        }
    }
    let mut query = memory.prepare(ON_SQLITE).map_err(failed)?;
    let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).map_err(failed)?;
    let mut model = Model::new();
    for row in rows {
        let (table, column) = row.map_err(failed)?;
        model.entry(table).or_default().insert(column);
    }
    Ok(model)
}

fn check(tx: &mut Tx, expected: &Model) -> Result<()> {
    let found = match tx.engine() {
        Engine::Sqlite => tx.query(ON_SQLITE, &[])?,
        Engine::Postgres => tx.query(ON_POSTGRES, &[])?,
    };
    let found: BTreeSet<(&str, &str)> = found.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_>>()?;
    for (table, columns) in expected {
        let has = |column: &String| found.contains(&(table.as_str(), column.as_str()));
        let missing = match columns.iter().find(|column| !has(column)) {
            None => continue,
            Some(_) if !columns.iter().any(has) => format!("the table {table}"),
            Some(column) => format!("the column {column} of the table {table}"),
        };
        return Err(Error::NotWhole { missing });
    }
    Ok(())
}
