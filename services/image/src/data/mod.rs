// SPDX-License-Identifier: Apache-2.0
//! The data of images: in each store blobs, named by the sha512 of what is in them.
//!
//! While data streams in it goes to a partial file, is hashed and judged on the way, and synced. Then the image's row says
//! that it holds the blob in this store, the file gets its name there (or goes up into the bucket), and at last the row says that it is there. Two images with
//! the same data share one file; it goes when no row holds it, by the name that was written down with the change that gave it
//! up ([`released`]). Whichever of these steps a crash interrupts, [`tidy`] brings rows and folders together again.
//!
//! Invariant: a file that some image holds is never removed, whatever uploads and deletes run beside each other (test: `images_with_the_same_data_share_it_and_none_loses_it`).

pub mod api;
pub mod given_up;
mod keep;
mod meter;
mod near;
pub(crate) mod policy;
mod range;
mod read;
mod receive;
mod received;
pub mod released;
mod tidy;

pub use keep::{forget, give_up, keep};
pub use meter::Meter;
pub use receive::{Judge, receive, survey};
pub use received::Received;
pub use tidy::{prepare, strays, tidy};

use std::path::PathBuf;

use types::ImageId;

use crate::Image;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("data", api::routes).tables(&[
    crate::Step { number: 4, name: "content", sql: include_str!("../../migrations/0004_content.sql") },
    crate::Step { number: 7, name: "released", sql: include_str!("../../migrations/0007_released.sql") },
]);

impl Image {
    pub(crate) fn staged_path(&self, id: &ImageId) -> PathBuf {
        self.settings.staging().join(id.as_str())
    }
}
