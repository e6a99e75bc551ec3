// SPDX-License-Identifier: Apache-2.0
//! The data of images: one file each, named by the image's id, in the room's folder.
//!
//! While data streams in it goes to a partial file, is hashed and judged on the way, synced, given its name, and only
//! then does the row say `active`. Whichever of these a crash interrupts, [`tidy`] brings row and folder together again.

pub mod api;
mod receive;

use std::path::PathBuf;

use ::store::Actor;
use access::{Allowed, Scope};
use types::ImageId;

use crate::{
    Error, Image,
    image::{Status, store},
};

impl Image {
    /// Where the data of this image lies, or will.
    pub(crate) fn data_path(&self, id: &ImageId) -> PathBuf {
        self.folder.join(id.as_str())
    }

    fn partial_path(&self, id: &ImageId) -> PathBuf {
        self.folder.join(format!(".{id}.{}.partial", uuid::Uuid::new_v4().simple()))
    }
}

/// Removes the data of an image whose row is gone. If this is interrupted, the next start does it.
pub async fn forget(room: &Image, id: &ImageId) {
    let path = room.data_path(id);
    if let Err(error) = tokio::task::spawn_blocking(move || disks::durable::remove(&path)).await.unwrap_or(Ok(())) {
        tracing::warn!(image = %id, %error, "the data of a deleted image stays until the next start");
    }
}

/// At the start nobody uploads: an image that is `saving` waits for its data again, and files without an active image go.
pub async fn tidy(room: &Image) -> Result<(), Error> {
    let folder = room.folder.clone();
    tokio::fs::create_dir_all(&folder).await.map_err(|cause| Error::file(&folder, cause))?;
    let write = room.store.write(|tx| {
        let allowed = Allowed::<Scope>::for_work("image.tidy");
        for id in store::ids_with(tx, Status::Saving)? {
            let before = store::get(tx, &allowed, id.as_str())?;
            let after = crate::image::Row { status: Status::Queued, ..before.clone() };
            store::update(tx, &Actor::system("image.tidy"), &before, &after)?;
        }
        store::ids_with(tx, Status::Active)
    });
    let active = write.await?;
    for name in leftovers(room, &active).await? {
        let path = folder.join(&name);
        tracing::info!(file = %path.display(), "removing data that belongs to no image");
        tokio::fs::remove_file(&path).await.map_err(|cause| Error::file(&path, cause))?;
    }
    Ok(())
}

/// Files in the folder that belong to no active image.
pub async fn leftovers(room: &Image, active: &[ImageId]) -> Result<Vec<String>, Error> {
    let mut entries = tokio::fs::read_dir(&room.folder).await.map_err(|cause| Error::file(&room.folder, cause))?;
    let mut names = Vec::new();
    while let Some(entry) = entries.next_entry().await.map_err(|cause| Error::file(&room.folder, cause))? {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !active.iter().any(|id| id.as_str() == name) {
            names.push(name);
        }
    }
    Ok(names)
}
