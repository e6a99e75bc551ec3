// SPDX-License-Identifier: Apache-2.0
//! Data of images near by: hosts are sent files, and what lies only in a bucket is brought here first, once, and kept for
//! the next host until others need the room.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use bounds::Threads;
use nix::sys::statvfs::statvfs;

use super::{Judge, receive};
use crate::{
    Error, Image,
    image::Row,
    stores::place::{files_in, remove_file},
};

/// For whom it is done: the hosts.
const NEAR: &str = "near";

impl Image {
    /// A file with the image's data: that of a folder, or one brought here for now.
    pub(crate) async fn near(&self, image: &Row) -> Result<Option<PathBuf>, Error> {
        let (Some(blob), Some(facts)) = (image.place.blob.as_deref(), &image.data) else { return Ok(None) };
        let stores = self.stores_of(image);
        let stores = stores.iter().filter_map(|id| self.settings.store(id));
        for file in stores.filter_map(|store| store.place.file(blob)) {
            if tokio::fs::try_exists(&file).await.unwrap_or(false) {
                return Ok(Some(file));
            }
        }
        let _once = self.locks.lock(blob).await;
        let path = self.settings.near().join(blob);
        if touch(&path).await {
            return Ok(Some(path));
        }
        let Some(chunks) = self.read_data(NEAR, image, 0, facts.size.unsigned_abs()).await? else { return Ok(None) };
        self.make_room(facts.size.unsigned_abs()).await?;
        let received = receive(NEAR, path.with_extension("partial"), Judge::Later, None, chunks).await;
        let received = received.map_err(|error| match error {
            Error::Full => self.no_room(facts.size.unsigned_abs()),
            other => other,
        })?;
        if received.facts.sha512 != facts.sha512 {
            return Err(Error::BrokenOff(std::io::Error::other("the object store's data does not have the image's hash")));
        }
        let to = path.clone();
        Threads::for_bytes().run(NEAR, move || received.publish(&to)).await??;
        Ok(Some(path))
    }

    fn no_room(&self, wanted: u64) -> Error {
        Error::NoRoomNear { folder: self.settings.near().display().to_string(), wanted }
    }

    /// Removes what was not used for longest until `wanted` bytes have room. Whoever reads such a file reads on.
    async fn make_room(&self, wanted: u64) -> Result<(), Error> {
        let folder = self.settings.near();
        let mut files = Vec::new();
        for name in files_in(&folder).await? {
            let path = folder.join(name);
            if let Ok(is) = tokio::fs::metadata(&path).await {
                files.push((is.modified().unwrap_or(SystemTime::UNIX_EPOCH), is.len(), path));
            }
        }
        files.sort();
        let mut taken: u64 = files.iter().map(|(_, length, _)| length).sum();
        for (_, length, path) in files {
            if taken + wanted <= self.settings.near_bytes && wanted <= free(&folder)? {
                break;
            }
            remove_file(path).await?;
            taken -= length;
        }
        if wanted <= free(&folder)? { Ok(()) } else { Err(self.no_room(wanted)) }
    }
}

/// Bytes that can be written there.
fn free(folder: &Path) -> Result<u64, Error> {
    let disk = statvfs(folder).map_err(|errno| Error::file(folder, errno.into()))?;
    Ok(disk.blocks_available() * disk.fragment_size())
}

/// Notes that the file is used now. False if it is not there.
async fn touch(path: &Path) -> bool {
    let path = path.to_owned();
    let touched = tokio::task::spawn_blocking(move || {
        std::fs::File::open(path).is_ok_and(|file| {
            let _ = file.set_modified(SystemTime::now());
            true
        })
    });
    touched.await.unwrap_or(false)
}
