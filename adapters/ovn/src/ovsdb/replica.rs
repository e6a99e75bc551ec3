// SPDX-License-Identifier: Apache-2.0
//! The rows of a database as they were when the server last told us, kept current by its notifications.
//!
//! Three indexes save scans over tens of thousands of rows: rows by name, rows by the key that their owner put in
//! `external_ids`, and for each row the rows that point to it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::datum::{Atom, Datum, NOTHING};
use super::schema::Schema;

/// The columns of one row. A column that is absent has its default value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row(BTreeMap<String, Datum>);

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
    key_name: Option<String>,
    tables: BTreeMap<Arc<str>, Rows>,
    keyed: BTreeMap<String, BTreeSet<KeyedRow>>,
    referrers: HashMap<Uuid, BTreeSet<Referrer>>,
}

#[derive(Debug, Default)]
struct Rows {
    by_uuid: BTreeMap<Uuid, Row>,
    by_name: HashMap<String, BTreeSet<Uuid>>,
}

/// The column that names a row, in those tables that have one.
const NAME_COLUMNS: [&str; 2] = ["name", "logical_port"];

static NO_ROW: Row = Row(BTreeMap::new());

impl Row {
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a column.
    pub fn set(&mut self, column: &str, value: impl Into<Datum>) -> &mut Self {
        self.0.insert(column.to_owned(), value.into());
        self
    }

    /// Sets a column, in a chain.
    pub fn with(mut self, column: &str, value: impl Into<Datum>) -> Self {
        self.set(column, value);
        self
    }

    /// The value of a column.
    pub fn get(&self, column: &str) -> &Datum {
        self.0.get(column).unwrap_or(&NOTHING)
    }

    /// The text of a column, empty if there is none.
    pub fn text(&self, column: &str) -> &str {
        self.get(column).single().and_then(Atom::as_str).unwrap_or_default()
    }

    /// The number of a column.
    pub fn integer(&self, column: &str) -> Option<i64> {
        match self.get(column).single() {
            Some(Atom::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    /// The truth of a column; none where an optional one is absent.
    pub fn flag(&self, column: &str) -> Option<bool> {
        match self.get(column).single() {
            Some(Atom::Boolean(flag)) => Some(*flag),
            _ => None,
        }
    }

    /// The rows a column points to.
    pub fn references(&self, column: &str) -> Vec<Uuid> {
        self.get(column).references()
    }

    /// The text under a key of a map column.
    pub fn entry(&self, column: &str, key: &str) -> Option<&str> {
        self.get(column).get(key)
    }

    /// A map column of texts.
    pub fn map(&self, column: &str) -> BTreeMap<String, String> {
        let pairs = self.get(column).pairs();
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn name(&self) -> &str {
        let names = NAME_COLUMNS.iter().map(|column| self.text(column));
        names.into_iter().find(|name| !name.is_empty()).unwrap_or_default()
    }

    /// All columns that are present.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Datum)> {
        self.0.iter().map(|(column, value)| (column.as_str(), value))
    }
}

impl Replica {
    pub(crate) fn new(schema: Schema, key_name: Option<String>) -> Self {
        Self { schema, key_name, ..Self::default() }
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
            .range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .flat_map(|(key, rows)| rows.iter().map(move |row| (key.as_str(), row)))
    }

    /// The places that point to this row.
    pub fn referrers(&self, uuid: Uuid) -> impl Iterator<Item = &Referrer> {
        self.referrers.get(&uuid).into_iter().flatten()
    }

    /// Takes in a `<table-updates2>`. An update that contradicts what we hold means that we are out of step.
    pub(crate) fn apply(&mut self, updates: &Value) -> Result<(), String> {
        let tables = updates.as_object().ok_or("table updates are no object")?;
        for (table, rows) in tables {
            let rows = rows.as_object().ok_or("row updates are no object")?;
            for (uuid, update) in rows {
                let uuid = Uuid::parse_str(uuid).map_err(|error| error.to_string())?;
                let update = update.as_object().ok_or("a row update is no object")?;
                self.apply_row(table, uuid, update)?;
            }
        }
        Ok(())
    }

    fn apply_row(&mut self, table: &str, uuid: Uuid, update: &Map<String, Value>) -> Result<(), String> {
        if let Some(columns) = update.get("initial").or_else(|| update.get("insert")) {
            let mut row = Row::default();
            for (column, kind) in self.schema.columns(table) {
                row.set(column, kind.default.clone());
            }
            for (column, value) in parse_columns(columns)? {
                row.set(column, value);
            }
            self.replace(table, uuid, Some(row));
        } else if let Some(columns) = update.get("modify") {
            let mut row = self.row(table, uuid).ok_or_else(|| format!("{table} row {uuid} was modified but is unknown"))?.clone();
            for (column, value) in parse_columns(columns)? {
                let collection = self.schema.column(table, column).is_some_and(|kind| kind.collection);
                let value = if collection { merge(row.get(column), value) } else { value };
                row.set(column, value);
            }
            self.replace(table, uuid, Some(row));
        } else {
            self.replace(table, uuid, None);
        }
        Ok(())
    }

    /// Puts, changes or drops a row, and both indexes with it.
    fn replace(&mut self, table: &str, uuid: Uuid, row: Option<Row>) {
        let table: Arc<str> = match self.tables.get_key_value(table) {
            Some((name, _)) => name.clone(),
            None => table.into(),
        };
        let rows = self.tables.entry(table.clone()).or_default();
        let after = row.clone();
        let before = match row {
            Some(row) => rows.by_uuid.insert(uuid, row),
            None => rows.by_uuid.remove(&uuid),
        };
        let before = before.as_ref().unwrap_or(&NO_ROW);
        let after = after.as_ref().unwrap_or(&NO_ROW);
        rows.index_name(uuid, before, after);
        self.index_key(&table, uuid, before, after);
        self.index_references(&table, uuid, before, after);
    }

    fn index_key(&mut self, table: &Arc<str>, uuid: Uuid, before: &Row, after: &Row) {
        let Some(name) = &self.key_name else { return };
        let (old, new) = (before.entry("external_ids", name), after.entry("external_ids", name));
        if old == new {
            return;
        }
        let table = table.clone();
        let keyed = KeyedRow { table, uuid };
        if let Some(old) = old
            && let Some(rows) = self.keyed.get_mut(old)
        {
            rows.remove(&keyed);
            if rows.is_empty() {
                self.keyed.remove(old);
            }
        }
        if let Some(new) = new {
            self.keyed.entry(new.to_owned()).or_default().insert(keyed);
        }
    }

    fn index_references(&mut self, table: &Arc<str>, uuid: Uuid, before: &Row, after: &Row) {
        let columns = self.schema.columns(table).filter(|(_, kind)| kind.reference);
        for (column, _) in columns {
            if before.get(column) == after.get(column) {
                continue;
            }
            let referrer = Referrer { table: table.clone(), column: column.as_str().into(), uuid };
            let old: BTreeSet<Uuid> = before.references(column).into_iter().collect();
            let new: BTreeSet<Uuid> = after.references(column).into_iter().collect();
            for target in old.difference(&new) {
                if let Some(places) = self.referrers.get_mut(target) {
                    places.remove(&referrer);
                    if places.is_empty() {
                        self.referrers.remove(target);
                    }
                }
            }
            for target in new.difference(&old) {
                let places = self.referrers.entry(*target).or_default();
                places.insert(referrer.clone());
            }
        }
    }
}

impl Rows {
    fn index_name(&mut self, uuid: Uuid, before: &Row, after: &Row) {
        let (old, new) = (before.name(), after.name());
        if old == new {
            return;
        }
        if let Some(rows) = self.by_name.get_mut(old) {
            rows.remove(&uuid);
            if rows.is_empty() {
                self.by_name.remove(old);
            }
        }
        if !new.is_empty() {
            self.by_name.entry(new.to_owned()).or_default().insert(uuid);
        }
    }
}

fn parse_columns(columns: &Value) -> Result<Vec<(&str, Datum)>, String> {
    let columns = columns.as_object().ok_or("a row is no object")?;
    let mut parsed = Vec::with_capacity(columns.len());
    for (column, value) in columns {
        let value = Datum::from_json(value).ok_or_else(|| format!("column {column} holds no datum: {value}"))?;
        parsed.push((column.as_str(), value));
    }
    Ok(parsed)
}

/// Applies the difference that the server sends for a collection: a set member appears if it came or went, a map pair if
/// it came, went, or (with its new value) changed.
fn merge(current: &Datum, difference: Datum) -> Datum {
    match difference {
        Datum::Set(changed) => {
            let current: BTreeSet<Atom> = current.atoms().cloned().collect();
            Datum::Set(current.symmetric_difference(&changed).cloned().collect())
        }
        Datum::Map(changed) => {
            let mut merged = match current {
                Datum::Map(pairs) => pairs.clone(),
                Datum::Set(_) => BTreeMap::new(),
            };
            for (key, value) in changed {
                if merged.get(&key) == Some(&value) {
                    merged.remove(&key);
                } else {
                    merged.insert(key, value);
                }
            }
            Datum::Map(merged)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use serde_json::json;

    fn replica() -> Replica {
        let strings = json!({"type": {"key": "string", "min": 0, "max": "unlimited"}});
        let map = json!({"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}});
        let ports = json!({"type": {"key": {"type": "uuid", "refTable": "P"}, "min": 0, "max": "unlimited"}});
        let schema = json!({"version": "1.0.0", "tables": {"S": {"columns": {
            "name": {"type": "string"}, "tag": {"type": {"key": "integer", "min": 0, "max": 1}},
            "labels": strings, "external_ids": map, "ports": ports,
        }}}});
        Replica::new(Schema::from_json(&schema).unwrap(), Some("key".to_owned()))
    }

    #[test]
    fn updates_merge_as_the_server_means_them() {
        let (mut replica, row, port) = (replica(), Uuid::new_v4(), Uuid::new_v4());
        let mut tell = |update: Value| {
            let update = json!({"S": {row.to_string(): update}});
            replica.apply(&update).unwrap();
            replica.row("S", row).cloned()
        };
        let fresh = tell(json!({"insert": {"labels": ["set", ["a", "b"]], "external_ids": ["map", [["x", "1"]]]}}));
        assert_eq!(fresh.unwrap().get("name"), &Datum::from(""));
        let changed = tell(json!({"modify": {
            "labels": ["set", ["b", "c"]], "external_ids": ["map", [["x", "2"], ["key", "s/1"]]], "tag": 7,
            "ports": ["uuid", port.to_string()],
        }}));
        let changed = changed.unwrap();
        assert_eq!(changed.get("labels"), &Datum::set(["a", "c"]));
        assert_eq!(changed.get("external_ids"), &Datum::map([("x", "2"), ("key", "s/1")]));
        assert_eq!(changed.integer("tag"), Some(7));
        let cleared = tell(json!({"modify": {"external_ids": ["map", [["x", "2"]]], "tag": ["set", []]}}));
        let cleared = cleared.unwrap();
        assert_eq!(cleared.get("external_ids"), &Datum::map([("key", "s/1")]));
        assert_eq!(cleared.integer("tag"), None);

        assert_eq!(replica.keyed_under("s/").map(|(key, _)| key).collect::<Vec<_>>(), ["s/1"]);
        assert_eq!(replica.referrers(port).count(), 1);
        replica.apply(&json!({"S": {row.to_string(): {"delete": null}}})).unwrap();
        assert_eq!(replica.keyed_under("").count(), 0);
        assert_eq!(replica.referrers(port).count(), 0);
    }

    #[test]
    fn a_change_to_an_unknown_row_is_noticed() {
        let update = json!({"S": {Uuid::new_v4().to_string(): {"modify": {"name": "x"}}}});
        assert!(replica().apply(&update).is_err());
    }
}
