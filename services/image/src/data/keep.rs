// SPDX-License-Identifier: Apache-2.0
//! Puts a received file in its place in a store, and removes the files that no image holds any longer.
//!
//! Both happen under the blob's lock, around the row and the file together: else a delete that found nobody holding a
//! blob could remove the file which an upload of the same data has just put there.

use ::store::Actor;
use types::ImageId;

use super::{Received, released};
use crate::{
    Error, Image, StoreSettings,
    image::{Row, Status, table},
};

/// Keeps what was received as the data of `image` in `store`. The row is told first that the blob is held, and is told
/// that it is there by whoever called this, together with whatever else is true from then on.
pub async fn keep(room: &Image, actor: &Actor, image: &ImageId, to: &StoreSettings, received: Received) -> Result<(), Error> {
    let blob = received.facts.sha512.clone();
    let _one_at_a_time = room.locks.lock(&blob).await;
    let (id, actor, store_id) = (image.clone(), actor.clone(), to.id.clone());
    let write = room.store.write(move |tx| {
        let before = table::find(tx, id.as_str())?.ok_or(Error::Gone)?;
        let mut after = before.clone();
        if after.place.blob.as_ref().is_some_and(|known| *known != blob) {
            return Err(Error::Conflict("The image has other data already.".into()));
        }
        after.place.blob = Some(blob.clone());
        after.place.holds.insert(store_id.clone());
        table::update(tx, &actor, &before, &after).map(|image| image.owner.to_string())
    });
    let owner = write.await?;
    work::crash::point("image.data.held");
    to.place.put(&owner, received).await?;
    work::crash::point("image.data.kept");
    Ok(())
}

/// After the row is gone, or says that it has no data: removes what only it held.
pub async fn forget(room: &Image, image: &Row) {
    room.cache.forget(image.id.as_str());
    for named in released::of_image(&image.id, image) {
        if let Err(error) = released::remove(room, &named).await {
            tracing::warn!(image = %image.id, place = %named.place, error = error.chain(), "data that nobody needs is removed later");
        }
    }
}

/// After broken or refused data: the image waits again, whatever it held is released, and no file is left.
pub async fn give_up(room: &Image, actor: &Actor, id: &ImageId) {
    let (wanted, actor) = (id.clone(), actor.clone());
    let write = room.store.write(move |tx| {
        let Some(before) = table::find(tx, wanted.as_str())? else { return Ok(None) };
        if matches!(before.status, Status::Active | Status::Deactivated) {
            return Ok(None);
        }
        table::reserve(tx, &before.id, 0)?;
        table::update(tx, &actor, &before, &before.without_data())?;
        Ok::<_, Error>(Some(before))
    });
    match write.await {
        Ok(Some(before)) => forget(room, &before).await,
        Ok(None) => {}
        Err(error) => tracing::error!(image = %id, %error, "a broken upload is tidied at the next start"),
    }
}
