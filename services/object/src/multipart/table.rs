// SPDX-License-Identifier: Apache-2.0
//! `object_uploads` and `object_parts`.

use store::{Row, Tx, params};
use types::Timestamp;

use super::{MOST_UPLOADS, Part, Upload};
use crate::{
    Error,
    container::{Container, table as containers},
    data::{self, Taken},
    grant::{Granted, Writing},
    object::Words,
};

pub fn begin(tx: &mut Tx, granted: &Granted<Writing>, container: &Container, upload: &Upload) -> Result<(), Error> {
    granted.covers(container)?;
    let row = tx.query_one("SELECT COUNT(*) FROM object_uploads WHERE container_id = $1", &params![&container.id])?;
    if row.get::<i64>(0)? >= MOST_UPLOADS {
        let message = format!("{MOST_UPLOADS} uploads of this bucket wait for parts, which is the most; complete or abort some.");
        return Err(Error::Invalid(message));
    }
    let sql =
        "INSERT INTO object_uploads (id, container_id, name, content_type, metadata, begun_at) VALUES ($1, $2, $3, $4, $5, $6)";
    let words = serde_json::to_string(&upload.words)
        .map_err(|error| Error::Invalid(format!("This metadata cannot be kept: {error}.")))?;
    tx.execute(sql, &params![&upload.id, &container.id, &upload.name, &upload.content_type, words, upload.begun_at])?;
    Ok(())
}

/// An upload is known by its bucket, its key and its id together.
pub fn find(
    tx: &mut Tx,
    granted: &Granted<Writing>,
    container: &Container,
    name: &str,
    id: &str,
) -> Result<Option<Upload>, Error> {
    granted.covers(container)?;
    let sql =
        "SELECT id, name, content_type, metadata, begun_at FROM object_uploads WHERE container_id = $1 AND name = $2 AND id = $3";
    let row = tx.query_opt(sql, &params![&container.id, name, id])?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// For work that nobody asks for.
pub fn by_id(tx: &mut Tx, id: &str) -> Result<Option<Upload>, Error> {
    let row =
        tx.query_opt("SELECT id, name, content_type, metadata, begun_at FROM object_uploads WHERE id = $1", &params![id])?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// Uploads by key and id, behind `after`, below `below`.
pub fn list(
    tx: &mut Tx,
    granted: &Granted<Writing>,
    container: &Container,
    prefix: &str,
    after: Option<&(String, String)>,
    limit: usize,
) -> Result<Vec<Upload>, Error> {
    granted.covers(container)?;
    let (key, id) = after.map_or(("", ""), |(key, id)| (key.as_str(), id.as_str()));
    let below = crate::listing::after_all(prefix).unwrap_or_else(|| "\u{10FFFF}".to_owned());
    let sql = "SELECT id, name, content_type, metadata, begun_at FROM object_uploads WHERE container_id = $1 AND name >= $2 \
               AND name < $3 AND (name > $4 OR (name = $4 AND id > $5)) ORDER BY name, id LIMIT $6";
    let rows = tx.query(sql, &params![&container.id, prefix, below, key, id, limit])?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// Of an upload that was found, by number.
pub fn parts(tx: &mut Tx, upload: &Upload, after: u32, limit: usize) -> Result<Vec<Part>, Error> {
    let sql = "SELECT number, data_id, size, md5, put_at FROM object_parts WHERE upload_id = $1 AND number > $2 ORDER BY number LIMIT $3";
    let rows = tx.query(sql, &params![&upload.id, after, limit])?;
    Ok(rows.iter().map(read_part).collect::<Result<_, _>>()?)
}

pub fn put_part(
    tx: &mut Tx,
    container: &Container,
    upload: &Upload,
    number: u32,
    taken: &Taken,
    at: Timestamp,
) -> Result<(), Error> {
    let before = parts(tx, upload, number - 1, 1)?.into_iter().find(|part| part.number == number);
    data::table::keep(tx, taken)?;
    let sql = "INSERT INTO object_parts (upload_id, number, data_id, size, md5, put_at) VALUES ($1, $2, $3, $4, $5, $6) \
               ON CONFLICT (upload_id, number) DO UPDATE SET data_id = excluded.data_id, size = excluded.size, \
               md5 = excluded.md5, put_at = excluded.put_at";
    tx.execute(sql, &params![&upload.id, number, &taken.data.id, taken.data.size, &taken.md5, at])?;
    let old = before.as_ref().map_or(0, |part| part.size);
    containers::count(tx, container, 0, taken.data.size.cast_signed() - old.cast_signed())?;
    match before {
        Some(part) => data::table::let_go(tx, &part.data),
        None => Ok(()),
    }
}

/// The pieces of these parts are one data from now on, which one thing holds; the upload is gone, with its other parts.
pub fn join(tx: &mut Tx, container: &Container, upload: &Upload, chosen: &[Part], joined: &str) -> Result<u64, Error> {
    let size = chosen.iter().map(|part| part.size).sum::<u64>();
    let all = parts(tx, upload, 0, usize::try_from(i64::MAX).unwrap_or(usize::MAX))?;
    remove_rows(tx, container, upload, &all)?;
    tx.execute("INSERT INTO object_data (id, size, holders, small) VALUES ($1, $2, 1, NULL)", &params![joined, size])?;
    let mut first = 0;
    for part in chosen {
        let sql = "UPDATE object_pieces SET data_id = $1, ordinal = ordinal + $2 WHERE data_id = $3";
        first += tx.execute(sql, &params![joined, first, &part.data])?;
        tx.execute("DELETE FROM object_data WHERE id = $1", &params![&part.data])?;
    }
    for part in all.iter().filter(|part| !chosen.iter().any(|chosen| chosen.number == part.number)) {
        data::table::let_go(tx, &part.data)?;
    }
    Ok(size)
}

/// The upload is gone, and so are its parts.
pub fn abort(tx: &mut Tx, container: &Container, upload: &Upload) -> Result<(), Error> {
    let all = parts(tx, upload, 0, usize::try_from(i64::MAX).unwrap_or(usize::MAX))?;
    remove_rows(tx, container, upload, &all)?;
    all.iter().try_for_each(|part| data::table::let_go(tx, &part.data))
}

/// Of a container that goes.
pub fn abort_all(tx: &mut Tx, container: &Container) -> Result<(), Error> {
    let sql = "SELECT id, name, content_type, metadata, begun_at FROM object_uploads WHERE container_id = $1";
    let uploads = tx.query(sql, &params![&container.id])?.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    uploads.iter().try_for_each(|upload| abort(tx, container, upload))
}

fn remove_rows(tx: &mut Tx, container: &Container, upload: &Upload, parts: &[Part]) -> Result<(), Error> {
    tx.execute("DELETE FROM object_parts WHERE upload_id = $1", &params![&upload.id])?;
    if tx.execute("DELETE FROM object_uploads WHERE id = $1", &params![&upload.id])? == 0 {
        return Err(Error::NotFound);
    }
    let bytes = parts.iter().map(|part| part.size).sum::<u64>();
    containers::count(tx, container, 0, -bytes.cast_signed())
}

fn read(row: &Row) -> Result<Upload, store::Error> {
    Ok(Upload {
        id: row.get(0)?,
        name: row.get(1)?,
        content_type: row.get(2)?,
        words: row.json::<Words>(3)?,
        begun_at: row.get(4)?,
    })
}

fn read_part(row: &Row) -> Result<Part, store::Error> {
    Ok(Part { number: row.get(0)?, data: row.get(1)?, size: row.get(2)?, md5: row.get(3)?, put_at: row.get(4)? })
}
