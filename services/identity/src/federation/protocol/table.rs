// SPDX-License-Identifier: Apache-2.0
//! The table of protocols.

use access::{Allowed, Scope};
use store::{Actor, Row, Tx, params};

use super::{NewProtocol, Protocol};
use crate::{
    change,
    error::{Error, Result},
    federation::{mapping::table as mappings, provider::table as providers},
    power::{Cloud, Over},
};

const COLUMNS: &str = "id, provider_id, mapping_id, remote_id_attribute";
const KIND: &str = "federation_protocol";

pub fn list(tx: &mut Tx, allowed: &Allowed<Scope>, provider: &str) -> Result<Vec<Protocol>> {
    providers::get(tx, allowed, provider)?;
    let sql = format!("SELECT {COLUMNS} FROM federation_protocols WHERE provider_id = $1 ORDER BY id");
    tx.query(&sql, &params![provider])?.iter().map(read).collect()
}

pub fn get(tx: &mut Tx, allowed: &Allowed<Scope>, provider: &str, id: &str) -> Result<Protocol> {
    let found = if allowed.scope().is_all() { find(tx, provider, id)? } else { None };
    found.ok_or_else(|| not_found(provider, id))
}

/// The protocol, whoever asks: for logins.
pub fn find(tx: &mut Tx, provider: &str, id: &str) -> Result<Option<Protocol>> {
    let sql = format!("SELECT {COLUMNS} FROM federation_protocols WHERE provider_id = $1 AND id = $2");
    tx.query_opt(&sql, &params![provider, id])?.as_ref().map(read).transpose()
}

pub fn create(
    tx: &mut Tx,
    allowed: &Allowed<Scope>,
    _: &Over<Cloud>,
    actor: &Actor,
    provider: &str,
    id: &str,
    new: &NewProtocol,
) -> Result<Protocol> {
    providers::get(tx, allowed, provider)?;
    let protocol = Protocol {
        id: id.to_owned(),
        provider_id: provider.to_owned(),
        mapping_id: known_mapping(tx, new)?,
        remote_id_attribute: new.remote_id_attribute.clone(),
    };
    if find(tx, provider, id)?.is_some() {
        return Err(Error::conflict(KIND, format!("Duplicate entry: {id}")));
    }
    let sql = "INSERT INTO federation_protocols (id, provider_id, mapping_id, remote_id_attribute) VALUES ($1, $2, $3, $4)";
    tx.execute(sql, &params![id, provider, &protocol.mapping_id, protocol.remote_id_attribute.as_ref()])?;
    change::record(tx, actor, KIND, &event_id(&protocol), None, Some(&protocol))?;
    Ok(protocol)
}

pub fn update(
    tx: &mut Tx,
    allowed: &Allowed<Scope>,
    _: &Over<Cloud>,
    actor: &Actor,
    provider: &str,
    id: &str,
    update: &NewProtocol,
) -> Result<Protocol> {
    let before = get(tx, allowed, provider, id)?;
    let mut protocol = Protocol { mapping_id: known_mapping(tx, update)?, ..before.clone() };
    if update.remote_id_attribute.is_some() {
        protocol.remote_id_attribute = update.remote_id_attribute.clone();
    }
    let sql = "UPDATE federation_protocols SET mapping_id = $3, remote_id_attribute = $4 WHERE provider_id = $1 AND id = $2";
    tx.execute(sql, &params![provider, id, &protocol.mapping_id, protocol.remote_id_attribute.as_ref()])?;
    change::record(tx, actor, KIND, &event_id(&protocol), Some(&before), Some(&protocol))?;
    Ok(protocol)
}

pub fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, _: &Over<Cloud>, actor: &Actor, provider: &str, id: &str) -> Result<()> {
    let protocol = get(tx, allowed, provider, id)?;
    tx.execute("DELETE FROM federation_protocols WHERE provider_id = $1 AND id = $2", &params![provider, id])?;
    change::record(tx, actor, KIND, &event_id(&protocol), Some(&protocol), None)
}

pub fn not_found(provider: &str, id: &str) -> Error {
    Error::not_found("federated protocol for Identity Provider", format!("{provider}: {id}"))
}

fn known_mapping(tx: &mut Tx, new: &NewProtocol) -> Result<String> {
    let id = new.mapping_id.as_str();
    mappings::find(tx, id)?.map(|mapping| mapping.id).ok_or_else(|| Error::Invalid(format!("Invalid mapping id: {id}")))
}

fn event_id(protocol: &Protocol) -> String {
    format!("{}/{}", protocol.provider_id, protocol.id)
}

fn read(row: &Row) -> Result<Protocol> {
    Ok(Protocol { id: row.get(0)?, provider_id: row.get(1)?, mapping_id: row.get(2)?, remote_id_attribute: row.get(3)? })
}
