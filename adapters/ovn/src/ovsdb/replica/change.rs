// SPDX-License-Identifier: Apache-2.0
//! How the replica takes in what the server tells, and what it says of that to those who follow.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{KeyedRow, Referrer, Replica, Row, Rows};
use crate::ovsdb::datum::Datum;
use crate::ovsdb::follow::Touch;

/// What an update touched: rows with their keys of that time, and members of sets, whose keys are known when all is taken in.
#[derive(Default)]
struct Touches {
    rows: Vec<Touch>,
    members: Vec<(Uuid, Arc<str>, Arc<str>)>,
}

/// How many keys of maps are shared. Those beyond are names that clients chose.
const MOST_WORDS: usize = 1024;

impl Replica {
    /// Takes in a `<table-updates2>`; answers what it touched. An update that contradicts what we hold means that we are out
    /// of step.
    pub(crate) fn apply(&mut self, updates: &Value) -> Result<Vec<Touch>, String> {
        let mut touches = Touches::default();
        let tables = updates.as_object().ok_or("table updates are no object")?;
        for (table, rows) in tables {
            let table = self.table_name(table);
            let rows = rows.as_object().ok_or("row updates are no object")?;
            for (uuid, update) in rows {
                let uuid = Uuid::parse_str(uuid).map_err(|error| error.to_string())?;
                let update = update.as_object().ok_or("a row update is no object")?;
                self.apply_row(&table, uuid, update, &mut touches)?;
            }
        }
        let mut touched = touches.rows;
        for (member, table, column) in touches.members {
            if let Some(key) = self.key_of(member) {
                touched.push(Touch { key, table, column: Some(column) });
            }
        }
        Ok(touched)
    }

    /// What is not the same in both: the connection was lost, and what happened meanwhile was not told.
    pub(crate) fn compared_with(&self, earlier: &Self) -> Vec<Touch> {
        let mut touched = Vec::new();
        for (table, rows) in &self.tables {
            for (uuid, row) in &rows.by_uuid {
                let before = earlier.row(table, *uuid);
                let same = |before: &&Row| before.values == row.values;
                if before.is_none_or(|before| !same(&before)) {
                    touched.extend(self.touched_by_difference(table, before, Some(row), earlier));
                }
            }
        }
        for (table, rows) in &earlier.tables {
            let gone = rows.by_uuid.iter().filter(|(uuid, _)| self.row(table, **uuid).is_none());
            touched.extend(gone.flat_map(|(_, row)| self.touched_by_difference(table, Some(row), None, earlier)));
        }
        touched
    }

    fn touched_by_difference(&self, table: &Arc<str>, before: Option<&Row>, after: Option<&Row>, earlier: &Self) -> Vec<Touch> {
        let touch = |key: Arc<str>, column| Touch { key, table: table.clone(), column };
        let keys = [before, after].map(|row| row.and_then(|row| row.key(self.indexes.key_name)).cloned());
        let keys = match keys {
            [old, new] if old == new => [None, new],
            keys => keys,
        };
        let (Some(before), Some(after)) = (before, after) else {
            return keys.into_iter().flatten().map(|key| touch(key, None)).collect();
        };
        let mut touched = Vec::new();
        for (column, kind) in self.schema.columns(table) {
            let (old, new) = (before.get(column), after.get(column));
            if old == new {
                continue;
            }
            if kind.reference && self.points(table, column) && !matches!(new, Datum::Map(_)) {
                let [old, new] = [old, new].map(|value| value.references().into_iter().collect::<HashSet<Uuid>>());
                let members = old.symmetric_difference(&new);
                let keys = members.filter_map(|member| self.key_of(*member).or_else(|| earlier.key_of(*member)));
                touched.extend(keys.map(|key| touch(key, Some(column.clone()))));
            } else {
                touched.extend(keys.iter().flatten().map(|key| touch(key.clone(), Some(column.clone()))));
            }
        }
        touched
    }

    fn apply_row(
        &mut self,
        table: &Arc<str>,
        uuid: Uuid,
        update: &Map<String, Value>,
        touches: &mut Touches,
    ) -> Result<(), String> {
        if let Some(columns) = update.get("initial").or_else(|| update.get("insert")) {
            self.drop_row(table, uuid, touches);
            let columns = self.parse(table, columns)?;
            let shape = self.schema.shape(table).cloned();
            let mut row = Row { values: Vec::with_capacity(columns.len()), shape };
            for (column, value) in columns {
                if *row.default_of(&column) != value {
                    row.put(&column, value, || column.clone());
                }
            }
            self.put_row(table, uuid, row, touches);
            Ok(())
        } else if let Some(columns) = update.get("modify") {
            let columns = self.parse(table, columns)?;
            self.alter(table, uuid, columns, touches)
        } else {
            self.drop_row(table, uuid, touches);
            Ok(())
        }
    }

    fn put_row(&mut self, table: &Arc<str>, uuid: Uuid, row: Row, touches: &mut Touches) {
        for (column, value) in &row.values {
            if self.points(table, column) && !matches!(value, Datum::Map(_)) {
                for target in value.references() {
                    self.point(table, column, uuid, target, touches);
                }
            }
        }
        if let Some(key) = row.key(self.indexes.key_name) {
            add(self.keyed.entry(key.clone()).or_default(), KeyedRow { table: table.clone(), uuid });
            touches.rows.push(Touch { key: key.clone(), table: table.clone(), column: None });
        }
        let rows = self.tables.entry(table.clone()).or_default();
        if let Some(name) = row.name() {
            add(rows.by_name.entry(name.clone()).or_default(), uuid);
        }
        rows.by_uuid.insert(uuid, row);
    }

    fn drop_row(&mut self, table: &Arc<str>, uuid: Uuid, touches: &mut Touches) {
        let Some(rows) = self.tables.get_mut(table) else { return };
        let Some(row) = rows.by_uuid.remove(&uuid) else { return };
        if let Some(name) = row.name() {
            rows.forget_name(name, uuid);
        }
        if let Some(key) = row.key(self.indexes.key_name) {
            self.forget_key(key, table, uuid);
            touches.rows.push(Touch { key: key.clone(), table: table.clone(), column: None });
        }
        for (column, value) in &row.values {
            if self.points(table, column) && !matches!(value, Datum::Map(_)) {
                for target in value.references() {
                    self.unpoint(table, column, uuid, target, touches);
                }
            }
        }
    }

    /// Changes columns in place, and the indexes as far as they speak of what changed.
    fn alter(
        &mut self,
        table: &Arc<str>,
        uuid: Uuid,
        columns: Vec<(Arc<str>, Datum)>,
        touches: &mut Touches,
    ) -> Result<(), String> {
        let unknown = || format!("{table} row {uuid} was modified but is unknown");
        let row = self.row(table, uuid).ok_or_else(unknown)?;
        let (old_key, old_name) = (row.key(self.indexes.key_name).cloned(), row.name().cloned());
        let mut moved: Vec<(Arc<str>, Vec<Uuid>, Vec<Uuid>)> = Vec::new();
        let mut changed: Vec<Arc<str>> = Vec::with_capacity(columns.len());
        for (column, value) in columns {
            let kind = self.schema.column(table, &column);
            let (collection, reference) = kind.map_or((false, false), |kind| (kind.collection, kind.reference));
            let pointing = reference && self.points(table, &column) && !matches!(value, Datum::Map(_));
            let row = self.tables.get_mut(table).and_then(|rows| rows.by_uuid.get_mut(&uuid)).ok_or_else(unknown)?;
            if pointing {
                let (current, told) = (row.get(&column), value.references());
                // Of a set the server tells those that came and those that went.
                let (gone, come) = match collection {
                    true => told.into_iter().partition(|target| current.holds(*target)),
                    false => (current.references(), told),
                };
                moved.push((column.clone(), gone, come));
            } else {
                changed.push(column.clone());
            }
            row.change(&column, value, collection);
        }
        for (column, gone, come) in moved {
            gone.into_iter().for_each(|target| self.unpoint(table, &column, uuid, target, touches));
            come.into_iter().for_each(|target| self.point(table, &column, uuid, target, touches));
        }
        let row = self.row(table, uuid).ok_or_else(unknown)?;
        let (new_key, new_name) = (row.key(self.indexes.key_name).cloned(), row.name().cloned());
        if old_name != new_name
            && let Some(rows) = self.tables.get_mut(table)
        {
            old_name.iter().for_each(|name| rows.forget_name(name, uuid));
            new_name.into_iter().for_each(|name| add(rows.by_name.entry(name).or_default(), uuid));
        }
        if old_key != new_key {
            old_key.iter().for_each(|key| self.forget_key(key, table, uuid));
            if let Some(key) = &new_key {
                add(self.keyed.entry(key.clone()).or_default(), KeyedRow { table: table.clone(), uuid });
            }
        }
        let other = old_key.filter(|old| new_key.as_ref() != Some(old));
        for key in new_key.into_iter().chain(other) {
            let touch = |column: &Arc<str>| Touch { key: key.clone(), table: table.clone(), column: Some(column.clone()) };
            touches.rows.extend(changed.iter().map(touch));
        }
        Ok(())
    }

    fn point(&mut self, table: &Arc<str>, column: &Arc<str>, uuid: Uuid, target: Uuid, touches: &mut Touches) {
        let referrer = Referrer { table: table.clone(), column: column.clone(), uuid };
        add(self.referrers.entry(target).or_default(), referrer);
        touches.members.push((target, table.clone(), column.clone()));
    }

    fn unpoint(&mut self, table: &Arc<str>, column: &Arc<str>, uuid: Uuid, target: Uuid, touches: &mut Touches) {
        touches.members.push((target, table.clone(), column.clone()));
        let Some(places) = self.referrers.get_mut(&target) else { return };
        places.retain(|place| (place.uuid, &place.table, &place.column) != (uuid, table, column));
        if places.is_empty() {
            self.referrers.remove(&target);
        }
    }

    fn points(&self, table: &str, column: &str) -> bool {
        self.indexes.pointing.is_none_or(|pointing| pointing(table, column))
    }

    fn forget_key(&mut self, key: &str, table: &Arc<str>, uuid: Uuid) {
        let Some(rows) = self.keyed.get_mut(key) else { return };
        rows.retain(|row| (row.uuid, &row.table) != (uuid, table));
        if rows.is_empty() {
            self.keyed.remove(key);
        }
    }

    fn key_of(&self, uuid: Uuid) -> Option<Arc<str>> {
        let row = self.tables.values().find_map(|rows| rows.by_uuid.get(&uuid))?;
        row.key(self.indexes.key_name).cloned()
    }

    fn table_name(&self, table: &str) -> Arc<str> {
        self.tables.get_key_value(table).map_or_else(|| table.into(), |(name, _)| name.clone())
    }

    fn parse(&mut self, table: &str, columns: &Value) -> Result<Vec<(Arc<str>, Datum)>, String> {
        let columns = columns.as_object().ok_or("a row is no object")?;
        let mut parsed = Vec::with_capacity(columns.len());
        let Self { schema, words, .. } = self;
        let shape = schema.shape(table);
        // The server counts the versions of each row in a column of its own, which says nothing.
        for (column, value) in columns.iter().filter(|(column, _)| !column.starts_with('_')) {
            let mut value = Datum::from_json(value).ok_or_else(|| format!("column {column} holds no datum: {value}"))?;
            value.share_keys(&mut |text| share(words, text));
            let known = shape.and_then(|shape| shape.get_key_value(column.as_str()));
            parsed.push((known.map_or_else(|| column.as_str().into(), |(name, _)| name.clone()), value));
        }
        Ok(parsed)
    }
}

impl Rows {
    fn forget_name(&mut self, name: &str, uuid: Uuid) {
        let Some(rows) = self.by_name.get_mut(name) else { return };
        rows.retain(|row| *row != uuid);
        if rows.is_empty() {
            self.by_name.remove(name);
        }
    }
}

/// Into a list that has mostly one, in order.
fn add<T: Ord>(list: &mut Vec<T>, one: T) {
    if let Err(place) = list.binary_search(&one) {
        if list.is_empty() {
            list.reserve_exact(1);
        }
        list.insert(place, one);
    }
}

fn share(words: &mut HashSet<Arc<str>>, text: &Arc<str>) -> Arc<str> {
    if let Some(known) = words.get(text) {
        return known.clone();
    }
    if words.len() < MOST_WORDS {
        words.insert(text.clone());
    }
    text.clone()
}
