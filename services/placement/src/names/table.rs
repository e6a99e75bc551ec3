// SPDX-License-Identifier: Apache-2.0
//! Which classes and traits there are, and which traits a provider has.

use std::collections::BTreeSet;

use store::{Tx, params};

use super::{STANDARD_CLASSES, STANDARD_TRAITS};
use crate::error::Error;

pub const CLASS: &str = "class";
pub const TRAIT: &str = "trait";

/// All names of a kind, the standard ones first.
pub fn list(tx: &mut Tx, kind: &'static str) -> Result<Vec<String>, Error> {
    let mut names: Vec<String> = standard(kind).iter().map(|name| (*name).to_owned()).collect();
    for row in &tx.query("SELECT name FROM placement_custom_names WHERE kind = $1 ORDER BY name", &params![kind])? {
        names.push(row.get(0)?);
    }
    Ok(names)
}

/// True if it was not there before.
pub fn ensure(tx: &mut Tx, kind: &'static str, name: &str) -> Result<bool, Error> {
    if standard(kind).contains(&name) {
        return Ok(false);
    }
    let sql = "INSERT INTO placement_custom_names (kind, name) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    Ok(tx.execute(sql, &params![kind, name])? > 0)
}

pub fn check_class(tx: &mut Tx, name: &str) -> Result<(), Error> {
    check(tx, CLASS, "resource class", name)
}

pub fn check_trait(tx: &mut Tx, name: &str) -> Result<(), Error> {
    check(tx, TRAIT, "trait", name)
}

pub fn traits_of(tx: &mut Tx, provider: &str) -> Result<BTreeSet<String>, Error> {
    let rows = tx.query("SELECT name FROM placement_traits WHERE provider_id = $1", &params![provider])?;
    Ok(rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?)
}

pub fn replace_traits(tx: &mut Tx, provider: &str, wanted: &BTreeSet<String>) -> Result<(), Error> {
    tx.execute("DELETE FROM placement_traits WHERE provider_id = $1", &params![provider])?;
    for name in wanted {
        tx.execute("INSERT INTO placement_traits (provider_id, name) VALUES ($1, $2)", &params![provider, name.as_str()])?;
    }
    Ok(())
}

fn check(tx: &mut Tx, kind: &'static str, word: &'static str, name: &str) -> Result<(), Error> {
    if standard(kind).contains(&name) {
        return Ok(());
    }
    let found = tx.query_opt("SELECT 1 FROM placement_custom_names WHERE kind = $1 AND name = $2", &params![kind, name])?;
    found.map(drop).ok_or_else(|| Error::UnknownName { kind: word, name: name.to_owned() })
}

fn standard(kind: &str) -> &'static [&'static str] {
    if kind == CLASS { STANDARD_CLASSES } else { STANDARD_TRAITS }
}
