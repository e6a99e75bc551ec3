// SPDX-License-Identifier: Apache-2.0
//! The object room: data by URL. Accounts have containers, containers have objects; Swift's API at `/object-store/v1`.
//!
//! The index (which objects there are, what they count up to, who may have them) is in the store; the bytes are where
//! `contracts::data` keeps them ([decision 16](../../../docs/decisions/0016-objects.md)). Every change of an object changes what its
//! container and its account count, in the same transaction.
//!
//! Invariant: what containers and accounts count is what they hold, and no quota is exceeded, whatever runs at once (test:
//! `a_quota_holds_for_uploads_at_once`).

mod account;
mod body;
mod bulk;
mod container;
mod cors;
mod data;
mod error;
mod expiry;
mod form;
mod grant;
mod history;
mod incoming;
mod info;
mod large;
mod limits;
mod listing;
mod metadata;
mod multipart;
mod neighbour;
mod object;
mod place;
mod policy;
mod range;
mod reply;
mod s3;
mod settings;
mod site;
mod stamp;
mod temp_url;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use api::{FaultStyle, Room, Service};
use contracts::data::Data;
use store::{Step, Store};
use work::{Bell, Tasks};

pub use error::Error;
pub use s3::Buckets;
pub use settings::Settings;

/// What the room is made of.
pub static ROOM: Room<Objects> = Room {
    name: "object-store",
    prefix: "/object-store",
    faults: FaultStyle::Swift,
    versions: None,
    steps: &[Step { number: 1, name: "objects", sql: include_str!("../migrations/0001_objects.sql") }],
    drawers: &[info::DRAWER, account::DRAWER, container::DRAWER, object::DRAWER, data::DRAWER, multipart::DRAWER],
};

pub(crate) type Drawer = api::Drawer<Objects>;

/// The room. It implements `contracts::audit::Audit`.
#[derive(Clone)]
pub struct Objects {
    store: Store,
    data: Arc<dyn Data>,
    settings: Arc<Settings>,
    owners: data::Owners,
    readers: data::Readers,
    arriving: data::Arriving,
}

impl Objects {
    /// Opens the room over the bytes that are kept there, and gives up what an earlier process had on its way in.
    pub async fn open(store: Store, data: Arc<dyn Data>, settings: Settings) -> Result<Self, Error> {
        let owners = data::Owners::open(store.clone(), &settings.keeper, data.clone()).await?;
        let (settings, readers, arriving) = (Arc::new(settings), data::Readers::default(), data::Arriving::default());
        Ok(Self { store, data, settings, owners, readers, arriving })
    }

    pub fn service(&self) -> Service {
        ROOM.service(&Arc::new(self.clone()))
    }

    /// The same room, doing the work of the lead that this store is bound to.
    #[must_use]
    pub fn led(&self, store: Store) -> Self {
        Self { store, ..self.clone() }
    }

    /// Starts the work that nobody asks for: what is due goes, and so does what nothing holds. The business of the one
    /// controller that leads.
    pub fn spawn(&self, tasks: &mut Tasks) {
        tasks.reconcile(expiry::Expirer::new(self.clone()), Bell::new());
        tasks.reconcile(multipart::Abandoner::new(self.clone()), Bell::new());
        tasks.reconcile(data::Releaser::new(self.clone()), Bell::new());
    }
}
