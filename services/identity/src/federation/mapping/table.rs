// SPDX-License-Identifier: Apache-2.0
//! The table of mappings. What is written was read by the engine first.

use access::{Allowed, Scope};
use evidence::mapping::{Rules, Version};
use store::{Actor, Row, Tx, params};

use super::{Mapping, NewMapping};
use crate::{
    change,
    error::{Error, Result},
    power::{Cloud, Over},
};

const COLUMNS: &str = "id, rules, schema_version";
const KIND: &str = "federation_mapping";

impl Mapping {
    /// The rules, ready to be applied.
    pub fn read(&self) -> Result<Rules, String> {
        Rules::read(Version::read(&self.schema_version)?, &self.rules)
    }
}

/// Mappings are the whole cloud's.
pub fn list(tx: &mut Tx, allowed: &Allowed<Scope>) -> Result<Vec<Mapping>> {
    if !allowed.scope().is_all() {
        return Ok(vec![]);
    }
    tx.query(&format!("SELECT {COLUMNS} FROM federation_mappings ORDER BY id"), &[])?.iter().map(read).collect()
}

pub fn get(tx: &mut Tx, allowed: &Allowed<Scope>, id: &str) -> Result<Mapping> {
    let found = if allowed.scope().is_all() { find(tx, id)? } else { None };
    found.ok_or_else(|| Error::not_found("mapping", id))
}

/// The mapping, whoever asks: for logins.
pub fn find(tx: &mut Tx, id: &str) -> Result<Option<Mapping>> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM federation_mappings WHERE id = $1"), &params![id])?;
    row.as_ref().map(read).transpose()
}

pub fn create(tx: &mut Tx, _: &Allowed<Scope>, _: &Over<Cloud>, actor: &Actor, id: &str, new: &NewMapping) -> Result<Mapping> {
    let mapping = checked(id, new, Version::DEFAULT)?;
    if find(tx, id)?.is_some() {
        return Err(Error::conflict("mapping", format!("Duplicate entry: {id}")));
    }
    let sql = "INSERT INTO federation_mappings (id, rules, schema_version) VALUES ($1, $2, $3)";
    tx.execute(sql, &params![id, &mapping.rules, &mapping.schema_version])?;
    change::record(tx, actor, KIND, id, None, Some(&mapping))?;
    Ok(mapping)
}

pub fn update(
    tx: &mut Tx,
    allowed: &Allowed<Scope>,
    _: &Over<Cloud>,
    actor: &Actor,
    id: &str,
    update: &NewMapping,
) -> Result<Mapping> {
    let before = get(tx, allowed, id)?;
    let mapping = checked(id, update, &before.schema_version)?;
    let sql = "UPDATE federation_mappings SET rules = $2, schema_version = $3 WHERE id = $1";
    tx.execute(sql, &params![id, &mapping.rules, &mapping.schema_version])?;
    change::record(tx, actor, KIND, id, Some(&before), Some(&mapping))?;
    Ok(mapping)
}

pub fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, _: &Over<Cloud>, actor: &Actor, id: &str) -> Result<()> {
    let mapping = get(tx, allowed, id)?;
    tx.execute("DELETE FROM federation_mappings WHERE id = $1", &params![id])?;
    change::record(tx, actor, KIND, id, Some(&mapping), None)
}

fn checked(id: &str, new: &NewMapping, version: &str) -> Result<Mapping> {
    let schema_version = new.schema_version.clone().unwrap_or_else(|| version.to_owned());
    let mapping = Mapping { id: id.to_owned(), rules: new.rules.clone(), schema_version };
    mapping.read().map_err(|cause| Error::Invalid(format!("Invalid input for field/attribute mapping: {cause}.")))?;
    Ok(mapping)
}

fn read(row: &Row) -> Result<Mapping> {
    Ok(Mapping { id: row.get(0)?, rules: row.json(1)?, schema_version: row.get(2)? })
}
