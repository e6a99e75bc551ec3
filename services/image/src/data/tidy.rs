// SPDX-License-Identifier: Apache-2.0
//! At the start nobody uploads: rows and folders are brought together again.

use std::collections::{HashMap, HashSet};

use ::store::Actor;
use types::ImageId;

use crate::{
    Error, Image, StoreSettings,
    image::{Row, Status, store},
    task,
};

/// An image that is `saving`, or whose staging broke off, waits for its data again; what is half there, or held by nobody,
/// goes. Imports are left alone: their reconciler goes on with them.
pub async fn tidy(room: &Image) -> Result<(), Error> {
    for folder in room.settings.stores.iter().map(|store| store.folder.clone()).chain([room.settings.staging()]) {
        work::durable::make_dir(&folder).map_err(|cause| Error::file(&folder, cause))?;
    }
    adopt(room).await?;
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
    for path in leftovers(room).await? {
        tracing::info!(file = %path.display(), "removing data that belongs to no image");
        tokio::fs::remove_file(&path).await.map_err(|cause| Error::file(&path, cause))?;
    }
    Ok(())
}

/// Files that no image holds or has staged, partial ones of earlier attempts included.
pub async fn leftovers(room: &Image) -> Result<Vec<std::path::PathBuf>, Error> {
    let (held, staged) = room.store.list(|tx| Ok::<_, Error>((store::held(tx)?, store::staged(tx)?))).await?;
    let mut wanted: HashMap<&str, HashSet<&str>> = HashMap::new();
    for held in &held {
        for store in &held.holds {
            wanted.entry(store).or_default().insert(&held.blob);
        }
    }
    let mut found = Vec::new();
    for StoreSettings { id, folder, .. } in &room.settings.stores {
        let wanted = wanted.get(id.as_str());
        found.extend(others(folder, |name| wanted.is_some_and(|names| names.contains(name))).await?);
    }
    let staged: HashSet<&str> = staged.iter().map(ImageId::as_str).collect();
    found.extend(others(&room.settings.staging(), |name| staged.contains(name)).await?);
    Ok(found)
}

/// Files of a folder that are not wanted there.
async fn others(folder: &std::path::Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<std::path::PathBuf>, Error> {
    let failed = |cause| Error::file(folder, cause);
    let mut entries = tokio::fs::read_dir(folder).await.map_err(failed)?;
    let mut found = Vec::new();
    while let Some(entry) = entries.next_entry().await.map_err(failed)? {
        let is_file = entry.file_type().await.map_err(failed)?.is_file();
        if is_file && !wanted(&entry.file_name().to_string_lossy()) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Images from before there were stores have their data in a file of their own name, in the room's folder. They get their
/// place in the default store.
async fn adopt(room: &Image) -> Result<(), Error> {
    let Some(store) = room.settings.stores.first().cloned() else { return Ok(()) };
    let old: Vec<Row> = room
        .store
        .list(|tx| store::with_status(tx, Status::Active))
        .await?
        .into_iter()
        .filter(|image| image.place.blob.is_none())
        .collect();
    for image in old {
        let Some(sha512) = image.data.as_ref().map(|data| data.sha512.clone()) else { continue };
        let (from, to) = (room.settings.folder.join(image.id.as_str()), store.blob(&sha512));
        // Linked first and removed last, so that it is there under one of its names at any moment.
        match tokio::fs::hard_link(&from, &to).await {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                tracing::error!(image = %image.id, path = %from.display(), %error, "the data of an image is not where it was");
                continue;
            }
            _ => {}
        }
        let id = store.id.clone();
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
