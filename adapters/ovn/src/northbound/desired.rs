// SPDX-License-Identifier: Apache-2.0
//! What the northbound database should hold, in terms of our own keys instead of row identities.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::table::Table;
use crate::ovsdb::Datum;

/// The `external_ids` key that holds a row's key. A row without it is not ours and is never touched.
pub const KEY: &str = "ferrostack:key";
/// The `external_ids` key that holds the generation of the scope that last changed the row.
pub const GENERATION: &str = "ferrostack:generation";

/// Everything under one prefix of keys, as it should be.
///
/// The first row is the scope's anchor: it bears the scope's generation even when nothing else changed, so list a row
/// that lives as long as the scope (the switch of a network, the router of a router).
#[derive(Clone, Debug)]
pub struct Scope {
    pub(crate) prefix: String,
    pub(crate) generation: u64,
    pub(crate) rows: Vec<DesiredRow>,
}

/// A row as it should be. A column that is not mentioned should have its default value.
#[derive(Clone, Debug)]
pub struct DesiredRow {
    pub(crate) table: Table,
    pub(crate) key: String,
    pub(crate) columns: BTreeMap<String, Datum>,
    pub(crate) external_ids: BTreeMap<String, String>,
    pub(crate) references: BTreeMap<String, BTreeSet<(Table, String)>>,
    pub(crate) holders: BTreeSet<(Table, String)>,
}

impl Scope {
    /// A scope of rows whose keys all begin with `prefix`, such as `network/ID/`. No rows means that all should be gone.
    pub fn new(prefix: impl Into<String>, generation: u64, rows: Vec<DesiredRow>) -> Self {
        Self { prefix: prefix.into(), generation, rows }
    }
}

impl DesiredRow {
    /// A row of a table under a key that no other row of that table has.
    pub fn new(table: Table, key: impl Into<String>) -> Self {
        Self {
            table,
            key: key.into(),
            columns: BTreeMap::new(),
            external_ids: BTreeMap::new(),
            references: BTreeMap::new(),
            holders: BTreeSet::new(),
        }
    }

    /// States a column.
    #[must_use]
    pub fn set(mut self, column: &str, value: impl Into<Datum>) -> Self {
        self.columns.insert(column.to_owned(), value.into());
        self
    }

    /// States an entry of `external_ids`, beside our own two.
    #[must_use]
    pub fn external_id(mut self, key: &str, value: impl Into<String>) -> Self {
        self.external_ids.insert(key.to_owned(), value.into());
        self
    }

    /// Points a column to another of our rows; said several times, the column points to all of them.
    #[must_use]
    pub fn refer(mut self, column: &str, table: Table, key: impl Into<String>) -> Self {
        let targets = self.references.entry(column.to_owned()).or_default();
        targets.insert((table, key.into()));
        self
    }

    /// Puts this row into another of our rows: a port into its switch and its groups, a NAT rule into its router.
    #[must_use]
    pub fn member_of(mut self, table: Table, key: impl Into<String>) -> Self {
        self.holders.insert((table, key.into()));
        self
    }

    pub(crate) fn describe(&self) -> String {
        describe(self.table, &self.key)
    }
}

pub(crate) fn describe(table: Table, key: &str) -> String {
    format!("{} {key}", table.name())
}

/// The identity under which a row is created. It follows from the key, so that the database itself refuses to create a
/// row twice, whoever tries.
pub(crate) fn identity(table: Table, key: &str) -> Uuid {
    /// Made once for this purpose; changing it would make every row look foreign.
    const NAMESPACE: Uuid = Uuid::from_u128(0x6f0f_1c5e_8f0b_4d53_9b4e_2a70_51c8_1d2a);
    Uuid::new_v5(&NAMESPACE, describe(table, key).as_bytes())
}
