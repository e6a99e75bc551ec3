// SPDX-License-Identifier: Apache-2.0
//! The table of policies.

use access::{Allowed, Scope};
use store::{Actor, Row, Select, Tx, Value, params};

use super::{Blob, Document, DocumentUpdate, NewDocument};
use crate::{
    body::{merge, own_attributes, refuse_change},
    change,
    error::{Error, Result},
};

const COLUMNS: &str = "id, type, blob, extra";

pub fn select(_: &Allowed<Scope>) -> Select {
    Select::new("policies", COLUMNS)
}

pub fn list(tx: &mut Tx, select: &Select) -> Result<Vec<Document>> {
    select.rows(tx)?.iter().map(read).collect()
}

pub fn get(tx: &mut Tx, _: &Allowed<Scope>, id: &str) -> Result<Document> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM policies WHERE id = $1"), &params![id])?;
    row.as_ref().map(read).transpose()?.ok_or_else(|| Error::not_found("policy", id))
}

pub fn create(tx: &mut Tx, _: &Allowed<Scope>, actor: &Actor, new: &NewDocument) -> Result<Document> {
    let document = Document {
        id: uuid::Uuid::new_v4().simple().to_string(),
        kind: new.kind.as_str().to_owned(),
        blob: new.blob.clone(),
        extra: own_attributes(new.extra.clone()),
    };
    tx.execute("INSERT INTO policies (id, type, blob, extra) VALUES ($1, $2, $3, $4)", &row(&document))?;
    change::record(tx, actor, "policy", &document.id, None, Some(&document))?;
    Ok(document)
}

pub fn update(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &str, update: &DocumentUpdate) -> Result<Document> {
    let before = get(tx, allowed, id)?;
    refuse_change("id", id, &update.extra)?;
    let mut document = before.clone();
    if let Some(kind) = &update.kind {
        document.kind = kind.as_str().to_owned();
    }
    if let Some(blob) = &update.blob {
        document.blob = blob.clone();
    }
    merge(&mut document.extra, update.extra.clone(), &[]);
    tx.execute("UPDATE policies SET type = $2, blob = $3, extra = $4 WHERE id = $1", &row(&document))?;
    change::record(tx, actor, "policy", id, Some(&before), Some(&document))?;
    Ok(document)
}

/// For whatever endpoints it was, it is no more.
pub fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &str) -> Result<()> {
    let document = get(tx, allowed, id)?;
    tx.execute("DELETE FROM policies WHERE id = $1", &params![id])?;
    change::record(tx, actor, "policy", id, Some(&document), None)
}

fn row(document: &Document) -> [Value; 4] {
    let extra = serde_json::Value::Object(document.extra.clone());
    params![&document.id, &document.kind, document.blob.0.to_string(), extra]
}

fn read(row: &Row) -> Result<Document> {
    Ok(Document { id: row.get(0)?, kind: row.get(1)?, blob: Blob(row.json(2)?), extra: row.json(3)? })
}
