// SPDX-License-Identifier: Apache-2.0
//! What should stand in the northbound database under a key.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ovn::northbound::{DesiredRow, Scope};
use store::{Select, Tx};

pub use crate::keys::{Rows, Surroundings};
use crate::{
    Error, Result,
    keys::{self, Kind, Read, State},
};

/// The rows of one key, with the generation they are of.
pub struct Desired {
    pub key: String,
    pub state: State,
    /// Whether the thing is in the tables; one that is not has no rows.
    pub is_there: bool,
    /// False of what leans on the hosts before they are known.
    pub is_known: bool,
    pub rows: Vec<DesiredRow>,
    /// Keys whose rows these refer to or belong to.
    pub needs: Vec<String>,
}

impl Desired {
    pub fn scope(&self) -> Scope {
        let generation = u64::try_from(self.state.generation).unwrap_or_default();
        Scope::new(format!("{}/", self.key), generation, self.rows.clone())
    }
}

/// What stands under these keys, in their order.
pub fn desired(tx: &mut Tx, around: &Surroundings, keys: &[String]) -> Result<Vec<Desired>> {
    let states = keys::states(tx, keys.iter().map(String::as_str))?;
    let mut kinds: BTreeMap<&str, (&Kind, Vec<&str>)> = BTreeMap::new();
    for (kind, id) in keys.iter().filter_map(|key| keys::read(key)) {
        kinds.entry(kind.name).or_insert((kind, Vec::new())).1.push(id);
    }
    let mut found: HashMap<String, Option<Rows>> = HashMap::new();
    for (name, (kind, ids)) in kinds {
        let all = of_kind(tx, around, kind, &ids)?;
        found.extend(all.into_iter().map(|(id, rows)| (format!("{name}/{id}"), rows)));
    }
    let desired = |key: &String| {
        let state = states.get(key).copied().unwrap_or(State::UNKNOWN);
        let found = found.remove(key);
        let (is_there, is_known) = (found.is_some(), !matches!(found, Some(None)));
        let Rows { rows, needs } = found.flatten().unwrap_or_default();
        Desired { key: key.clone(), state, is_there, is_known, rows, needs }
    };
    Ok(keys.iter().map(desired).collect())
}

/// The rows of those things of a kind that are in the tables, by their ids; none where it cannot be said before the hosts are known.
fn of_kind(tx: &mut Tx, around: &Surroundings, kind: &Kind, ids: &[&str]) -> Result<HashMap<String, Option<Rows>>> {
    let one = match kind.rows {
        Read::Many(rows) => return Ok(rows(tx, around, ids)?.into_iter().map(|(id, rows)| (id, Some(rows))).collect()),
        Read::One(rows) => rows,
    };
    let mut found = HashMap::new();
    for row in Select::new(kind.table, "id").filter_in("id", ids.iter().copied()).rows(tx)? {
        let id: String = row.get(0)?;
        let rows = match one(tx, around, &id) {
            Err(Error::HostsUnknown) => None,
            rows => Some(rows?),
        };
        found.insert(id, rows);
    }
    Ok(found)
}

/// Keys with all that they lean on and that is not in OVN yet, in the order of need.
pub fn with_needs(tx: &mut Tx, around: &Surroundings, keys: &[String]) -> Result<Vec<Desired>> {
    let mut open = keys.to_vec();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut waves: Vec<Vec<Desired>> = Vec::new();
    while !open.is_empty() {
        let wave = desired(tx, around, &open)?;
        if wave.iter().any(|one| !one.is_known) {
            return Err(Error::HostsUnknown);
        }
        seen.append(&mut open.into_iter().collect());
        let needs: BTreeSet<&str> = wave.iter().flat_map(|one| one.needs.iter().map(String::as_str)).collect();
        let new: Vec<&str> = needs.into_iter().filter(|need| !seen.contains(*need)).collect();
        open = keys::ahead(tx, &new)?;
        waves.push(wave);
    }
    Ok(waves.into_iter().rev().flatten().collect())
}
