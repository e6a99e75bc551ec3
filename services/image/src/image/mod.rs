// SPDX-License-Identifier: Apache-2.0
//! An image: what it is called, who sees it, what is known of its data.
//!
//! ```text
//!            PUT file            whole, judged
//!  queued ────────────▶ saving ───────────────▶ active ──▶ (deleted)
//!    ▲                    │
//!    └── broken, refused ─┘
//! ```

pub mod api;
mod patch;
pub mod store;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use types::{Generation, ImageId, ProjectId, Timestamp};

use crate::Error;

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
    pub properties: BTreeMap<String, String>,
    pub tags: BTreeSet<String>,
    pub generation: Generation,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What was found out while the data streamed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFacts {
    pub size: i64,
    pub virtual_size: i64,
    pub md5: String,
    pub sha512: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Queued,
    Saving,
    Active,
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

words!(Status: Queued = "queued", Saving = "saving", Active = "active");
words!(Visibility: Public = "public", Private = "private", Shared = "shared", Community = "community");

/// Attributes that a user's property may not be named after.
pub const OWN_NAMES: &[&str] = &[
    "id",
    "name",
    "status",
    "visibility",
    "protected",
    "os_hidden",
    "owner",
    "disk_format",
    "container_format",
    "min_disk",
    "min_ram",
    "size",
    "virtual_size",
    "checksum",
    "os_hash_algo",
    "os_hash_value",
    "tags",
    "created_at",
    "updated_at",
    "self",
    "file",
    "schema",
    "locations",
    "direct_url",
    "deleted",
    "deleted_at",
    "stores",
];

/// How many properties and tags an image may have: Glance's defaults.
pub const MOST_PROPERTIES: usize = 128;
pub const MOST_TAGS: usize = 128;

pub fn check_disk_format(format: &str) -> Result<(), Error> {
    match format {
        "raw" | "qcow2" | "iso" | "vmdk" | "vhd" | "vhdx" | "vdi" => Ok(()),
        _ => {
            let known = "raw, qcow2, iso, vmdk, vhd, vhdx and vdi";
            Err(Error::Invalid(format!("Invalid disk format '{format}' for image. This cloud takes {known}.")))
        }
    }
}

pub fn check_container_format(format: &str) -> Result<(), Error> {
    match format {
        "bare" => Ok(()),
        _ => Err(Error::Invalid(format!("Invalid container format '{format}' for image. This cloud takes bare."))),
    }
}

pub fn check_text(what: &str, text: &str) -> Result<(), Error> {
    if text.chars().count() > 255 || text.contains('\0') {
        return Err(Error::Invalid(format!("Invalid input for {what}: it has at most 255 characters.")));
    }
    Ok(())
}

pub fn check_property_name(name: &str) -> Result<(), Error> {
    if name.is_empty() || OWN_NAMES.contains(&name) {
        return Err(Error::Forbidden(format!("Attribute '{name}' is read-only.")));
    }
    if name.starts_with("os_glance") {
        return Err(Error::Forbidden(format!("Attribute '{name}' is reserved.")));
    }
    check_text("the name of a property", name)
}
