// SPDX-License-Identifier: Apache-2.0
//! Transactions: several operations that take effect together or not at all.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::datum::{Atom, Datum};
use super::replica::Row;
use crate::{Error, Result};

/// A transaction being composed. Operations run in the order in which they are added.
#[derive(Debug, Default)]
pub struct Transaction {
    operations: Vec<Value>,
    names: usize,
}

/// Which rows of a table an operation is about.
#[derive(Clone, Debug, Default)]
pub struct Select(Vec<Value>);

/// What a committed transaction did, one entry per operation.
#[derive(Debug)]
pub struct Outcome(Vec<Value>);

impl Select {
    /// Every row.
    pub fn all() -> Self {
        Self::default()
    }

    /// The one row with this identity.
    pub fn row(uuid: Uuid) -> Self {
        Self::default().equal("_uuid", &uuid.into())
    }

    /// The rows whose column has exactly this value.
    pub fn equal(self, column: &str, value: &Datum) -> Self {
        self.condition(column, "==", value)
    }

    /// The rows whose set or map contains this value.
    pub fn includes(self, column: &str, value: &Datum) -> Self {
        self.condition(column, "includes", value)
    }

    fn condition(mut self, column: &str, function: &str, value: &Datum) -> Self {
        self.0.push(json!([column, function, value.to_json()]));
        self
    }
}

impl Transaction {
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it would do nothing.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Inserts a row and returns the reference by which the rest of this transaction may point to it.
    pub fn insert(&mut self, table: &str, columns: &Row) -> Atom {
        self.names += 1;
        let name = format!("row{}", self.names);
        self.operations.push(json!({
            "op": "insert", "table": table, "uuid-name": name, "row": row_to_json(columns),
        }));
        Atom::Named(name.into())
    }

    /// Inserts a row under an identity of our choice. The database refuses it (`duplicate uuid`) if the row exists, which
    /// makes creation safe to repeat.
    pub fn insert_as(&mut self, table: &str, uuid: Uuid, columns: &Row) {
        self.operations.push(json!({
            "op": "insert", "table": table, "uuid": uuid.to_string(), "row": row_to_json(columns),
        }));
    }

    /// Sets columns of existing rows.
    pub fn update(&mut self, table: &str, select: Select, columns: &Row) {
        self.operations.push(json!({
            "op": "update", "table": table, "where": select.0, "row": row_to_json(columns),
        }));
    }

    /// Adds values to a set, or keys to a map that do not exist yet.
    pub fn add(&mut self, table: &str, select: Select, column: &str, values: &Datum) {
        self.mutate(table, select, json!([[column, "insert", whole(values)]]));
    }

    /// Takes values out of a set, or keys out of a map (given as the set of keys).
    pub fn remove(&mut self, table: &str, select: Select, column: &str, values: &Datum) {
        self.mutate(table, select, json!([[column, "delete", whole(values)]]));
    }

    /// Sets keys of a map, whatever they held, and leaves the other keys alone.
    pub fn put(&mut self, table: &str, select: Select, column: &str, pairs: &Datum) {
        let keys = match pairs {
            Datum::Map(pairs) => Datum::set(pairs.keys().cloned()),
            _ => Datum::nothing(),
        };
        let mutations = json!([[column, "delete", whole(&keys)], [column, "insert", whole(pairs)],]);
        self.mutate(table, select, mutations);
    }

    /// Adds to an integer.
    pub fn increment(&mut self, table: &str, select: Select, column: &str) {
        self.mutate(table, select, json!([[column, "+=", 1]]));
    }

    /// Deletes rows.
    pub fn delete(&mut self, table: &str, select: Select) {
        let delete = json!({"op": "delete", "table": table, "where": select.0});
        self.operations.push(delete);
    }

    /// Makes the whole transaction fail, with [`Error::is_lost_race`], unless this row's column still has this value.
    pub fn require(&mut self, table: &str, uuid: Uuid, column: &str, value: &Datum) {
        self.operations.push(json!({
            "op": "wait", "timeout": 0, "table": table, "where": Select::row(uuid).0,
            "columns": [column], "until": "==", "rows": [{column: value.to_json()}],
        }));
    }

    /// Makes the whole transaction fail, with [`Error::is_lost_race`], if a row is selected.
    pub fn require_none(&mut self, table: &str, select: Select) {
        self.operations.push(json!({
            "op": "wait", "timeout": 0, "table": table, "where": select.0,
            "columns": ["_uuid"], "until": "==", "rows": [],
        }));
    }

    /// Puts the operations of `guards` before all others.
    pub(crate) fn guarded_by(&mut self, guards: Self) {
        self.operations.splice(0..0, guards.operations);
    }

    /// A note for the database's log.
    pub fn comment(&mut self, text: &str) {
        let comment = json!({"op": "comment", "comment": text});
        self.operations.push(comment);
    }

    fn mutate(&mut self, table: &str, select: Select, mutations: Value) {
        self.operations.push(json!({
            "op": "mutate", "table": table, "where": select.0, "mutations": mutations,
        }));
    }

    pub(crate) fn params(&self, database: &str) -> Value {
        let mut params = vec![Value::from(database)];
        params.extend(self.operations.iter().cloned());
        Value::Array(params)
    }

    /// Judges the server's answer. Each operation has a result; a refusal stands in its operation's place, or after the
    /// last one if the commit itself was refused.
    pub(crate) fn outcome(&self, database: &str, answer: Value) -> Result<Outcome> {
        let results = match answer {
            Value::Array(results) => results,
            other => vec![json!({"error": "unexpected answer", "details": other.to_string()})],
        };
        for (index, result) in results.iter().enumerate() {
            let Some(error) = result.get("error").and_then(Value::as_str) else {
                continue;
            };
            let operation = self.operations.get(index).map_or_else(
                || "the commit".to_owned(),
                |operation| {
                    let word = |key: &str| operation[key].as_str().unwrap_or_default();
                    format!("{} of {}", word("op"), word("table"))
                },
            );
            return Err(Error::Refused {
                database: database.to_owned(),
                operation,
                error: error.to_owned(),
                details: result["details"].as_str().unwrap_or_default().to_owned(),
            });
        }
        Ok(Outcome(results))
    }
}

impl Outcome {
    /// The identity of the row that operation number `index` inserted.
    pub fn inserted(&self, index: usize) -> Option<Uuid> {
        Atom::from_json(self.0.get(index)?.get("uuid")?)?.as_uuid()
    }

    /// How many rows operation number `index` touched.
    pub fn count(&self, index: usize) -> u64 {
        let count = self.0.get(index).and_then(|result| result["count"].as_u64());
        count.unwrap_or_default()
    }
}

impl Error {
    /// Whether the transaction had no effect only because a row was not (or no longer) as it was required to be: look
    /// again and compose anew.
    pub fn is_lost_race(&self) -> bool {
        matches!(self, Self::Refused { error, .. } if error == "timed out" || error == "duplicate uuid")
    }
}

fn row_to_json(row: &Row) -> Map<String, Value> {
    row.columns().map(|(column, value)| (column.to_owned(), value.to_json())).collect()
}

/// The operand of a mutation is always written as a collection.
fn whole(value: &Datum) -> Value {
    match value {
        Datum::Map(_) => value.to_json(),
        set => json!(["set", set.atoms().map(Atom::to_json).collect::<Vec<_>>()]),
    }
}
