// SPDX-License-Identifier: Apache-2.0
//! Objects that are due go. From the moment that they are, they are there for nobody; here they are counted no more, either.

use store::{Tx, params};
use types::Timestamp;
use work::{KeyedReconciler, Step};

use crate::{
    Error, Objects,
    container::{Container, table as containers},
    grant::{Granted, Writing},
    object::table,
};

const AT_ONCE: usize = 1000;

pub struct Expirer {
    room: Objects,
}

impl Expirer {
    pub fn new(room: Objects) -> Self {
        Self { room }
    }
}

impl KeyedReconciler for Expirer {
    fn name(&self) -> &'static str {
        "object.expiry"
    }

    /// `container/name`; ids of containers are of one length, so that this is their order, too.
    async fn pending(&self, after: &str, limit: usize) -> Result<Vec<String>, String> {
        let (container, name) = after.split_once('/').unwrap_or_default();
        let (container, name) = (container.to_owned(), name.to_owned());
        let read = move |tx: &mut Tx| {
            let sql = "SELECT container_id, name FROM object_objects WHERE delete_at <= $1 \
                       AND (container_id, name) > ($2, $3) ORDER BY container_id, name LIMIT $4";
            let rows = tx.query(sql, &params![Timestamp::now(), &container, &name, limit])?;
            let key = |row: &store::Row| Ok(format!("{}/{}", row.get::<&str>(0)?, row.get::<&str>(1)?));
            rows.iter().map(key).collect::<Result<Vec<String>, store::Error>>()
        };
        self.room.store.list(read).await.map_err(|error| error.to_string())
    }

    async fn converge(&self, key: &str) -> Result<Step, String> {
        let Some((container, name)) = key.split_once('/') else { return Ok(Step::Settled) };
        let (container, name) = (container.to_owned(), name.to_owned());
        let gone = self.room.store.write(move |tx| expire(tx, &container, &name)).await;
        work::crash::point("object.expired");
        gone.map(|()| Step::Settled).map_err(|error| error.to_string())
    }
}

/// Objects of this container that are due go at once, as many as one transaction should hold.
pub fn clear(tx: &mut Tx, container: &Container) -> Result<(), Error> {
    let sql = "SELECT name FROM object_objects WHERE container_id = $1 AND delete_at <= $2 ORDER BY name LIMIT $3";
    let rows = tx.query(sql, &params![&container.id, Timestamp::now(), AT_ONCE])?;
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect::<Result<_, store::Error>>()?;
    names.iter().try_for_each(|name| expire(tx, &container.id, name))
}

fn expire(tx: &mut Tx, container: &str, name: &str) -> Result<(), Error> {
    let Some(container) = containers::by_id(tx, container)? else { return Ok(()) };
    let granted = Granted::<Writing>::for_work(&container.project, &container.name);
    match table::get_to_change(tx, &granted, &container, name)? {
        // It may have been put anew meanwhile.
        Some(object) if object.is_due() => table::delete(tx, &granted, &container, &object),
        _ => Ok(()),
    }
}
