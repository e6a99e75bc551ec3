// SPDX-License-Identifier: Apache-2.0
//! What should stand in the northbound database under a key.

use std::sync::Arc;

use ovn::{
    northbound::{DesiredRow, Scope},
    southbound::Chassis,
};
use store::{Tx, params};

use super::acl;
use crate::{Result, keys, settings::Settings};

/// What rows depend on beside the tables.
#[derive(Clone)]
pub struct Surroundings {
    pub settings: Arc<Settings>,
    /// The hosts, once they are known.
    pub chassis: Option<Arc<Vec<Chassis>>>,
}

/// The rows of one key, with the generation they are of.
pub struct Desired {
    pub key: String,
    pub generation: i64,
    pub is_synced: bool,
    /// Whether the thing is in the tables; one that is not has no rows.
    pub is_there: bool,
    pub rows: Vec<DesiredRow>,
    /// Keys whose rows these refer to or belong to.
    pub needs: Vec<String>,
}

/// The rows of a thing, and the keys they lean on.
#[derive(Default)]
pub struct Rows {
    pub rows: Vec<DesiredRow>,
    pub needs: Vec<String>,
}

impl Desired {
    pub fn scope(&self) -> Scope {
        let generation = u64::try_from(self.generation).unwrap_or_default();
        Scope::new(format!("{}/", self.key), generation, self.rows.clone())
    }
}

pub fn desired(tx: &mut Tx, around: &Surroundings, key: &str) -> Result<Desired> {
    let (generation, is_synced) = keys::generation(tx, key)?;
    let found = match keys::read(key) {
        Some((kind, id)) if is_there(tx, kind.table, id)? => Some((kind.rows)(tx, around, id)?),
        None if key == keys::DROP => Some(acl::drop_group()),
        _ => None,
    };
    let is_there = found.is_some();
    let Rows { rows, needs } = found.unwrap_or_default();
    Ok(Desired { key: key.to_owned(), generation, is_synced, is_there, rows, needs })
}

/// A key with all that it leans on and that is not in OVN yet, in the order of need.
pub fn with_needs(tx: &mut Tx, around: &Surroundings, key: &str) -> Result<Vec<Desired>> {
    let mut open = vec![key.to_owned()];
    let mut all: Vec<Desired> = Vec::new();
    while let Some(key) = open.pop() {
        if all.iter().any(|known| known.key == key) {
            continue;
        }
        let desired = desired(tx, around, &key)?;
        for need in &desired.needs {
            if !keys::generation(tx, need)?.1 {
                open.push(need.clone());
            }
        }
        all.push(desired);
    }
    all.reverse();
    Ok(all)
}

fn is_there(tx: &mut Tx, table: &'static str, id: &str) -> Result<bool> {
    let sql = format!("SELECT 1 FROM {table} WHERE id = $1");
    Ok(tx.query_opt(&sql, &params![id])?.is_some())
}
