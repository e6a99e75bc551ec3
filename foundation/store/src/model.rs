// SPDX-License-Identifier: Apache-2.0
//! What the steps of all rooms make, found by running them in memory, and whether a database has it: a table that somebody
//! dropped, or that a damaged file lost, is told at the start and not by whatever request needs it first.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use crate::{Engine, Error, Migrations, Result, Tx};

/// Tables with their columns.
pub(crate) type Model = BTreeMap<String, BTreeSet<String>>;

const ON_SQLITE: &str = "SELECT tables.name, columns.name FROM sqlite_schema AS tables \
     JOIN pragma_table_info(tables.name) AS columns WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite%'";
const ON_POSTGRES: &str = "SELECT table_name::text, column_name::text FROM information_schema.columns \
     WHERE table_schema = ANY (current_schemas(false))";

/// The tables that all steps together make.
pub(crate) fn of(sets: &[Migrations]) -> Result<Model> {
    let failed = |error| Error::engine("work out which tables there should be", error);
    let memory = Connection::open_in_memory().map_err(failed)?;
    for step in sets.iter().flat_map(|set| set.steps) {
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

/// Refuses a database that lacks any of it.
pub(crate) fn check(tx: &mut Tx, expected: &Model) -> Result<()> {
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
