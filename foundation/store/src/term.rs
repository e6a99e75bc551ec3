// SPDX-License-Identifier: Apache-2.0
//! What the tables say of controllers and of who leads, and the check that a lead is not over.

use types::Timestamp;

use crate::tx::Tx;
use crate::{Error, Result, Row, params};

pub(crate) const TAKE_LEAD: &str =
    "UPDATE lead SET generation = generation + 1, holder = $1, since = $2 WHERE id = 1 RETURNING generation";
pub(crate) const NOTE_CONTROLLER: &str = "INSERT INTO controllers (name, addresses, seen_at) VALUES ($1, $2, $3) \
     ON CONFLICT (name) DO UPDATE SET addresses = excluded.addresses, seen_at = excluded.seen_at";

/// A controller as the others know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// The first of its addresses.
    pub name: String,
    pub addresses: Vec<String>,
}

/// Who leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    pub generation: i64,
    pub name: String,
    pub since: Timestamp,
}

/// A controller, and when it was last heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub controller: Controller,
    pub at: Timestamp,
}

/// Who has the lead, or had it last.
pub fn leader(tx: &mut Tx) -> Result<Option<Leader>> {
    let row = tx.query_opt("SELECT generation, holder, since FROM lead WHERE generation > 0", &[])?;
    row.map(|row| Ok(Leader { generation: row.get(0)?, name: row.get(1)?, since: row.get(2)? })).transpose()
}

/// Every controller that was ever heard of, in the order of their names.
pub fn controllers(tx: &mut Tx) -> Result<Vec<Seen>> {
    let rows = tx.query("SELECT name, addresses, seen_at FROM controllers ORDER BY name", &[])?;
    let seen = |row: &Row| Ok(Seen { controller: Controller { name: row.get(0)?, addresses: row.json(1)? }, at: row.get(2)? });
    rows.iter().map(seen).collect()
}

/// Refuses the transaction unless the lead of this generation is held, and keeps the next from being taken before it ends.
pub(crate) fn check(tx: &mut Tx, term: i64) -> Result<()> {
    match tx.query_opt("SELECT 1 FROM lead WHERE generation = $1 FOR SHARE", &params![term])? {
        Some(_) => Ok(()),
        None => Err(Error::NotLeading),
    }
}
