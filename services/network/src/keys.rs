// SPDX-License-Identifier: Apache-2.0
//! Marks what must be written to OVN, in the transaction of the change itself.
//!
//! There is no hook after the commit that could be lost: a key is ahead of OVN in the tables until the reconciler has
//! written it, whatever dies in between.
//!
//! Invariant: what is committed reaches OVN, also when it was unreachable or we were killed
//! (test: `ovn_down_then_up_converges`).

use std::{collections::HashMap, fmt::Display, sync::Arc};

use ovn::{northbound::DesiredRow, southbound::Chassis};
use store::{Result, Select, Tx, params};
use types::Timestamp;

use crate::settings::Settings;

/// The group of all networks that dropped what nothing allows, before each had its own. It goes when no port is in it.
pub const OLD_DROP: &str = "drop";

/// What rows depend on beside the tables.
#[derive(Clone)]
pub struct Surroundings {
    pub settings: Arc<Settings>,
    /// The hosts, once they are known.
    pub chassis: Option<Arc<Vec<Chassis>>>,
}

/// The rows of a thing, and the keys they lean on.
#[derive(Default)]
pub struct Rows {
    pub rows: Vec<DesiredRow>,
    pub needs: Vec<String>,
}

/// A kind of key, as the drawer of its things says it.
#[derive(Clone, Copy)]
pub struct Kind {
    /// The first part of the key.
    pub name: &'static str,
    /// The table whose ids are the second part.
    pub table: &'static str,
    /// What stands in OVN for those that are in that table.
    pub rows: Read,
}

/// How it is read what stands in OVN.
#[derive(Clone, Copy)]
pub enum Read {
    One(fn(&mut Tx, &Surroundings, &str) -> crate::Result<Rows>),
    /// In as many statements for many as for one.
    Many(fn(&mut Tx, &Surroundings, &[&str]) -> crate::Result<RowsById>),
}

/// What is not in the table is not in here.
pub type RowsById = HashMap<String, Rows>;

/// All kinds that there are.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    crate::ROOM.drawers.iter().flat_map(|drawer| drawer.more.keys)
}

/// The kind of a key, and the id in it.
pub fn read(key: &str) -> Option<(&'static Kind, &str)> {
    let (kind, id) = key.split_once('/')?;
    Some((kinds().find(|known| known.name == kind)?, id))
}

pub fn network(id: impl Display) -> String {
    format!("network/{id}")
}

pub fn port(id: impl Display) -> String {
    format!("port/{id}")
}

pub fn router(id: impl Display) -> String {
    format!("router/{id}")
}

pub fn security_group(id: impl Display) -> String {
    format!("sg/{id}")
}

pub fn address_group(id: impl Display) -> String {
    format!("ag/{id}")
}

pub fn floating_ip(id: impl Display) -> String {
    format!("fip/{id}")
}

pub fn balancer(id: impl Display) -> String {
    format!("lb/{id}")
}

/// The thing of this key changed, came or went.
pub fn mark(tx: &mut Tx, key: &str) -> Result<()> {
    let sql = "INSERT INTO north_keys (id, generation, synced_generation) VALUES ($1, 1, 0) \
               ON CONFLICT (id) DO UPDATE SET generation = north_keys.generation + 1, failed_at = 0";
    tx.execute(sql, &params![key]).map(drop)
}

/// Marks the ports that a condition on `ports` selects.
pub fn mark_ports(tx: &mut Tx, condition: &'static str, value: &str) -> Result<()> {
    let sql = format!(
        "INSERT INTO north_keys (id, generation, synced_generation) SELECT 'port/' || id, 1, 0 FROM ports WHERE {condition} \
         ON CONFLICT (id) DO UPDATE SET generation = north_keys.generation + 1, failed_at = 0"
    );
    tx.execute(&sql, &params![value]).map(drop)
}

/// Marks the routers that have a port on this network: they tell its guests what it carries.
pub fn mark_routers_on(tx: &mut Tx, network: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO north_keys (id, generation, synced_generation) \
         SELECT 'router/' || id, 1, 0 FROM routers WHERE id IN (SELECT device_id FROM ports WHERE network_id = $1) \
         ON CONFLICT (id) DO UPDATE SET generation = north_keys.generation + 1, failed_at = 0",
        &params![network],
    )
    .map(drop)
}

/// Marks every router that has a gateway: the hosts that can hold one changed.
pub fn mark_gateways(tx: &mut Tx) -> Result<()> {
    tx.execute(
        "INSERT INTO north_keys (id, generation, synced_generation) \
         SELECT 'router/' || id, 1, 0 FROM routers WHERE gateway_port_id IS NOT NULL \
         ON CONFLICT (id) DO UPDATE SET generation = north_keys.generation + 1, failed_at = 0",
        &[],
    )
    .map(drop)
}

/// The first keys after this one that are ahead of OVN.
pub fn pending(tx: &mut Tx, after: &str, limit: usize) -> Result<Vec<String>> {
    let sql = "SELECT id FROM north_keys WHERE synced_generation < generation AND id > $1 ORDER BY id LIMIT $2";
    tx.query(sql, &params![after, limit as u64])?.iter().map(|row| row.get(0)).collect()
}

/// How far a key is.
#[derive(Debug, Clone, Copy)]
pub struct State {
    pub generation: i64,
    /// Whether OVN has it.
    pub is_synced: bool,
    /// Whether it is remembered that the thing is gone.
    pub is_gone: bool,
}

impl State {
    /// Of a key that the tables never had.
    pub const UNKNOWN: Self = Self { generation: 0, is_synced: true, is_gone: false };
}

/// How far these keys are, in one statement; those that the tables never had are not in it.
pub fn states<'a>(tx: &mut Tx, keys: impl IntoIterator<Item = &'a str>) -> Result<HashMap<String, State>> {
    let select = Select::new("north_keys", "id, generation, synced_generation, gone_at").filter_in("id", keys);
    let mut states = HashMap::new();
    for row in select.rows(tx)? {
        let (generation, synced): (i64, i64) = (row.get(1)?, row.get(2)?);
        let is_gone = row.get::<Option<i64>>(3)?.is_some();
        states.insert(row.get(0)?, State { generation, is_synced: synced >= generation, is_gone });
    }
    Ok(states)
}

/// Those of the keys that are ahead of OVN.
pub fn ahead(tx: &mut Tx, keys: &[&str]) -> Result<Vec<String>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let select =
        Select::new("north_keys", "id").condition("synced_generation < generation").filter_in("id", keys.iter().copied());
    select.rows(tx)?.iter().map(|row| row.get(0)).collect()
}

/// The keys of what is in the tables, in order, after this one, which need not be there.
pub fn after(tx: &mut Tx, key: &str, most: i64) -> Result<Vec<String>> {
    let (last_kind, last_id) = key.split_once('/').unwrap_or_default();
    let mut kinds: Vec<&Kind> = kinds().filter(|kind| kind.name >= last_kind).collect();
    kinds.sort_unstable_by_key(|kind| kind.name);
    let mut all: Vec<String> = Vec::new();
    for Kind { name, table, .. } in kinds {
        let left = most - i64::try_from(all.len()).unwrap_or(most);
        if left == 0 {
            break;
        }
        let from = if *name == last_kind { last_id } else { "" };
        let rows = tx.query(&format!("SELECT id FROM {table} WHERE id > $1 ORDER BY id LIMIT $2"), &params![from, left])?;
        for row in rows {
            all.push(format!("{name}/{}", row.get::<&str>(0)?));
        }
    }
    Ok(all)
}

/// Whether the thing of this key is in the tables.
pub fn is_there(tx: &mut Tx, key: &str) -> Result<bool> {
    let Some((Kind { table, .. }, id)) = read(key) else { return Ok(false) };
    Ok(tx.query_opt(&format!("SELECT 1 FROM {table} WHERE id = $1"), &params![id])?.is_some())
}

/// Notes that OVN has this generation of the key. That a thing is gone is remembered for a while. True if that is news.
pub fn settle(tx: &mut Tx, key: &str, generation: i64, is_there: bool) -> Result<bool> {
    let sql =
        "UPDATE north_keys SET synced_generation = $2, failed_at = 0, gone_at = $3 WHERE id = $1 AND synced_generation < $2";
    Ok(tx.execute(sql, &params![key, generation, (!is_there).then(Timestamp::now)])? > 0)
}

/// Forgets things that are gone since before then.
pub fn forget_gone(tx: &mut Tx, before: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM north_keys WHERE gone_at < $1 AND synced_generation >= generation", &params![before]).map(drop)
}

/// Has a key go to OVN once more, in a generation above the one that OVN has: `found`.
pub fn renew(tx: &mut Tx, key: &str, found: i64) -> Result<()> {
    let sql = "INSERT INTO north_keys (id, generation, synced_generation) VALUES ($1, $2, 0) \
               ON CONFLICT (id) DO UPDATE SET generation = CASE WHEN north_keys.generation < $2 THEN $2 \
               ELSE north_keys.generation + 1 END, failed_at = 0";
    tx.execute(sql, &params![key, found + 1]).map(drop)
}

/// Notes a failure. OVN may hold a newer generation than the tables, after they were restored from a backup: then ours
/// goes on from there.
pub fn fail(tx: &mut Tx, key: &str, found_in_ovn: Option<i64>) -> Result<()> {
    tx.execute("UPDATE north_keys SET failed_at = $2 WHERE id = $1", &params![key, Timestamp::now()])?;
    if let Some(found) = found_in_ovn {
        tx.execute("UPDATE north_keys SET generation = $2 WHERE id = $1 AND generation < $2", &params![key, found + 1])?;
    }
    Ok(())
}
