// SPDX-License-Identifier: Apache-2.0
//! Uploads whose parts nobody joins go, some days after the last of them came. Until then their parts count for the bucket.

use store::{Tx, params};
use types::Timestamp;
use work::{KeyedReconciler, Step};

use super::table;
use crate::{Error, Objects, container::table as containers};

pub struct Abandoner {
    room: Objects,
}

/// When anything of an upload came last.
const LAST: &str = "COALESCE((SELECT MAX(p.put_at) FROM object_parts p WHERE p.upload_id = u.id), u.begun_at)";

impl Abandoner {
    pub fn new(room: Objects) -> Self {
        Self { room }
    }
}

impl KeyedReconciler for Abandoner {
    fn name(&self) -> &'static str {
        "object.uploads"
    }

    async fn pending(&self, after: &str, limit: usize) -> Result<Vec<String>, String> {
        let (after, until) = (after.to_owned(), Timestamp::now().minus(self.room.settings.patience));
        let read = move |tx: &mut Tx| {
            let sql = format!(
                "SELECT u.id FROM object_uploads u WHERE u.id > $1 AND u.begun_at <= $2 AND {LAST} <= $2 ORDER BY u.id LIMIT $3"
            );
            let rows = tx.query(&sql, &params![&after, until, limit])?;
            rows.iter().map(|row| row.get(0)).collect::<Result<Vec<String>, store::Error>>()
        };
        self.room.store.list(read).await.map_err(|error| error.to_string())
    }

    async fn converge(&self, key: &str) -> Result<Step, String> {
        let (id, until) = (key.to_owned(), Timestamp::now().minus(self.room.settings.patience));
        let gone = self.room.store.write(move |tx| abandon(tx, &id, until)).await;
        work::crash::point("object.upload.abandoned");
        gone.map(|()| Step::Settled).map_err(|error| error.to_string())
    }
}

/// A part may have come since it was looked at.
fn abandon(tx: &mut Tx, id: &str, until: Timestamp) -> Result<(), Error> {
    let sql = format!("SELECT u.container_id FROM object_uploads u WHERE u.id = $1 AND {LAST} <= $2");
    let Some(row) = tx.query_opt(&sql, &params![id, until])? else { return Ok(()) };
    let container: String = row.get(0)?;
    let (Some(container), Some(upload)) = (containers::by_id(tx, &container)?, table::by_id(tx, id)?) else { return Ok(()) };
    table::abort(tx, &container, &upload)
}
