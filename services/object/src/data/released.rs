// SPDX-License-Identifier: Apache-2.0
//! Pieces that nothing holds any more go, once nobody reads them.

use contracts::data::Piece;
use store::{Tx, params};
use types::Timestamp;
use work::{KeyedReconciler, Step};

use super::table;
use crate::{Error, Objects};

pub struct Releaser {
    room: Objects,
}

impl Releaser {
    pub fn new(room: Objects) -> Self {
        Self { room }
    }

    async fn release(&self, data: &str) -> Result<Step, Error> {
        if self.room.readers.are_at(data) {
            return Ok(Step::Wait);
        }
        let id = data.to_owned();
        let pieces = self.room.store.read(move |tx| pieces_of(tx, &id)).await?;
        work::crash::point("object.released.read");
        self.room.data.give_up(&pieces).await?;
        work::crash::point("object.released.given");
        let id = data.to_owned();
        self.room.store.write(move |tx| tx.execute("DELETE FROM object_released WHERE data_id = $1", &params![&id])).await?;
        Ok(Step::Settled)
    }
}

impl KeyedReconciler for Releaser {
    fn name(&self) -> &'static str {
        "object.data.released"
    }

    async fn pending(&self, after: &str, limit: usize) -> Result<Vec<String>, String> {
        let (after, grace) = (after.to_owned(), self.room.settings.grace);
        let read = move |tx: &mut Tx| {
            // Whoever learned of the data just before it was released has begun to read it by then.
            let sql =
                "SELECT DISTINCT data_id FROM object_released WHERE data_id > $1 AND released_at <= $2 ORDER BY data_id LIMIT $3";
            let rows = tx.query(sql, &params![&after, Timestamp::now().minus(grace), limit])?;
            rows.iter().map(|row| row.get(0)).collect::<Result<Vec<String>, store::Error>>()
        };
        self.room.store.list(read).await.map_err(|error| error.to_string())
    }

    async fn converge(&self, key: &str) -> Result<Step, String> {
        self.release(key).await.map_err(|error| error.to_string())
    }
}

fn pieces_of(tx: &mut Tx, data: &str) -> Result<Vec<Piece>, Error> {
    let sql = "SELECT segment, position, length, checksum FROM object_released WHERE data_id = $1";
    Ok(tx.query(sql, &params![data])?.iter().map(table::piece).collect::<Result<_, _>>()?)
}
