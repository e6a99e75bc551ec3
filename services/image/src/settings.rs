// SPDX-License-Identifier: Apache-2.0
//! What the operator decides: where data lies, how much of it a project may have, what it may be fetched from.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use disks::{Format, cage::Cage, inspect::Limits};

use crate::stores::place::Place;

/// How the room is set up.
#[derive(Clone)]
pub struct Settings {
    /// At least one. The first is the default.
    pub stores: Vec<StoreSettings>,
    /// The room's own folder. Data waits there between `stage` and `import`.
    pub folder: PathBuf,
    pub limits: UploadLimits,
    pub quota: Quota,
    /// Fetches what a tenant's `web-download` names.
    pub web: web::Client,
    /// The region whose images `glance-download` finds: this cloud's own.
    pub region: String,
    /// Bytes of data from buckets that are kept near by, for hosts to fetch.
    pub near_bytes: u64,
    pub import: Importing,
    pub protections: Vec<Protection>,
    /// Whether tenants see and set locations.
    pub show_multiple_locations: bool,
    /// How long the request that sets a location waits for its data.
    pub patience: Duration,
    pub transfers: Transfers,
}

/// How many images get data at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfers {
    pub all: usize,
    pub per_project: usize,
    /// How long an upload waits for its turn; imports wait as long as it takes.
    pub patience: Duration,
}

impl Default for Transfers {
    fn default() -> Self {
        Self { all: 64, per_project: 16, patience: Duration::from_secs(60) }
    }
}

/// Where data is kept.
#[derive(Clone)]
pub struct StoreSettings {
    pub id: String,
    pub description: String,
    pub place: Place,
    /// Data is read from the store with the highest weight that has it.
    pub weight: i64,
}

#[derive(Debug, Clone, Copy)]
pub struct UploadLimits {
    /// Bytes of data that one image may hold.
    pub bytes: u64,
    /// Bytes of the disk that it describes.
    pub disk: Limits,
    pub properties: usize,
    pub tags: usize,
    pub members: usize,
}

/// What a project may have; `None` is without limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quota {
    /// MiB of data in all stores together.
    pub size_total: Option<u64>,
    /// MiB of staged data.
    pub stage_total: Option<u64>,
    pub count_total: Option<u64>,
    /// Images that are being uploaded, staged or imported.
    pub count_uploading: Option<u64>,
}

/// What becomes of data that is imported, and of its image.
#[derive(Debug, Clone, Default)]
pub struct Importing {
    /// Disks are kept in this format, whatever they come in.
    pub conversion: Option<Conversion>,
    /// Compressed disks are unpacked, if they are no larger than so many bytes then; else they are kept as they come.
    pub unpacked_bytes: Option<u64>,
    pub injection: Injection,
}

#[derive(Debug, Clone)]
pub struct Conversion {
    pub to: Format,
    pub cage: Cage,
}

/// Properties that each imported image gets, unless one of these roles imports it.
#[derive(Debug, Clone, Default)]
pub struct Injection {
    pub properties: BTreeMap<String, String>,
    pub except_roles: Vec<String>,
}

/// Who may see and touch the properties whose name begins so. Of several that match, the first counts.
#[derive(Debug, Clone)]
pub struct Protection {
    /// A whole name, or its beginning with a `*`. Upper and lower case are the same.
    pub name: String,
    /// Role names; `@` is everybody, and an empty list is nobody.
    pub create: Vec<String>,
    pub read: Vec<String>,
    pub update: Vec<String>,
    pub delete: Vec<String>,
}

impl Settings {
    pub(crate) fn staging(&self) -> PathBuf {
        self.folder.join("staging")
    }

    /// For data that lies in buckets alone and is wanted as a file.
    pub(crate) fn near(&self) -> PathBuf {
        self.folder.join("near")
    }

    pub(crate) fn store(&self, id: &str) -> Option<&StoreSettings> {
        self.stores.iter().find(|store| store.id == id)
    }

    /// One store named `file` in this folder, no quotas, and web downloads from the public Internet.
    pub fn in_folder(folder: PathBuf) -> Self {
        let web_limits = web::Limits {
            total: Duration::from_secs(6 * 3600),
            idle: Duration::from_secs(60),
            bytes: UploadLimits::default().bytes,
            ..web::Limits::default()
        };
        Self {
            stores: vec![StoreSettings {
                id: "file".into(),
                description: "Files on the controller".into(),
                place: Place::Folder(folder.join("file")),
                weight: 0,
            }],
            folder,
            limits: UploadLimits::default(),
            quota: Quota::default(),
            web: web::Client::new(web::Rules::public(), web_limits),
            region: "RegionOne".into(),
            near_bytes: 20 << 30,
            import: Importing::default(),
            protections: Vec::new(),
            show_multiple_locations: true,
            patience: Duration::from_secs(30),
            transfers: Transfers::default(),
        }
    }
}

impl Injection {
    /// What images get that somebody with these roles imports.
    pub(crate) fn given_to<'a>(&self, mut roles: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
        let is_excepted = roles.any(|role| self.except_roles.iter().any(|except| except.eq_ignore_ascii_case(role)));
        if is_excepted { BTreeMap::new() } else { self.properties.clone() }
    }
}

impl Default for UploadLimits {
    fn default() -> Self {
        Self { bytes: 1 << 40, disk: Limits::default(), properties: 128, tags: 128, members: 128 }
    }
}

impl Protection {
    pub(crate) fn covers(&self, property: &str) -> bool {
        let (name, property) = (self.name.to_lowercase(), property.to_lowercase());
        match name.strip_suffix('*') {
            Some(prefix) => property.starts_with(prefix),
            None => property == name,
        }
    }
}
