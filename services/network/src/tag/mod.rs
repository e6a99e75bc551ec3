// SPDX-License-Identifier: Apache-2.0
//! Tags: words that a tenant hangs on his networks, subnets, ports, routers, addresses and groups.

pub mod api;

use std::collections::HashMap;

use access::Allowed;
use store::{Direction, Select, Tx, params};

use crate::{Error, Result};

/// As Neutron has it.
pub const LONGEST: usize = 255;
const MOST: usize = 50;

/// The tags of many things, in one statement.
pub fn of<'a>(tx: &mut Tx, ids: impl IntoIterator<Item = &'a str>) -> Result<HashMap<String, Vec<String>>> {
    let mut tags: HashMap<String, Vec<String>> = HashMap::new();
    let select = Select::new("network_tags", "resource_id, tag").filter_in("resource_id", ids);
    for row in select.sort(&[("tag", Direction::Asc)], "resource_id").rows(tx)? {
        tags.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    Ok(tags)
}

pub fn of_one(tx: &mut Tx, id: &str) -> Result<Vec<String>> {
    let rows = tx.query("SELECT tag FROM network_tags WHERE resource_id = $1 ORDER BY tag", &params![id])?;
    Ok(rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?)
}

/// The proofs of these three are of the thing that is tagged, by its id.
pub fn add(tx: &mut Tx, allowed: &Allowed<String>, tag: &str) -> Result<()> {
    let id = allowed.thing().as_str();
    let sql = "INSERT INTO network_tags (resource_id, tag) VALUES ($1, $2) ON CONFLICT (resource_id, tag) DO NOTHING";
    tx.execute(sql, &params![id, tag])?;
    if of_one(tx, id)?.len() > MOST {
        return Err(Error::bad(format!("A resource has at most {MOST} tags.")));
    }
    Ok(())
}

pub fn replace(tx: &mut Tx, allowed: &Allowed<String>, tags: &[String]) -> Result<()> {
    forget(tx, allowed.thing())?;
    tags.iter().try_for_each(|tag| add(tx, allowed, tag))
}

pub fn remove(tx: &mut Tx, allowed: &Allowed<String>, tag: &str) -> Result<()> {
    let id = allowed.thing();
    match tx.execute("DELETE FROM network_tags WHERE resource_id = $1 AND tag = $2", &params![id, tag])? {
        0 => Err(Error::TagNotFound { tag: tag.to_owned() }),
        _ => Ok(()),
    }
}

/// The thing is deleted, and its tags with it.
pub fn forget(tx: &mut Tx, id: &str) -> Result<()> {
    tx.execute("DELETE FROM network_tags WHERE resource_id = $1", &params![id])?;
    Ok(())
}

/// The same for all things that a query selects.
pub fn forget_all(tx: &mut Tx, ids: &'static str, value: &str) -> Result<()> {
    tx.execute(&format!("DELETE FROM network_tags WHERE resource_id IN ({ids})"), &params![value])?;
    Ok(())
}
