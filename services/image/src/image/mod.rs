// SPDX-License-Identifier: Apache-2.0
//! An image: what it is called, who sees it, what is known of its data.
//!
//! ```text
//!              PUT file            whole, judged
//!    queued ────────────▶ saving ───────────────▶ active ◀──▶ deactivated
//!    ▲ ▲ │ ▲                │                       ▲
//!    │ │ │ └─broken,refused─┘                       │ at least one store has it
//!    │ │ │ PUT stage              POST import       │
//!    │ │ └───────────▶ uploading ─────────────▶ importing
//!    │ │                                            ▲ │
//!    │ └──────────── POST import (web-download) ────┘ │
//!    └─────────────── failed in every store ──────────┘
//! ```

pub mod action;
pub mod api;
mod attributes;
mod list;
mod patch;
pub(crate) mod policy;
mod protect;
mod reach;
pub mod table;
mod tag;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use types::{Generation, ImageId, ProjectId, Timestamp};

use crate::{
    Error,
    location::{Label, Said},
};

pub use attributes::{Attributes, DELETION_POLICIES, check_property_name, check_text};
pub use protect::{Deed, check_created_by, check_property};
pub use reach::Reach;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("image", api::routes).tables(&[crate::Step {
    number: 1,
    name: "images",
    sql: include_str!("../../migrations/0001_images.sql"),
}]);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub id: ImageId,
    pub name: Option<String>,
    pub owner: ProjectId,
    pub status: Status,
    pub visibility: Visibility,
    pub protected: bool,
    pub hidden: bool,
    pub disk_format: Option<String>,
    pub container_format: Option<String>,
    pub min_disk: i64,
    pub min_ram: i64,
    pub data: Option<DataFacts>,
    /// The user's own. Two that name other images can be null, as Glance's schema has it.
    pub properties: BTreeMap<String, Option<String>>,
    pub tags: BTreeSet<String>,
    pub generation: Generation,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub place: Place,
    /// Where a tenant said that the data is to be found; for show.
    pub locations: Vec<Label>,
    pub said: Option<Said>,
}

/// What was found out while the data streamed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFacts {
    pub size: i64,
    pub virtual_size: i64,
    pub md5: String,
    pub sha512: String,
}

/// Where the data lies, or is on its way to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The sha512 under which the stores keep it.
    pub blob: Option<String>,
    /// Stores that keep the blob for this image. A store is named here before its file is there.
    pub holds: BTreeSet<String>,
    /// Those of them where it is whole.
    pub stores: BTreeSet<String>,
    /// Bytes that wait for their import.
    pub staged: Option<i64>,
    /// Bytes that an upload under way may write.
    pub reserved: i64,
    /// Stores that an import has still to fill, and those where it failed; both once there was an import.
    pub importing: Option<BTreeSet<String>>,
    pub failed: Option<BTreeSet<String>>,
    /// What the owner had said of data that an import under way keeps as something else.
    pub declared: Option<Formats>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Formats {
    pub disk: Option<String>,
    pub container: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Queued,
    Saving,
    Uploading,
    Importing,
    Active,
    Deactivated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    Public,
    Private,
    Shared,
    Community,
}

macro_rules! words {
    ($type:ident: $($variant:ident = $word:literal),+) => {
        impl $type {
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words!(
    Status: Queued = "queued",
    Saving = "saving",
    Uploading = "uploading",
    Importing = "importing",
    Active = "active",
    Deactivated = "deactivated"
);
words!(Visibility: Public = "public", Private = "private", Shared = "shared", Community = "community");

impl Row {
    /// A new image without data.
    pub fn new(owner: ProjectId) -> Self {
        let now = Timestamp::now();
        Self {
            id: ImageId::generate(),
            name: None,
            owner,
            status: Status::Queued,
            visibility: Visibility::Shared,
            protected: false,
            hidden: false,
            disk_format: None,
            container_format: None,
            min_disk: 0,
            min_ram: 0,
            data: None,
            properties: BTreeMap::new(),
            tags: BTreeSet::new(),
            generation: Generation(1),
            created_at: now,
            updated_at: now,
            place: Place::default(),
            locations: Vec::new(),
            said: None,
        }
    }

    /// An image whose formats were not said cannot take data.
    pub fn check_formats(&self) -> Result<(), Error> {
        match (&self.disk_format, self.container_format.as_deref()) {
            (Some(_), Some(_)) => Ok(()),
            _ => Err(Error::Invalid("Properties disk_format and container_format must be set prior to saving data.".into())),
        }
    }

    /// Bytes in all stores together.
    pub fn bytes_kept(&self) -> u64 {
        self.data.as_ref().map_or(0, |data| data.size.unsigned_abs()) * self.place.stores.len() as u64
    }

    /// No data, and none on its way; the data of a shared blob is released by whoever calls this.
    pub fn without_data(&self) -> Self {
        let place = Place { importing: self.place.importing.clone(), failed: self.place.failed.clone(), ..Place::default() };
        let formats = self.place.declared.clone().unwrap_or_else(|| self.formats());
        let mut waiting = Self { status: Status::Queued, data: None, place, ..self.clone() }.in_formats(formats);
        waiting.forget_locations();
        waiting
    }

    /// What was said of data that this image does not have, or gets otherwise.
    pub fn forget_locations(&mut self) {
        self.locations.clear();
        self.said = None;
    }

    pub fn formats(&self) -> Formats {
        Formats { disk: self.disk_format.clone(), container: self.container_format.clone() }
    }

    pub fn in_formats(self, formats: Formats) -> Self {
        Self { disk_format: formats.disk, container_format: formats.container, ..self }
    }
}
