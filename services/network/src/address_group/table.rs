// SPDX-License-Identifier: Apache-2.0
//! The rows of address groups.

use access::Allowed;
use ipnet::IpNet;
use serde_json::json;
use store::{Tx, params};
use types::{AddressGroupId, ProjectId, Timestamp};

use super::{MOST, Row};
use crate::{
    Error, Result, keys, quota,
    resource::{By, Gathered, Kept, Managed},
    who::Doer,
};

#[derive(Debug, Clone)]
pub struct Create {
    pub project_id: ProjectId,
    pub name: String,
    pub description: String,
    pub addresses: Vec<IpNet>,
}

#[derive(Debug, Clone, Default)]
pub struct Update {
    pub name: Option<String>,
    pub description: Option<String>,
}

impl Gathered for Row {
    type Found = Self;

    fn with_rest(_tx: &mut Tx, rows: Vec<Self>) -> Result<Vec<Self>> {
        Ok(rows)
    }
}

impl Managed for Row {
    type Create = Create;
    type Update = Update;

    fn create(tx: &mut Tx, by: &By, allowed: &Allowed<Create>) -> Result<Self> {
        let ask = allowed.thing();
        let By { doer, settings } = by;
        quota::take(tx, &ask.project_id, &super::QUOTA, 1, settings)?;
        let now = Timestamp::now();
        let mut row = Self {
            id: AddressGroupId::generate(),
            project_id: ask.project_id.clone(),
            name: ask.name.clone(),
            description: ask.description.clone(),
            addresses: Vec::new(),
            created_at: now,
            updated_at: now,
            generation: 1,
        };
        row.take_in(&ask.addresses)?;
        Self::insert(
            tx,
            &params![
                &row.id,
                &row.project_id,
                &row.name,
                &row.description,
                json!(row.addresses),
                row.created_at,
                row.updated_at,
                row.generation,
            ],
        )?;
        keys::mark(tx, &keys::address_group(&row.id))?;
        doer.made(tx, &row)?;
        Ok(row)
    }

    fn update(tx: &mut Tx, by: &By, allowed: &Allowed<Self>, ask: &Update) -> Result<Self> {
        let mut row = allowed.thing().clone();
        if let Some(name) = &ask.name {
            row.name.clone_from(name);
        }
        if let Some(description) = &ask.description {
            row.description.clone_from(description);
        }
        write(tx, &by.doer, allowed, row)
    }

    /// Deletes a group that no rule names, of whichever project: what it lets in would change unseen.
    fn delete(tx: &mut Tx, by: &By, allowed: &Allowed<Self>) -> Result<()> {
        let this = allowed.thing();
        let sql = "SELECT 1 FROM security_group_rules WHERE remote_address_group_id = $1 LIMIT 1";
        if tx.query_opt(sql, &params![&this.id])?.is_some() {
            return Err(Error::AddressGroupInUse { id: this.id.to_string() });
        }
        tx.execute("DELETE FROM address_groups WHERE id = $1", &params![&this.id])?;
        keys::mark(tx, &keys::address_group(&this.id))?;
        by.doer.removed(tx, this)?;
        Ok(())
    }
}

/// Adds addresses, none of which is in the group.
pub fn add(tx: &mut Tx, doer: &Doer, allowed: &Allowed<Row>, addresses: &[IpNet]) -> Result<Row> {
    let mut row = allowed.thing().clone();
    let twice: Vec<&IpNet> = addresses.iter().filter(|address| row.addresses.contains(address)).collect();
    if !twice.is_empty() {
        return Err(Error::AddressesAlreadyExist { addresses: texts(&twice), id: row.id.to_string() });
    }
    row.take_in(addresses)?;
    write(tx, doer, allowed, row)
}

/// Takes addresses out, all of which are in the group.
pub fn remove(tx: &mut Tx, doer: &Doer, allowed: &Allowed<Row>, addresses: &[IpNet]) -> Result<Row> {
    let mut row = allowed.thing().clone();
    let unknown: Vec<&IpNet> = addresses.iter().filter(|address| !row.addresses.contains(address)).collect();
    if !unknown.is_empty() {
        return Err(Error::AddressesNotFound { addresses: texts(&unknown), id: row.id.to_string() });
    }
    row.addresses.retain(|address| !addresses.contains(address));
    write(tx, doer, allowed, row)
}

fn texts(addresses: &[&IpNet]) -> String {
    let texts: Vec<String> = addresses.iter().take(10).map(|address| format!("'{address}'")).collect();
    let more = if addresses.len() > texts.len() { ", …" } else { "" };
    format!("[{}{more}]", texts.join(", "))
}

impl Row {
    fn take_in(&mut self, addresses: &[IpNet]) -> Result<()> {
        self.addresses.extend_from_slice(addresses);
        self.addresses.sort_unstable();
        self.addresses.dedup();
        match self.addresses.len() {
            0..=MOST => Ok(()),
            more => Err(Error::invalid(format!("an address group holds at most {MOST} addresses, and these would be {more}"))),
        }
    }
}

fn write(tx: &mut Tx, doer: &Doer, allowed: &Allowed<Row>, mut row: Row) -> Result<Row> {
    let this = allowed.thing();
    row.updated_at = Timestamp::now();
    row.generation += 1;
    tx.execute_cas(
        "UPDATE address_groups SET name = $2, description = $3, addresses = $4, updated_at = $5, generation = $6 \
         WHERE id = $1 AND generation = $7",
        &params![&row.id, &row.name, &row.description, json!(row.addresses), row.updated_at, row.generation, this.generation,],
    )?;
    if row.addresses != this.addresses {
        keys::mark(tx, &keys::address_group(&row.id))?;
    }
    doer.changed(tx, this, &row)?;
    Ok(row)
}
