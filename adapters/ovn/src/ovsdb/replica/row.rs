// SPDX-License-Identifier: Apache-2.0
//! A row as it is held: what is not the default of its table.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::ovsdb::datum::{Atom, Datum, NOTHING};
use crate::ovsdb::schema::Shape;

/// The columns of one row. A column that is absent has its default value.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// In the order of their names.
    pub(super) values: Vec<(Arc<str>, Datum)>,
    /// What the table has by default.
    pub(super) shape: Option<Arc<Shape>>,
}

/// The column that names a row, in those tables that have one.
const NAME_COLUMNS: [&str; 2] = ["name", "logical_port"];
impl Row {
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a column.
    pub fn set(&mut self, column: &str, value: impl Into<Datum>) -> &mut Self {
        self.put(column, value.into(), || column.into());
        self
    }

    /// Sets a column, in a chain.
    pub fn with(mut self, column: &str, value: impl Into<Datum>) -> Self {
        self.set(column, value);
        self
    }

    /// The value of a column.
    pub fn get(&self, column: &str) -> &Datum {
        match self.place(column) {
            Ok(place) => &self.values[place].1,
            Err(_) => self.default_of(column),
        }
    }

    pub(super) fn default_of(&self, column: &str) -> &Datum {
        self.shape.as_ref().and_then(|shape| shape.get(column)).map_or(&NOTHING, |kind| &kind.default)
    }

    fn place(&self, column: &str) -> Result<usize, usize> {
        self.values.binary_search_by(|(own, _)| (**own).cmp(column))
    }

    pub(super) fn put(&mut self, column: &str, value: Datum, name: impl FnOnce() -> Arc<str>) {
        match self.place(column) {
            Ok(place) => self.values[place].1 = value,
            Err(place) => self.values.insert(place, (name(), value)),
        }
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

    pub(super) fn name(&self) -> Option<&Arc<str>> {
        let names = NAME_COLUMNS.iter().filter_map(|column| self.get(column).single()?.as_shared());
        names.into_iter().find(|name| !name.is_empty())
    }

    pub(super) fn key(&self, name: Option<&str>) -> Option<&Arc<str>> {
        self.get("external_ids").value(name?)?.as_shared()
    }

    /// All columns that are present.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Datum)> {
        self.values.iter().map(|(column, value)| (&**column, value))
    }

    /// Takes in what the server says of a column: the difference of a collection, the value of all else.
    pub(super) fn change(&mut self, column: &Arc<str>, value: Datum, collection: bool) {
        let place = match self.place(column) {
            Ok(place) => place,
            Err(place) => {
                self.values.insert(place, (column.clone(), self.default_of(column).clone()));
                place
            }
        };
        let current = &mut self.values[place].1;
        if collection {
            current.differ(value);
        } else {
            *current = value;
        }
        if self.values[place].1 == *self.default_of(column) {
            self.values.remove(place);
        }
    }
}
