// SPDX-License-Identifier: Apache-2.0
//! Marks what must be written to OVN, in the transaction of the change itself.
//!
//! There is no hook after the commit that could be lost: a key is ahead of OVN in the tables until the reconciler has
//! written it, whatever dies in between.
//!
//! Invariant: what is committed reaches OVN, also when it was unreachable or we were killed
//! (test: `ovn_down_then_up_converges`).

use std::fmt::Display;

use store::{Result, Tx, params};
use types::Timestamp;

use crate::northbound::rows::{Rows, Surroundings};

/// The group that drops what nothing allows; there is one.
pub const DROP: &str = "drop";

/// A kind of key, as the drawer of its things says it.
#[derive(Clone, Copy)]
pub struct Kind {
    /// The first part of the key.
    pub name: &'static str,
    /// The table whose ids are the second part.
    pub table: &'static str,
    /// What stands in OVN for one that is in that table.
    pub rows: fn(&mut Tx, &Surroundings, &str) -> crate::Result<Rows>,
}

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

pub fn floating_ip(id: impl Display) -> String {
    format!("fip/{id}")
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

/// The generation of a key, and whether OVN has it.
pub fn generation(tx: &mut Tx, key: &str) -> Result<(i64, bool)> {
    let sql = "SELECT generation, synced_generation FROM north_keys WHERE id = $1";
    match tx.query_opt(sql, &params![key])? {
        Some(row) => {
            let (generation, synced): (i64, i64) = (row.get(0)?, row.get(1)?);
            Ok((generation, synced >= generation))
        }
        None => Ok((0, true)),
    }
}

/// Notes that OVN has this generation of the key. That a thing is gone is remembered for a while.
pub fn settle(tx: &mut Tx, key: &str, generation: i64, is_there: bool) -> Result<()> {
    let sql =
        "UPDATE north_keys SET synced_generation = $2, failed_at = 0, gone_at = $3 WHERE id = $1 AND synced_generation < $2";
    tx.execute(sql, &params![key, generation, (!is_there).then(Timestamp::now)]).map(drop)
}

/// Forgets things that are gone since before then.
pub fn forget_gone(tx: &mut Tx, before: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM north_keys WHERE gone_at < $1 AND synced_generation >= generation", &params![before]).map(drop)
}

/// The keys of things that are gone, as long as they are remembered.
pub fn gone(tx: &mut Tx) -> Result<Vec<String>> {
    tx.query("SELECT id FROM north_keys WHERE gone_at IS NOT NULL", &[])?.iter().map(|row| row.get(0)).collect()
}

/// Has the rows of a key removed of which the tables know nothing. `found` is the generation that OVN has.
pub fn release(tx: &mut Tx, key: &str, found: i64) -> Result<()> {
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
