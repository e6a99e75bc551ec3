// SPDX-License-Identifier: Apache-2.0
//! The image room: Glance v2 over local files.
//!
//! An image is a row; its data is a file that bears the image's id and is there, whole and synced, before the row says
//! `active`. What the data is was judged from its content while it streamed in (`disks::inspect`), and nothing of QEMU
//! touches it before.
//!
//! Invariant: an acknowledged upload is whole after a crash, and a broken one leaves nothing (test: `what_a_crash_left_is_tidied`).

mod data;
mod door;
mod error;
mod image;
mod policy;
mod root;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc};

use api::{FaultStyle, Routes, Service};
use disks::inspect::Limits;
use store::{Migrations, Step, Store};

pub use error::Error;
pub use policy::{POLICIES, RULES};

pub const MIGRATIONS: Migrations = Migrations {
    room: "image",
    steps: &[Step { number: 1, name: "images", sql: include_str!("../migrations/0001_images.sql") }],
};

/// The room. It implements `contracts::images::Images` and `contracts::audit::Audit`.
#[derive(Clone)]
pub struct Image {
    store: Store,
    folder: PathBuf,
    limits: UploadLimits,
}

#[derive(Clone, Copy)]
pub struct UploadLimits {
    /// Bytes of data that one image may hold.
    pub bytes: u64,
    /// Bytes of the disk that it describes.
    pub disk: Limits,
}

impl Default for UploadLimits {
    fn default() -> Self {
        Self { bytes: 1 << 40, disk: Limits::default() }
    }
}

impl Image {
    /// Opens the room and tidies what a crash may have left in its folder and tables.
    pub async fn open(store: Store, folder: PathBuf, limits: UploadLimits) -> Result<Self, Error> {
        let room = Self { store, folder, limits };
        data::tidy(&room).await?;
        Ok(room)
    }

    pub fn service(&self) -> Service {
        let room = Arc::new(self.clone());
        let routes = Routes::new(room.clone())
            .join(root::routes(room.clone()))
            .join(image::api::routes(room.clone()))
            .join(data::api::routes(room));
        Service { name: "image", prefix: "/image", faults: FaultStyle::Glance, versions: None, routes: routes.into_list() }
    }
}
