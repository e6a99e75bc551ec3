// SPDX-License-Identifier: Apache-2.0
//! At the start of the only controller nobody uploads: rows and folders are brought together again.

use std::collections::{BTreeSet, HashMap, HashSet};

use ::store::Actor;
use types::ImageId;

use crate::{
    Error, Image, StoreSettings,
    image::{Row, Status, store},
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

/// An image that is `saving`, or whose staging broke off, waits for its data again; what is half there, or held by nobody,
/// goes. Imports are left alone: their reconciler goes on with them. Not while another controller may take in data: its
/// uploads would be taken for broken ones, and what it has just stored for something that nobody holds.
pub async fn tidy(room: &Image) -> Result<(), Error> {
    let write = room.store.write(move |tx| {
        task::store::forget_expired(tx)?;
        let mut broken = store::with_status(tx, Status::Saving)?;
        let uploading = store::with_status(tx, Status::Uploading)?;
        broken.extend(uploading.into_iter().filter(|image| image.place.staged.is_none()));
        for before in broken {
            store::reserve(tx, &before.id, 0)?;
            store::update(tx, &Actor::system("image.tidy"), &before, &before.without_data())?;
        }
        Ok::<_, Error>(())
    });
    write.await?;
    for (place, name) in leftovers(room).await? {
        tracing::info!(name, "removing data that belongs to no image");
        place.remove(&name).await?;
    }
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

/// What no image holds or has staged, partial files of earlier attempts included. A bucket that does not answer is left as
/// it is: the cloud starts without it.
pub async fn leftovers(room: &Image) -> Result<Vec<(Place, String)>, Error> {
    let (held, staged) = room.store.list(|tx| Ok::<_, Error>((store::held(tx)?, store::staged(tx)?))).await?;
    let blobs: HashSet<&str> = held.iter().map(|held| held.blob.as_str()).collect();
    let mut wanted: HashMap<&str, HashSet<&str>> = HashMap::new();
    for held in &held {
        for store in &held.holds {
            wanted.entry(store).or_default().insert(&held.blob);
        }
    }
    let mut found = Vec::new();
    for StoreSettings { id, place, .. } in &room.settings.stores {
        let wanted = wanted.get(id.as_str());
        let names = match place.names().await {
            Err(Error::Bucket(error)) => {
                tracing::warn!(store = id, error = &error as &dyn std::error::Error, "an object store does not answer");
                continue;
            }
            names => names?,
        };
        found.extend(not_among(place, names, |name| wanted.is_some_and(|names| names.contains(name))));
        if let Place::Bucket(at) = place {
            let scratch = Place::Folder(at.scratch.clone());
            found.extend(not_among(&scratch, scratch.names().await?, |_| false));
        }
    }
    let staged: HashSet<&str> = staged.iter().map(ImageId::as_str).collect();
    let staging = Place::Folder(room.settings.staging());
    found.extend(not_among(&staging, staging.names().await?, |name| staged.contains(name)));
    let near = Place::Folder(room.settings.near());
    found.extend(not_among(&near, near.names().await?, |name| blobs.contains(name)));
    Ok(found)
}

fn not_among(place: &Place, names: BTreeSet<String>, wanted: impl Fn(&str) -> bool) -> Vec<(Place, String)> {
    names.into_iter().filter(|name| !wanted(name)).map(|name| (place.clone(), name)).collect()
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
        .list(|tx| store::with_status(tx, Status::Active))
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
            store::update(tx, &Actor::system("image.adopt"), &image, &after).map(drop)
        });
        write.await?;
        tokio::fs::remove_file(&from).await.map_err(|cause| Error::file(&from, cause))?;
    }
    Ok(())
}
