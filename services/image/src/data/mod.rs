// SPDX-License-Identifier: Apache-2.0
//! The data of images: in each store a folder of files, named by the sha512 of what is in them.
//!
//! While data streams in it goes to a partial file, is hashed and judged on the way, and synced. Then the image's row says
//! that it holds the blob in this store, the file gets its name, and at last the row says that it is there. Two images with
//! the same data share one file; it goes when no row holds it. Whichever of these steps a crash interrupts, [`tidy`]
//! brings rows and folders together again.
//!
//! Invariant: a file that some image holds is never removed, whatever uploads and deletes run beside each other (test: `images_with_the_same_data_share_it_and_none_loses_it`).

pub mod api;
mod keep;
mod meter;
mod range;
mod receive;
mod tidy;

pub use keep::{forget, give_up, is_there, keep, release};
pub use meter::Meter;
pub use receive::{Judge, Received, receive};
pub use tidy::{leftovers, tidy};

use std::path::PathBuf;

use types::ImageId;
use uuid::Uuid;

use crate::{Image, StoreSettings, image::Row};

impl Image {
    /// A file of the image in the store that it is best read from.
    pub(crate) fn data_path(&self, image: &Row) -> Option<PathBuf> {
        let blob = image.place.blob.as_deref()?;
        let store = self.stores_of(image).into_iter().find_map(|id| self.settings.store(&id).cloned())?;
        Some(store.blob(blob))
    }

    pub(crate) fn staged_path(&self, id: &ImageId) -> PathBuf {
        self.settings.staging().join(id.as_str())
    }
}

/// A name in the store's folder that nobody else uses.
pub fn partial_path(store: &StoreSettings) -> PathBuf {
    store.folder.join(format!(".{}.partial", Uuid::new_v4().simple()))
}
