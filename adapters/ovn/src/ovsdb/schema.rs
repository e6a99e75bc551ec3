// SPDX-License-Identifier: Apache-2.0
//! The part of a database's schema that the replica needs: which columns are collections (the server sends those as
//! differences) and what a column holds when the server leaves it out because it has its default value.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::datum::{Atom, Datum};

/// The schema of one database, as its server reports it.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    version: String,
    tables: BTreeMap<String, Arc<Shape>>,
}

/// The columns of a table.
pub(crate) type Shape = BTreeMap<Arc<str>, ColumnType>;

/// The type of one column.
#[derive(Clone, Debug)]
pub struct ColumnType {
    /// Holds more than one value, so that a modification arrives as the difference.
    pub(crate) collection: bool,
    /// Points to rows.
    pub(crate) reference: bool,
    /// The value of a column nobody has written to.
    pub(crate) default: Datum,
}

impl Schema {
    /// The version, such as `7.0.0`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether this server has the table.
    pub fn has_table(&self, table: &str) -> bool {
        self.tables.contains_key(table)
    }

    /// Whether this server has the column.
    pub fn has_column(&self, table: &str, column: &str) -> bool {
        self.column(table, column).is_some()
    }

    pub(crate) fn column(&self, table: &str, column: &str) -> Option<&ColumnType> {
        self.tables.get(table)?.get(column)
    }

    pub(crate) fn columns(&self, table: &str) -> impl Iterator<Item = (&Arc<str>, &ColumnType)> {
        self.tables.get(table).into_iter().flat_map(|shape| shape.iter())
    }

    pub(crate) fn shape(&self, table: &str) -> Option<&Arc<Shape>> {
        self.tables.get(table)
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let mut tables = BTreeMap::new();
        for (name, table) in value.get("tables")?.as_object()? {
            let columns = table.get("columns")?.as_object()?.iter();
            let columns = columns.map(|(name, column)| (name.as_str().into(), ColumnType::from_json(&column["type"])));
            tables.insert(name.clone(), Arc::new(columns.collect()));
        }
        Some(Self { version: value["version"].as_str().unwrap_or_default().to_owned(), tables })
    }
}

impl ColumnType {
    fn from_json(value: &Value) -> Self {
        let key = base_type(&value["key"]).or_else(|| value.as_str());
        let max_is_one = value.get("max").is_none_or(|max| max.as_i64() == Some(1));
        let optional = value["min"].as_i64() == Some(0);
        let map = value.get("value").is_some();
        let default = match (map, optional) {
            (true, _) => Datum::map::<&str, &str>([]),
            (false, true) => Datum::nothing(),
            (false, false) => Datum::One(default_atom(key.unwrap_or("string"))),
        };
        Self { collection: !max_is_one, reference: key == Some("uuid") || base_type(&value["value"]) == Some("uuid"), default }
    }
}

/// A base type is written `"string"` or `{"type": "string", …}`.
fn base_type(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("type")?.as_str())
}

fn default_atom(base: &str) -> Atom {
    match base {
        "integer" => Atom::Integer(0),
        "real" => Atom::Real(0f64.to_bits()),
        "boolean" => Atom::Boolean(false),
        "uuid" => Atom::Uuid(Uuid::nil()),
        _ => Atom::from(""),
    }
}
