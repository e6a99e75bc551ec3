// SPDX-License-Identifier: Apache-2.0
//! Data that goes, by name. It is written down in the transaction in which an image gives it up, and struck out when it is
//! gone: so what a crash left is told from what these tables never knew, and only the former is ever removed.
//!
//! Invariant: data that no image has is removed only if an image of these tables gave it up, or the operator says so (test:
//! `data_that_the_tables_do_not_know_is_kept`).

use std::time::Duration;

use ::store::{Tx, params};
use types::ImageId;

pub use super::given_up::{Named, Where, insert};
use crate::{
    Error, Image,
    image::{Row, Status, table},
    stores::place::{Place, remove_file},
};

/// What a change left, if its own request did not get to removing it.
const AGAIN: Duration = Duration::from_secs(3600);

/// All that is still to go.
pub fn all(tx: &mut Tx) -> Result<Vec<Named>, Error> {
    let rows = tx.query("SELECT place, name FROM image_released ORDER BY place, name", &[])?;
    let mut all = Vec::with_capacity(rows.len());
    for row in &rows {
        // A place of a newer version is not this one's to touch.
        if let Some(place) = Where::parse(row.get(0)?) {
            all.push(Named { place, name: row.get(1)? });
        }
    }
    Ok(all)
}

/// Removes all that an image gave up, or as much of it as goes.
///
/// What this returns is the last that did not go.
pub async fn settle(room: &Image) -> Result<(), Error> {
    let mut outcome = Ok(());
    for named in room.store.list(all).await? {
        if let Err(error) = remove(room, &named).await {
            tracing::warn!(place = %named.place, name = named.name, error = error.chain(), "data that nobody needs is not removed yet");
            outcome = Err(error);
        }
    }
    outcome
}

/// The same from time to time, until it is dropped.
pub async fn keep_settling(room: Image) {
    loop {
        if let Err(error) = settle(&room).await {
            tracing::warn!(error = error.chain(), "data that nobody needs is looked for again later");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Sees to it that this is gone, unless an image has it by now. If this is interrupted, it is done later.
pub async fn remove(room: &Image, named: &Named) -> Result<(), Error> {
    let _one_at_a_time = room.locks.lock(&named.name).await;
    let looked_for = named.clone();
    let is_wanted = room.store.read(move |tx| is_wanted(tx, &looked_for)).await?;
    if !is_wanted {
        let Some(place) = place_of(room, &named.place) else { return Ok(()) };
        match place {
            Place::Folder(folder) => remove_file(folder.join(&named.name)).await?,
            bucket @ Place::Bucket(_) => bucket.remove(&named.name).await?,
        }
    }
    let gone = named.clone();
    let strike_out = room.store.write(move |tx| {
        let sql = "DELETE FROM image_released WHERE place = $1 AND name = $2";
        tx.execute(sql, &params![gone.place.to_string(), &gone.name]).map(drop)
    });
    Ok(strike_out.await?)
}

pub fn is_wanted(tx: &mut Tx, named: &Named) -> Result<bool, Error> {
    match &named.place {
        Where::Store(id) => table::is_held(tx, id, &named.name),
        Where::Near => table::is_known(tx, &named.name),
        Where::Staging => {
            let is_staged =
                |image: Row| image.place.staged.is_some() || matches!(image.status, Status::Uploading | Status::Importing);
            Ok(table::find(tx, &named.name)?.is_some_and(is_staged))
        }
    }
}

/// None for a store that is not configured now.
pub fn place_of(room: &Image, place: &Where) -> Option<Place> {
    match place {
        Where::Store(id) => room.settings.store(id).map(|store| store.place.clone()),
        Where::Staging => Some(Place::Folder(room.settings.staging())),
        Where::Near => Some(Place::Folder(room.settings.near())),
    }
}

/// The names under which an image's data may lie.
pub fn of_image(id: &ImageId, image: &Row) -> Vec<Named> {
    let mut all = vec![Named { place: Where::Staging, name: id.to_string() }];
    if let Some(blob) = &image.place.blob {
        let stores = image.place.holds.iter().map(|store| Where::Store(store.clone()));
        all.extend(stores.chain([Where::Near]).map(|place| Named { place, name: blob.clone() }));
    }
    all
}
