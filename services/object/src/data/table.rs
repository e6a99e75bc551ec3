// SPDX-License-Identifier: Apache-2.0
//! `object_data`, and where it lies.

use bytes::Bytes;
use contracts::data::Piece;
use store::{Row, Tx, params};
use types::Timestamp;

use super::{Data, Lies, Taken};
use crate::Error;

/// Makes what was taken in the data of something, which holds it. Its note goes; if somebody else was faster with it, nothing
/// is made.
pub fn keep(tx: &mut Tx, taken: &Taken) -> Result<(), Error> {
    let small = match &taken.data.lies {
        Lies::Here(bytes) => Some(bytes.to_vec()),
        Lies::InPieces(_) => {
            strike_out(tx, &taken.data.id)?.then_some(()).ok_or(Error::Conflict("The upload was given up meanwhile.".into()))?;
            None
        }
    };
    let sql = "INSERT INTO object_data (id, size, holders, small) VALUES ($1, $2, 1, $3)";
    tx.execute(sql, &params![&taken.data.id, taken.data.size, small])?;
    let Lies::InPieces(pieces) = &taken.data.lies else { return Ok(()) };
    insert_pieces(tx, &taken.data.id, pieces)
}

/// Pieces that are one data from now on, in their order.
pub fn insert_pieces(tx: &mut Tx, data: &str, pieces: &[Piece]) -> Result<(), Error> {
    let sql = "INSERT INTO object_pieces (data_id, ordinal, segment, position, length, checksum) VALUES ($1, $2, $3, $4, $5, $6)";
    for (ordinal, piece) in pieces.iter().enumerate() {
        let Piece { segment, offset, length, checksum } = *piece;
        tx.execute(sql, &params![data, ordinal, segment, offset, length, checksum])?;
    }
    Ok(())
}

/// One more thing holds this data.
pub fn hold(tx: &mut Tx, data: &str) -> Result<(), Error> {
    Ok(tx.execute_cas("UPDATE object_data SET holders = holders + 1 WHERE id = $1", &params![data])?)
}

/// One less does. With the last one it goes, and its pieces are written down to go, too.
pub fn let_go(tx: &mut Tx, data: &str) -> Result<(), Error> {
    let row = tx.query_one(
        "UPDATE object_data SET holders = holders - 1 WHERE id = $1 RETURNING holders, CAST(CASE WHEN small IS NULL THEN 1 ELSE 0 END AS BIGINT)",
        &params![data],
    )?;
    let (holders, in_pieces): (i64, bool) = (row.get(0)?, row.get(1)?);
    if holders > 0 {
        return Ok(());
    }
    if in_pieces {
        let sql = "INSERT INTO object_released (data_id, segment, position, length, checksum, released_at) \
                   SELECT data_id, segment, position, length, checksum, CAST($2 AS BIGINT) FROM object_pieces WHERE data_id = $1";
        tx.execute(sql, &params![data, Timestamp::now()])?;
        tx.execute("DELETE FROM object_pieces WHERE data_id = $1", &params![data])?;
    }
    tx.execute("DELETE FROM object_data WHERE id = $1", &params![data])?;
    Ok(())
}

/// What was taken in and became nothing's, written down to go.
pub fn give_up(tx: &mut Tx, owner: &str, pieces: &[Piece]) -> Result<(), Error> {
    if !strike_out(tx, owner)? {
        return Ok(());
    }
    let sql =
        "INSERT INTO object_released (data_id, segment, position, length, checksum, released_at) VALUES ($1, $2, $3, $4, $5, $6)";
    for Piece { segment, offset, length, checksum } in pieces.iter().copied() {
        tx.execute(sql, &params![owner, segment, offset, length, checksum, Timestamp::now()])?;
    }
    Ok(())
}

fn strike_out(tx: &mut Tx, owner: &str) -> Result<bool, Error> {
    Ok(tx.execute("DELETE FROM object_owners WHERE owner = $1", &params![owner])? > 0)
}

pub fn get(tx: &mut Tx, id: &str) -> Result<Data, Error> {
    let row = tx.query_one("SELECT size, small FROM object_data WHERE id = $1", &params![id])?;
    let size = row.get(0)?;
    let lies = match row.get::<Option<Vec<u8>>>(1)? {
        Some(bytes) => Lies::Here(Bytes::from(bytes)),
        None => {
            let sql = "SELECT segment, position, length, checksum FROM object_pieces WHERE data_id = $1 ORDER BY ordinal";
            Lies::InPieces(tx.query(sql, &params![id])?.iter().map(piece).collect::<Result<_, _>>()?)
        }
    };
    Ok(Data { id: id.to_owned(), size, lies })
}

pub fn piece(row: &Row) -> Result<Piece, store::Error> {
    Ok(Piece { segment: row.get(0)?, offset: row.get(1)?, length: row.get(2)?, checksum: row.get(3)? })
}
