// SPDX-License-Identifier: Apache-2.0
//! At the start of the only controller nobody uploads: rows and folders are brought together again.

use std::collections::HashSet;

use ::store::Actor;

use super::released::{self, Named, Where};
use crate::{
    Error, Image, StoreSettings,
    image::{Row, Status, table},
    stores::place::Place,
    task,
};

/// Makes the folders, where they are not there.
pub async fn prepare(room: &Image) -> Result<(), Error> {
    let scratch = room.settings.stores.iter().map(|store| store.place.scratch().clone());
    for folder in scratch.chain([room.settings.staging(), room.settings.near()]) {
        work::durable::make_dir(&folder).map_err(|cause| Error::file(&folder, cause))?;
    }
    adopt(room).await
}

/// An image that is `saving`, or whose staging broke off, waits for its data again; what is half there, or was given up, goes.
/// Imports are left alone: their reconciler goes on with them. Not while another controller may take in data: its uploads
/// would be taken for broken ones.
pub async fn tidy(room: &Image) -> Result<(), Error> {
    let write = room.store.write(move |tx| {
        task::table::forget_expired(tx)?;
        let mut broken = table::with_status(tx, Status::Saving)?;
        let uploading = table::with_status(tx, Status::Uploading)?;
        broken.extend(uploading.into_iter().filter(|image| image.place.staged.is_none()));
        for before in broken {
            table::reserve(tx, &before.id, 0)?;
            table::update(tx, &Actor::system("image.tidy"), &before, &before.without_data())?;
        }
        Ok::<_, Error>(())
    });
    write.await?;
    for (place, name) in partials(room).await? {
        tracing::info!(name, "removing what came of an upload that broke off");
        place.remove(&name).await?;
    }
    // What does not go now is tried again later.
    let _ = released::settle(room).await;
    abandon_uploads(room).await;
    Ok(())
}

/// Parts of uploads that a crash cut short stay in a bucket until somebody takes them away.
async fn abandon_uploads(room: &Image) {
    for StoreSettings { id, place, .. } in &room.settings.stores {
        if let Place::Bucket(at) = place
            && let Err(error) = at.bucket.abandon_uploads(&at.prefix).await
        {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(store = id, error, "parts of broken uploads are taken away at the next start");
        }
    }
}

/// Files that never became whole. Nobody was told that they were kept.
async fn partials(room: &Image) -> Result<Vec<(Place, String)>, Error> {
    let scratch = room.settings.stores.iter().map(|store| store.place.scratch().clone());
    let mut found = Vec::new();
    for folder in scratch.chain([room.settings.staging(), room.settings.near()]) {
        let place = Place::Folder(folder);
        let names = place.names().await?;
        found.extend(names.into_iter().filter(|name| is_partial(name)).map(|name| (place.clone(), name)));
    }
    Ok(found)
}

fn is_partial(name: &str) -> bool {
    name.ends_with(".partial")
}

/// What lies in a store, or waits or is near by, of which these tables know nothing. A bucket that does not answer is passed
/// over: the cloud goes on without it.
pub async fn strays(room: &Image) -> Result<Vec<Named>, Error> {
    let known = |tx: &mut ::store::Tx| Ok::<_, Error>((table::held(tx)?, table::with_data_on_its_way(tx)?, released::all(tx)?));
    let (held, staged, released) = room.store.list(known).await?;
    let mut expected: HashSet<Named> = released.into_iter().collect();
    let staged = staged.into_iter().map(|image| Named { place: Where::Staging, name: image.into_string() });
    expected.extend(staged);
    for held in held {
        let stores = held.holds.into_iter().map(Where::Store);
        expected.extend(stores.chain([Where::Near]).map(|place| Named { place, name: held.blob.clone() }));
    }
    let stores = room.settings.stores.iter().map(|store| Where::Store(store.id.clone()));
    let mut strays = Vec::new();
    for at in stores.chain([Where::Staging, Where::Near]) {
        let Some(place) = released::place_of(room, &at) else { continue };
        let names = match place.names().await {
            Err(Error::Bucket(error)) => {
                tracing::warn!(place = %at, error = &error as &dyn std::error::Error, "an object store does not answer");
                continue;
            }
            names => names?,
        };
        let all = names.into_iter().filter(|name| !is_partial(name)).map(|name| Named { place: at.clone(), name });
        strays.extend(all.filter(|named| !expected.contains(named)));
    }
    Ok(strays)
}

/// Images from before there were stores have their data in a file of their own name, in the room's folder. They get their
/// place in the first store that is a folder.
async fn adopt(room: &Image) -> Result<(), Error> {
    let folders = room.settings.stores.iter().filter_map(|store| match &store.place {
        Place::Folder(folder) => Some((store.id.clone(), folder.clone())),
        Place::Bucket(_) => None,
    });
    let Some((store, folder)) = folders.into_iter().next() else { return Ok(()) };
    let old: Vec<Row> = room
        .store
        .list(|tx| table::with_status(tx, Status::Active))
        .await?
        .into_iter()
        .filter(|image| image.place.blob.is_none())
        .collect();
    for image in old {
        let Some(sha512) = image.data.as_ref().map(|data| data.sha512.clone()) else { continue };
        let (from, to) = (room.settings.folder.join(image.id.as_str()), folder.join(&sha512));
        // Linked first and removed last, so that it is there under one of its names at any moment.
        match tokio::fs::hard_link(&from, &to).await {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                tracing::error!(image = %image.id, path = %from.display(), %error, "the data of an image is not where it was");
                continue;
            }
            _ => {}
        }
        let id = store.clone();
        let write = room.store.write(move |tx| {
            let mut after = image.clone();
            after.place.blob = Some(sha512.clone());
            after.place.holds.insert(id.clone());
            after.place.stores.insert(id.clone());
            table::update(tx, &Actor::system("image.adopt"), &image, &after).map(drop)
        });
        write.await?;
        tokio::fs::remove_file(&from).await.map_err(|cause| Error::file(&from, cause))?;
    }
    Ok(())
}
