// SPDX-License-Identifier: Apache-2.0
//! `object_objects`. Each change counts in the container and the account, in the same transaction.

use serde::Serialize;
use store::{Row, Tx, params};
use types::Timestamp;

use super::{Kind, Object, Words};
use crate::{
    Error,
    container::{Container, table as containers},
    data::table as data,
    grant::{Granted, Listing, Reading, Writing},
    listing::{Span, render},
};

const COLUMNS: &str = "name, data_id, size, shown_size, etag, kind, content_type, metadata, stamp, delete_at";

pub fn get(tx: &mut Tx, granted: &Granted<Reading>, container: &Container, name: &str) -> Result<Option<Object>, Error> {
    granted.covers(container)?;
    Ok(any(tx, container, name)?.filter(|object| !object.is_due()))
}

/// The same for whoever may write it, due or not.
pub fn get_to_change(
    tx: &mut Tx,
    granted: &Granted<Writing>,
    container: &Container,
    name: &str,
) -> Result<Option<Object>, Error> {
    granted.covers(container)?;
    any(tx, container, name)
}

fn any(tx: &mut Tx, container: &Container, name: &str) -> Result<Option<Object>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM object_objects WHERE container_id = $1 AND name = $2");
    let row = tx.query_opt(&sql, &params![&container.id, name])?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// The object is this from now on; its data was held for it already. `before` is what [`get_to_change`] found in this very
/// transaction. False: that is younger, and stays.
pub fn put(
    tx: &mut Tx,
    granted: &Granted<Writing>,
    container: &Container,
    before: Option<&Object>,
    object: &Object,
) -> Result<bool, Error> {
    granted.covers(container)?;
    if before.is_some_and(|before| before.stamp > object.stamp) {
        return Ok(false);
    }
    let sql = "INSERT INTO object_objects (container_id, name, data_id, size, shown_size, etag, kind, content_type, metadata, stamp, delete_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (container_id, name) DO UPDATE SET \
               data_id = excluded.data_id, size = excluded.size, shown_size = excluded.shown_size, etag = excluded.etag, \
               kind = excluded.kind, content_type = excluded.content_type, metadata = excluded.metadata, \
               stamp = excluded.stamp, delete_at = excluded.delete_at";
    let values = params![
        &container.id,
        &object.name,
        &object.data,
        object.size,
        object.shown_size,
        &object.etag,
        object.kind.word(),
        &object.content_type,
        json(&object.words)?,
        object.stamp,
        object.delete_at
    ];
    tx.execute(sql, &values)?;
    let old_size = before.map_or(0, |before| before.size);
    let bytes = object.size.cast_signed() - old_size.cast_signed();
    containers::count(tx, container, i64::from(before.is_none()), bytes)?;
    if let Some(before) = before {
        data::let_go(tx, &before.data)?;
    }
    Ok(true)
}

/// What is said of it is another from now on; its data stays.
pub fn update(tx: &mut Tx, granted: &Granted<Writing>, container: &Container, object: &Object) -> Result<(), Error> {
    granted.covers(container)?;
    let sql = "UPDATE object_objects SET content_type = $3, metadata = $4, stamp = $5, delete_at = $6, kind = $7 \
               WHERE container_id = $1 AND name = $2";
    let values = params![
        &container.id,
        &object.name,
        &object.content_type,
        json(&object.words)?,
        object.stamp,
        object.delete_at,
        object.kind.word()
    ];
    if tx.execute(sql, &values)? == 0 {
        return Err(Error::NotFound);
    }
    Ok(())
}

pub fn delete(tx: &mut Tx, granted: &Granted<Writing>, container: &Container, object: &Object) -> Result<(), Error> {
    granted.covers(container)?;
    let sql = "DELETE FROM object_objects WHERE container_id = $1 AND name = $2";
    if tx.execute(sql, &params![&container.id, &object.name])? == 0 {
        return Err(Error::NotFound);
    }
    containers::count(tx, container, -1, -object.size.cast_signed())?;
    data::let_go(tx, &object.data)
}

/// A stretch of the list. What is due is in it no more, though it is still counted, until it has gone.
pub fn list(tx: &mut Tx, granted: &Granted<Listing>, container: &Container, span: &Span) -> Result<Vec<(String, Shown)>, Error> {
    granted.covers(container)?;
    let sql = format!(
        "SELECT name, shown_size, etag, content_type, stamp, kind FROM object_objects \
         WHERE container_id = $1 AND (delete_at IS NULL OR delete_at > $2){}",
        span.conditions("name", 3)
    );
    let mut values = params![&container.id, Timestamp::now()].to_vec();
    values.extend(span.values());
    let shown = |row: &Row| -> Result<(String, Shown), store::Error> {
        let (name, hash): (String, String) = (row.get(0)?, row.get(2)?);
        let is_manifest = Kind::of_word(row.get(5)?) == Kind::Manifest;
        let shown = Shown {
            name: name.clone(),
            bytes: row.get(1)?,
            slo_etag: is_manifest.then(|| format!("\"{hash}\"")),
            hash,
            content_type: row.get(3)?,
            last_modified: row.get::<Timestamp>(4)?.naive_micros(),
        };
        Ok((name, shown))
    };
    Ok(tx.query(&sql, &values)?.iter().map(shown).collect::<Result<_, _>>()?)
}

/// A line of a container's list.
#[derive(Debug, Serialize)]
pub struct Shown {
    pub name: String,
    pub bytes: u64,
    pub hash: String,
    pub content_type: String,
    pub last_modified: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slo_etag: Option<String>,
}

impl render::Line for Shown {
    const TAG: &'static str = "object";

    fn name(&self) -> &str {
        &self.name
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("hash", self.hash.clone()),
            ("bytes", self.bytes.to_string()),
            ("content_type", self.content_type.clone()),
            ("last_modified", self.last_modified.clone()),
        ]
    }
}

impl Object {
    pub fn is_due(&self) -> bool {
        self.delete_at.is_some_and(|at| at <= Timestamp::now())
    }
}

fn read(row: &Row) -> Result<Object, store::Error> {
    Ok(Object {
        name: row.get(0)?,
        data: row.get(1)?,
        size: row.get(2)?,
        shown_size: row.get(3)?,
        etag: row.get(4)?,
        kind: Kind::of_word(row.get(5)?),
        content_type: row.get(6)?,
        words: row.json(7)?,
        stamp: row.get(8)?,
        delete_at: row.get(9)?,
    })
}

fn json(words: &Words) -> Result<String, Error> {
    serde_json::to_string(words).map_err(|error| Error::Invalid(format!("This metadata cannot be kept: {error}.")))
}
