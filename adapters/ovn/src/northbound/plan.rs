// SPDX-License-Identifier: Apache-2.0
//! The difference between what scopes should hold and what the replica shows, as one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use super::Applied;
use super::desired::{DesiredRow, GENERATION, KEY, Scope, describe, identity};
use super::table::Table;
use crate::ovsdb::{Datum, Replica, Row, Select, Transaction};
use crate::{Error, Result};

/// What to send, and what it will have done.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) transaction: Transaction,
    pub(crate) applied: Applied,
}

/// Compares scopes with the replica. The transaction is empty when nothing differs.
pub(crate) fn plan(replica: &Replica, scopes: &[Scope]) -> Result<Plan> {
    let mut planner = Planner::survey(replica, scopes)?;
    for scope in scopes {
        for (index, row) in scope.rows.iter().enumerate() {
            planner.settle(scope, row, index == 0)?;
        }
    }
    planner.drop_extras();
    planner.finish()
}

struct Planner<'a> {
    replica: &'a Replica,
    /// The identities of all desired rows.
    identities: BTreeMap<(Table, &'a str), Uuid>,
    /// Rows in our scopes that are not desired.
    extras: BTreeMap<Uuid, Arc<str>>,
    plan: Plan,
    /// Rows that must still be as we saw them for this plan to make sense: all of `external_ids`, …
    unchanged: BTreeSet<(Arc<str>, Uuid)>,
    /// … or just their existence, because rows we write will point to them.
    existing: BTreeSet<(Table, Uuid)>,
    memberships: BTreeMap<Membership, Change>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Membership {
    holder: Uuid,
    table: Table,
    column: String,
}

#[derive(Default)]
struct Change {
    join: BTreeSet<Uuid>,
    leave: BTreeSet<Uuid>,
}

impl<'a> Planner<'a> {
    /// Finds which desired rows exist and which existing rows are not desired, and refuses to go backwards.
    fn survey(replica: &'a Replica, scopes: &'a [Scope]) -> Result<Self> {
        let mut identities = BTreeMap::new();
        let mut extras = BTreeMap::new();
        for scope in scopes {
            for row in &scope.rows {
                if !row.key.starts_with(&scope.prefix) {
                    return Err(malformed(row, format!("its key is not under {}", scope.prefix)));
                }
                let id = identity(row.table, &row.key);
                if identities.insert((row.table, row.key.as_str()), id).is_some() {
                    return Err(malformed(row, "it is desired twice"));
                }
            }
            for (key, found) in replica.keyed_under(&scope.prefix) {
                let Some(row) = replica.row(&found.table, found.uuid) else {
                    continue;
                };
                let theirs = generation(row);
                if theirs > scope.generation {
                    return Err(Error::Stale { scope: scope.prefix.clone(), ours: scope.generation, theirs });
                }
                extras.insert(found.uuid, (found.table.clone(), key));
            }
        }
        // A desired row may stand under another identity than we would have given it; the first one found is kept.
        let mut taken = BTreeSet::new();
        extras.retain(|uuid, (table, key)| {
            let wanted = Table::from_name(table).and_then(|table| identities.get_mut(&(table, *key)));
            match wanted {
                Some(identity) if taken.insert((table.clone(), *key)) => {
                    *identity = *uuid;
                    false
                }
                _ => true,
            }
        });
        Ok(Self {
            replica,
            identities,
            extras: extras.into_iter().map(|(uuid, (table, _))| (uuid, table)).collect(),
            plan: Plan::default(),
            unchanged: BTreeSet::new(),
            existing: BTreeSet::new(),
            memberships: BTreeMap::new(),
        })
    }

    /// Makes one row as desired.
    fn settle(&mut self, scope: &Scope, desired: &DesiredRow, anchor: bool) -> Result<()> {
        let table = desired.table;
        let uuid = self.resolve(desired, table, &desired.key)?;
        let mut target = self.target(desired)?;
        let current = self.replica.row(table.name(), uuid);
        match current {
            None => {
                target.set("external_ids", stamped(desired, scope.generation));
                self.plan.transaction.insert_as(table.name(), uuid, &without_empty(&target));
                self.need_references(desired);
                self.plan.applied.inserted += 1;
            }
            Some(current) => {
                let stamp = stamped(desired, generation(current));
                let mut differing = Row::new();
                for (column, value) in target.columns() {
                    if !value.same_as(current.get(column)) {
                        differing.set(column, value.clone());
                    }
                }
                let mut restamp = anchor && generation(current) != scope.generation;
                restamp |= differing.columns().next().is_some() || !stamp.same_as(current.get("external_ids"));
                if restamp {
                    differing.set("external_ids", stamped(desired, scope.generation));
                    self.plan.transaction.update(table.name(), Select::row(uuid), &differing);
                    self.need_references(desired);
                    self.plan.applied.updated += 1;
                }
                if restamp || anchor {
                    self.unchanged.insert((table.name().into(), uuid));
                }
            }
        }
        self.settle_memberships(desired, uuid)
    }

    /// The columns that are ours to decide, with the values they should have.
    fn target(&self, desired: &DesiredRow) -> Result<Row> {
        let (table, schema) = (desired.table, self.replica.schema());
        let stated = desired.columns.keys().chain(desired.references.keys());
        for column in stated {
            if !schema.has_column(table.name(), column) {
                return Err(malformed(desired, format!("this OVN has no column {column}")));
            }
            if table.holds_members(column) || column == "external_ids" {
                return Err(malformed(desired, format!("column {column} is not stated directly")));
            }
        }
        let mut target = Row::new();
        for (column, kind) in schema.columns(table.name()) {
            let column: &str = column;
            let value = match (desired.columns.get(column), desired.references.get(column)) {
                (Some(value), _) if value.is_empty() => kind.default.clone(),
                (Some(value), _) => value.clone(),
                (None, Some(targets)) => {
                    let targets: Result<Vec<Uuid>> =
                        targets.iter().map(|(table, key)| self.resolve(desired, *table, key)).collect();
                    Datum::set(targets?)
                }
                (None, None) if column == "external_ids" => continue,
                (None, None) if table.holds_members(column) || table.is_northds(column) => continue,
                (None, None) => kind.default.clone(),
            };
            target.set(column, value);
        }
        Ok(target)
    }

    /// Joins the row to those that should hold it, and takes it out of the others.
    fn settle_memberships(&mut self, desired: &DesiredRow, uuid: Uuid) -> Result<()> {
        if desired.holders.is_empty() && desired.table.needs_holder() {
            return Err(malformed(desired, "rows of its table exist only as members of others"));
        }
        let mut wanted = BTreeSet::new();
        for (holder, key) in &desired.holders {
            let column = holder
                .member_column(desired.table)
                .ok_or_else(|| malformed(desired, format!("it cannot be a member of a {}", holder.name())))?;
            wanted.insert(Membership { holder: self.resolve(desired, *holder, key)?, table: *holder, column: column.to_owned() });
        }
        let current = self.held_by(uuid);
        for membership in &wanted {
            if !current.contains(membership) && self.replica.row(membership.table.name(), membership.holder).is_some() {
                self.existing.insert((membership.table, membership.holder));
            }
        }
        for membership in current.iter().filter(|held| !wanted.contains(*held)) {
            self.change(membership).leave.insert(uuid);
        }
        for membership in wanted.iter().filter(|held| !current.contains(*held)) {
            self.change(membership).join.insert(uuid);
        }
        Ok(())
    }

    fn drop_extras(&mut self) {
        for (uuid, table) in std::mem::take(&mut self.extras) {
            for membership in self.held_by(uuid) {
                self.change(&membership).leave.insert(uuid);
            }
            self.unchanged.insert((table.clone(), uuid));
            self.plan.transaction.delete(&table, Select::row(uuid));
            self.plan.applied.deleted += 1;
        }
    }

    /// Guards go first, so that a plan that was overtaken fails before anything else is looked at.
    fn finish(mut self) -> Result<Plan> {
        let mut plan = std::mem::take(&mut self.plan);
        for (membership, change) in &self.memberships {
            let (table, column) = (membership.table.name(), membership.column.as_str());
            let holder = || Select::row(membership.holder);
            let of = |rows: &BTreeSet<Uuid>| Datum::set(rows.iter().copied());
            if !change.leave.is_empty() {
                plan.transaction.remove(table, holder(), column, &of(&change.leave));
            }
            if !change.join.is_empty() {
                plan.transaction.add(table, holder(), column, &of(&change.join));
            }
            plan.applied.relinked += change.leave.len() + change.join.len();
        }
        if plan.transaction.is_empty() {
            return Ok(plan);
        }
        let mut guards = Transaction::new();
        for (table, uuid) in &self.unchanged {
            if let Some(row) = self.replica.row(table, *uuid) {
                guards.require(table, *uuid, "external_ids", row.get("external_ids"));
            }
        }
        for (table, uuid) in &self.existing {
            guards.require(table.name(), *uuid, "_uuid", &(*uuid).into());
        }
        plan.transaction.guarded_by(guards);
        Ok(plan)
    }

    /// The identity of one of our rows, desired or found.
    fn resolve(&self, from: &DesiredRow, table: Table, key: &str) -> Result<Uuid> {
        if let Some(uuid) = self.identities.get(&(table, key)) {
            return Ok(*uuid);
        }
        let mut found = self.replica.keyed(key).filter(|row| *row.table == *table.name());
        let found = found.find(|row| !self.extras.contains_key(&row.uuid));
        found.map(|row| row.uuid).ok_or_else(|| Error::MissingRow { row: from.describe(), missing: describe(table, key) })
    }

    /// Which rows hold this one as a member.
    fn held_by(&self, uuid: Uuid) -> BTreeSet<Membership> {
        let places = self.replica.referrers(uuid).filter_map(|place| {
            let table = Table::from_name(&place.table)?;
            table.holds_members(&place.column).then(|| Membership { holder: place.uuid, table, column: place.column.to_string() })
        });
        places.collect()
    }

    fn change(&mut self, membership: &Membership) -> &mut Change {
        let key = Membership { holder: membership.holder, table: membership.table, column: membership.column.clone() };
        self.memberships.entry(key).or_default()
    }

    /// A weak reference to a row that vanished would silently be dropped, so require the targets that stand already.
    fn need_references(&mut self, desired: &DesiredRow) {
        for (table, key) in desired.references.values().flatten() {
            if let Ok(uuid) = self.resolve(desired, *table, key)
                && self.replica.row(table.name(), uuid).is_some()
            {
                self.existing.insert((*table, uuid));
            }
        }
    }
}

pub(crate) fn generation(row: &Row) -> u64 {
    let generation = row.entry("external_ids", GENERATION);
    generation.and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn stamped(desired: &DesiredRow, generation: u64) -> Datum {
    let mut ids = desired.external_ids.clone();
    ids.insert(KEY.to_owned(), desired.key.clone());
    ids.insert(GENERATION.to_owned(), generation.to_string());
    Datum::map(ids)
}

fn without_empty(row: &Row) -> Row {
    let mut present = Row::new();
    for (column, value) in row.columns().filter(|(_, value)| !value.is_empty()) {
        present.set(column, value.clone());
    }
    present
}

fn malformed(row: &DesiredRow, why: impl Into<String>) -> Error {
    Error::Malformed { row: row.describe(), why: why.into() }
}
