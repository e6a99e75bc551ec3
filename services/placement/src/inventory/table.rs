// SPDX-License-Identifier: Apache-2.0
//! The table of inventories, and what is free of them.

use std::collections::{BTreeMap, BTreeSet};

use contracts::placement::{Capacity, Resources};
use serde::Serialize;
use store::{Row, Tx, params};
use types::ProviderId;

use crate::{error::Error, provider};

/// One inventory, with the names of the API. The ratio is kept in millionths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inventory {
    pub total: i64,
    pub reserved: i64,
    pub min_unit: i64,
    pub max_unit: i64,
    pub step_size: i64,
    pub ratio: i64,
}

pub const ONE: i64 = 1_000_000;

impl Inventory {
    /// What may be allocated in all. In 128 bits, since a client may name any total and any ratio.
    pub fn capacity(&self) -> i64 {
        let usable = i128::from(self.total) - i128::from(self.reserved);
        i64::try_from(usable * i128::from(self.ratio) / i128::from(ONE)).unwrap_or(i64::MAX)
    }
}

pub type Inventories = BTreeMap<String, Inventory>;

pub const OF_PROVIDER: &str = "SELECT resource_class, total, reserved, min_unit, max_unit, step_size, ratio \
     FROM placement_inventories WHERE provider_id = $1";

pub fn of_provider(tx: &mut Tx, provider: &str) -> Result<Inventories, Error> {
    read_all(&tx.query(OF_PROVIDER, &params![provider])?)
}

pub fn read_all(rows: &[Row]) -> Result<Inventories, Error> {
    rows.iter().map(|row| Ok((row.get(0)?, read(row, 1)?))).collect()
}

/// Makes the inventories of a provider exactly these. A class that is in use cannot go.
pub fn replace(tx: &mut Tx, provider: &str, wanted: &Inventories) -> Result<(), Error> {
    let used = used_of(tx, provider)?;
    if let Some(class) = used.keys().find(|class| !wanted.contains_key(*class)) {
        return Err(Error::InventoryInUse { provider: provider.to_owned(), class: class.clone() });
    }
    tx.execute("DELETE FROM placement_inventories WHERE provider_id = $1", &params![provider])?;
    for (class, inventory) in wanted {
        tx.execute(
            "INSERT INTO placement_inventories (provider_id, resource_class, total, reserved, min_unit, max_unit, step_size, ratio) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &params![
                provider,
                class.as_str(),
                inventory.total,
                inventory.reserved,
                inventory.min_unit,
                inventory.max_unit,
                inventory.step_size,
                inventory.ratio
            ],
        )?;
    }
    Ok(())
}

pub const USED_OF: &str = "SELECT resource_class, CAST(SUM(used) AS BIGINT) FROM placement_allocations \
     WHERE provider_id = $1 GROUP BY resource_class";

/// What is used of each class of a provider.
pub fn used_of(tx: &mut Tx, provider: &str) -> Result<Resources, Error> {
    read_used(&tx.query(USED_OF, &params![provider])?)
}

pub fn read_used(rows: &[Row]) -> Result<Resources, Error> {
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Every provider with what is free and what it is able to do: four statements, however many providers there are.
pub fn capacities(tx: &mut Tx) -> Result<Vec<Capacity>, Error> {
    let providers = provider::table::list(tx)?;
    let mut total: BTreeMap<String, Resources> = BTreeMap::new();
    let rows = tx.query(
        "SELECT provider_id, resource_class, total, reserved, min_unit, max_unit, step_size, ratio FROM placement_inventories",
        &[],
    )?;
    for row in &rows {
        total.entry(row.get(0)?).or_default().insert(row.get(1)?, read(row, 2)?.capacity());
    }
    let mut used: BTreeMap<String, Resources> = BTreeMap::new();
    let rows = tx.query(
        "SELECT provider_id, resource_class, CAST(SUM(used) AS BIGINT) FROM placement_allocations GROUP BY provider_id, resource_class",
        &[],
    )?;
    for row in &rows {
        used.entry(row.get(0)?).or_default().insert(row.get(1)?, row.get(2)?);
    }
    let mut traits: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in &tx.query("SELECT provider_id, name FROM placement_traits", &[])? {
        traits.entry(row.get(0)?).or_default().insert(row.get(1)?);
    }
    let capacity = |provider: provider::table::Provider| {
        let total = total.remove(provider.id.as_str()).unwrap_or_default();
        let used = used.remove(provider.id.as_str()).unwrap_or_default();
        let free = total.iter().map(|(class, all)| (class.clone(), all - used.get(class).unwrap_or(&0))).collect();
        let traits = traits.remove(provider.id.as_str()).unwrap_or_default();
        Capacity { provider: ProviderId::new(provider.id.into_string()), name: provider.name, free, total, traits }
    };
    Ok(providers.into_iter().map(capacity).collect())
}

fn read(row: &Row, first: usize) -> Result<Inventory, store::Error> {
    Ok(Inventory {
        total: row.get(first)?,
        reserved: row.get(first + 1)?,
        min_unit: row.get(first + 2)?,
        max_unit: row.get(first + 3)?,
        step_size: row.get(first + 4)?,
        ratio: row.get(first + 5)?,
    })
}
