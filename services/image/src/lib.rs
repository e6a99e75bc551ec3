// SPDX-License-Identifier: Apache-2.0
//! The image room: Glance v2 over folders of files and buckets of object stores.
//!
//! An image is a row; its data is a blob that bears the name of its sha512 and is there, whole and synced, before the row says
//! `active`. What the data is was judged from its content while it streamed in (`disks::inspect`), and nothing of QEMU
//! touches it before. What takes longer than a request is a task, and a reconciler's work.
//!
//! Invariant: an acknowledged upload is whole after a crash, and a broken one leaves nothing (test: `what_a_crash_left_is_tidied`).

mod cache;
mod data;
mod error;
mod image;
mod import;
mod location;
mod member;
mod metadef;
mod neighbour;
mod policy;
mod quota;
mod root;
mod schema;
mod settings;
mod snapshot;
mod stores;
mod task;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use api::{FaultStyle, Room, Service};
use bounds::Line;
use store::{Step, Store};
use tokio::sync::Semaphore;
use work::{Bell, Tasks};

pub use error::Error;
pub use settings::{Conversion, Importing, Injection, Protection, Quota, Settings, StoreSettings, Transfers, UploadLimits};
pub use stores::place::{InBucket, Place};

/// What the room is made of.
pub static ROOM: Room<Image> = Room {
    name: "image",
    prefix: "/image",
    faults: FaultStyle::Glance,
    versions: None,
    steps: &[Step {
        number: 2,
        name: "sharing, stores and tasks",
        sql: include_str!("../migrations/0002_sharing_stores_and_tasks.sql"),
    }],
    drawers: &[
        root::DRAWER,
        schema::DRAWER,
        image::DRAWER,
        data::DRAWER,
        member::DRAWER,
        import::DRAWER,
        task::DRAWER,
        stores::DRAWER,
        location::DRAWER,
        cache::DRAWER,
        metadef::DRAWER,
    ],
};

pub(crate) type Drawer = api::Drawer<Image>;

/// The room. It implements `contracts::images::Images` and `contracts::audit::Audit`.
#[derive(Clone)]
pub struct Image {
    store: Store,
    settings: Arc<Settings>,
    /// A blob's is held around each change of a store together with the row that it follows from.
    locks: Arc<stores::locks::BlobLocks>,
    cache: cache::Cache,
    conversions: Arc<Semaphore>,
    /// How many locations are compared with data that is there, at the same time.
    comparing: Arc<Semaphore>,
    ailing: Arc<stores::ailing::Ailing>,
    /// Uploads, imports and snapshots take turns in getting data.
    transfers: Line,
}

/// Conversions at a time: each takes a core, and up to a gibibyte of memory.
const CONVERSIONS: usize = 2;
/// Each holds a connection to wherever a tenant pointed.
const COMPARED_AT_ONCE: usize = 4;

impl Image {
    /// Opens the room and tidies what a crash may have left in its folders and tables.
    pub async fn open(store: Store, settings: Settings) -> Result<Self, Error> {
        let room = Self::open_beside_others(store, settings).await?;
        data::tidy(&room).await?;
        Ok(room)
    }

    /// Opens the room while other controllers may be taking in data.
    pub async fn open_beside_others(store: Store, settings: Settings) -> Result<Self, Error> {
        if settings.stores.is_empty() {
            return Err(Error::Invalid("The image room needs at least one store.".into()));
        }
        import::check(&settings.import).await?;
        let transfers = Line::new(settings.transfers.all, settings.transfers.per_project);
        let room = Self {
            store,
            settings: Arc::new(settings),
            locks: Arc::default(),
            cache: cache::Cache::default(),
            conversions: Arc::new(Semaphore::new(CONVERSIONS)),
            comparing: Arc::new(Semaphore::new(COMPARED_AT_ONCE)),
            ailing: Arc::default(),
            transfers,
        };
        data::prepare(&room).await?;
        metadef::ensure_stock(&room).await?;
        Ok(room)
    }

    pub fn service(&self) -> Service {
        ROOM.service(&Arc::new(self.clone()))
    }

    /// The same room, doing the work of the lead that this store is bound to.
    #[must_use]
    pub fn led(&self, store: Store) -> Self {
        Self { store, ..self.clone() }
    }

    /// Starts the work that goes on after requests: imports, and copies. The business of the one controller that leads.
    pub fn spawn(&self, tasks: &mut Tasks) {
        let bell = Bell::new();
        let mut wake = self.store.watch(&["image_task"]);
        let ringing = bell.clone();
        tasks.spawn(async move {
            loop {
                wake.wait().await;
                ringing.ring();
            }
        });
        tasks.spawn(data::released::keep_settling(self.clone()));
        tasks.reconcile(import::Importer::new(self.clone()), bell);
    }

    /// Where data goes when nobody says where.
    fn default_store(&self) -> &StoreSettings {
        self.settings.stores.first().expect("`open` refuses settings without a store")
    }
}
