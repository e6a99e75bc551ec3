// SPDX-License-Identifier: Apache-2.0
//! The rows of a database as they were when the server last told us, kept current by its notifications.
//!
//! Three indexes save scans over tens of thousands of rows: rows by name, rows by the key that their owner put in
//! `external_ids`, and for each row those that point to it. A change costs what it changes: values are altered in place, and
//! of a set with all ports of a network only the port that comes is looked at. Of a row only what is not the default is held.

mod change;
mod row;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use uuid::Uuid;

pub use row::Row;

use super::schema::Schema;

/// A row that carries a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyedRow {
    pub table: Arc<str>,
    pub uuid: Uuid,
}

/// A place that points to a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Referrer {
    pub table: Arc<str>,
    pub column: Arc<str>,
    pub uuid: Uuid,
}

/// The watched part of a database.
#[derive(Debug, Default)]
pub struct Replica {
    schema: Schema,
    indexes: Indexes,
    tables: BTreeMap<Arc<str>, Rows>,
    keyed: BTreeMap<Arc<str>, Vec<KeyedRow>>,
    referrers: HashMap<Uuid, Vec<Referrer>>,
    /// The keys of maps, which are the same few in all rows.
    words: HashSet<Arc<str>>,
}

/// By what rows are found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Indexes {
    /// The entry of `external_ids` that is the key of a row.
    pub(crate) key_name: Option<&'static str>,
    /// Of which columns it is known where they point to; none: of all.
    pub(crate) pointing: Option<fn(table: &str, column: &str) -> bool>,
}

#[derive(Debug, Default)]
struct Rows {
    by_uuid: BTreeMap<Uuid, Row>,
    by_name: HashMap<Arc<str>, Vec<Uuid>>,
}

impl Replica {
    pub(crate) fn new(schema: Schema, indexes: Indexes) -> Self {
        Self { schema, indexes, ..Self::default() }
    }

    /// The schema of the server we are connected to.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// All rows of a table.
    pub fn rows(&self, table: &str) -> impl Iterator<Item = (Uuid, &Row)> {
        let rows = self.tables.get(table).into_iter().flat_map(|rows| &rows.by_uuid);
        rows.map(|(uuid, row)| (*uuid, row))
    }

    /// How many rows a table has.
    pub fn count(&self, table: &str) -> usize {
        self.tables.get(table).map_or(0, |rows| rows.by_uuid.len())
    }

    /// One row.
    pub fn row(&self, table: &str, uuid: Uuid) -> Option<&Row> {
        self.tables.get(table)?.by_uuid.get(&uuid)
    }

    /// The first row of a table that bears this name (in `name`, or `logical_port` of a port binding).
    pub fn named(&self, table: &str, name: &str) -> Option<(Uuid, &Row)> {
        let uuid = self.tables.get(table)?.by_name.get(name)?.first()?;
        Some((*uuid, self.row(table, *uuid)?))
    }

    /// The only row of a table that has one row by convention.
    pub fn singleton(&self, table: &str) -> Option<(Uuid, &Row)> {
        self.rows(table).next()
    }

    /// The rows that carry this key.
    pub fn keyed(&self, key: &str) -> impl Iterator<Item = &KeyedRow> {
        self.keyed.get(key).into_iter().flatten()
    }

    /// The rows whose key begins so, in the order of their keys.
    pub fn keyed_under(&self, prefix: &str) -> impl Iterator<Item = (&str, &KeyedRow)> {
        self.keyed
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .flat_map(|(key, rows)| rows.iter().map(move |row| (&**key, row)))
    }

    /// The places that point to this row.
    pub fn referrers(&self, uuid: Uuid) -> impl Iterator<Item = &Referrer> {
        self.referrers.get(&uuid).into_iter().flatten()
    }

    /// The first key after this text, whether it is one or not.
    pub fn key_after(&self, text: &str) -> Option<&str> {
        let (key, _) = self.keyed.range::<str, _>((Bound::Excluded(text), Bound::Unbounded)).next()?;
        Some(key)
    }
}
