// SPDX-License-Identifier: Apache-2.0
//! A row that a query returned, read by position.
//!
//! All bytes of a row lie in one buffer: a list of a thousand rows costs two allocations a row, not one a column.

use std::ops::Range;

use serde::de::DeserializeOwned;

use crate::{Error, FromValue, Result, ValueRef};

#[derive(Clone, Debug, Default)]
pub struct Row {
    cells: Vec<Cell>,
    bytes: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Cell {
    Null,
    Int(i64),
    Text(Range<usize>),
    Blob(Range<usize>),
}

impl Row {
    /// The column at `index` (from 0) as a `T`.
    pub fn get<'a, T: FromValue<'a>>(&'a self, index: usize) -> Result<T> {
        let value = self.value(index)?;
        T::from_value(value).ok_or(Error::Column { index, wanted: T::WANTED, found: value.kind() })
    }

    /// The JSON text at `index`, deserialized. A NULL reads as JSON `null`, so an `Option` field works.
    pub fn json<T: DeserializeOwned>(&self, index: usize) -> Result<T> {
        let text = self.get::<Option<&str>>(index)?.unwrap_or("null");
        serde_json::from_str(text).map_err(|cause| Error::Json { index, source: std::sync::Arc::new(cause) })
    }

    /// How many columns the row has.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    fn value(&self, index: usize) -> Result<ValueRef<'_>> {
        let cell = self.cells.get(index).ok_or(Error::Column { index, wanted: "a column", found: "end of row" })?;
        Ok(match cell {
            Cell::Null => ValueRef::Null,
            Cell::Int(number) => ValueRef::Int(*number),
            Cell::Text(range) => {
                ValueRef::Text(std::str::from_utf8(&self.bytes[range.clone()]).expect("only `push` makes text cells, from a str"))
            }
            Cell::Blob(range) => ValueRef::Blob(&self.bytes[range.clone()]),
        })
    }

    pub(crate) fn with_columns(count: usize) -> Self {
        Self { cells: Vec::with_capacity(count), bytes: Vec::new() }
    }

    pub(crate) fn push(&mut self, value: ValueRef<'_>) {
        let cell = match value {
            ValueRef::Null => Cell::Null,
            ValueRef::Int(number) => Cell::Int(number),
            ValueRef::Text(text) => Cell::Text(self.keep(text.as_bytes())),
            ValueRef::Blob(bytes) => Cell::Blob(self.keep(bytes)),
        };
        self.cells.push(cell);
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }
}
