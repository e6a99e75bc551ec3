// SPDX-License-Identifier: Apache-2.0
//! `[image]`: where images are kept, how much of them a project may have, and what they may be fetched from.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use disks::{Format, cage::Cage};
use image::{Conversion, Importing, InBucket, Injection, Place, Protection, Quota, Settings, StoreSettings};
use ipnet::IpNet;
use nix::sys::statvfs::statvfs;
use s3::{BucketAt, Keys, Style};
use serde::{Deserialize, Serialize};
use types::Secret;

use super::Config;
use crate::home::Home;

const GIBIBYTE: u64 = 1 << 30;
/// The user that converts images on the controller, and owns nothing.
const CONVERTER: u32 = 199_998;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Image {
    /// Folders and buckets for image data, the default one first; one folder in the state directory when there is none.
    pub stores: Vec<Store>,
    /// What each project may have.
    pub quota: Limits,
    pub web_download: WebDownload,
    pub import: Import,
    /// GiB for copies of what lies in buckets alone, for hosts to fetch; a tenth of the disk if not said.
    pub near_gb: Option<u64>,
    /// Whether tenants see the locations of images, and set them. What they name is fetched as web downloads are.
    pub show_multiple_locations: bool,
    /// Properties that only some roles may touch.
    pub property_protection: Vec<PropertyProtection>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    pub id: String,
    /// A folder of files, or else
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// a bucket of an object store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<Bucket>,
    #[serde(default)]
    pub description: String,
    /// Data is read from the store with the highest weight that has it.
    #[serde(default)]
    pub weight: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// `https://s3.example.com`
    pub endpoint: String,
    pub bucket: String,
    #[serde(default = "Bucket::default_region")]
    pub region: String,
    /// Before the name of each object; what is under it belongs to this cloud alone.
    #[serde(default = "Bucket::default_prefix")]
    pub prefix: String,
    #[serde(default)]
    pub bucket_in: BucketIn,
    pub access_key: String,
    /// A file that holds the secret key and nothing else.
    pub secret_key_file: PathBuf,
}

/// Where requests name the bucket: in the path, which every service takes, or before the host, which some insist on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum BucketIn {
    #[default]
    Path,
    Host,
}

#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub size_total_mb: Option<u64>,
    pub stage_total_mb: Option<u64>,
    pub count_total: Option<u64>,
    pub count_uploading: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebDownload {
    /// Private ranges that tenants may fetch images from all the same, e.g. `["192.168.42.0/24"]`.
    pub allow: Vec<IpNet>,
    /// Public ranges that they may not.
    pub refuse: Vec<IpNet>,
    /// An empty list is any port.
    pub ports: Vec<u16>,
    pub hours: u64,
}

/// What becomes of data that is imported; uploads are kept as they come.
#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Import {
    /// The format in which disks are kept, whatever they come in.
    pub conversion: Option<Kept>,
    /// Disks in containers of the format `compressed` (gzip) are unpacked, up to this size; none is, if not said.
    pub unpack_up_to_gb: Option<u64>,
    /// Properties that imported images get.
    pub properties: BTreeMap<String, String>,
    /// Who has one of these roles imports without them.
    pub properties_except_roles: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kept {
    Raw,
    Qcow2,
}

#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct PropertyProtection {
    /// `license_key`, or `license_*`.
    pub name: String,
    /// Names of roles; `@` is everybody.
    pub create: Vec<String>,
    pub read: Vec<String>,
    pub update: Vec<String>,
    pub delete: Vec<String>,
}

impl Default for Image {
    fn default() -> Self {
        Self {
            stores: Vec::new(),
            quota: Limits::default(),
            web_download: WebDownload::default(),
            import: Import::default(),
            near_gb: None,
            show_multiple_locations: true,
            property_protection: Vec::new(),
        }
    }
}

impl Default for WebDownload {
    fn default() -> Self {
        Self { allow: Vec::new(), refuse: Vec::new(), ports: vec![80, 443], hours: 6 }
    }
}

impl Image {
    pub fn settings(&self, home: &Home, config: &Config) -> anyhow::Result<Settings> {
        let mut settings = Settings::in_folder(home.images());
        if !self.stores.is_empty() {
            settings.stores = self.stores.iter().map(|store| store.settings(&settings)).collect::<Result<_, _>>()?;
        }
        settings.quota = Quota {
            size_total: self.quota.size_total_mb,
            stage_total: self.quota.stage_total_mb,
            count_total: self.quota.count_total,
            count_uploading: self.quota.count_uploading,
        };
        let limits = web::Limits {
            total: Duration::from_secs(self.web_download.hours * 3600),
            idle: Duration::from_secs(60),
            bytes: settings.limits.bytes,
            ..web::Limits::default()
        };
        settings.web = web::Client::new(self.web_download.rules(config), limits);
        settings.region.clone_from(&config.api.region);
        settings.import = self.import.settings();
        settings.near_bytes = self.near_gb.map_or_else(|| tenth_of_disk(home), |gb| gb.saturating_mul(GIBIBYTE));
        settings.show_multiple_locations = self.show_multiple_locations;
        settings.protections = self.property_protection.iter().map(PropertyProtection::rule).collect();
        Ok(settings)
    }

    pub fn check(&self) -> anyhow::Result<()> {
        for (place, store) in self.stores.iter().enumerate() {
            if store.id.is_empty() || store.id.contains(',') || store.id.starts_with("os_glance_") {
                bail!(
                    "image.stores: the name {:?} cannot be used; it is not empty, has no comma, and no os_glance_ before it",
                    store.id
                );
            }
            store.check()?;
            let twin = |other: &Store| other.id == store.id || (other.path == store.path && other.s3 == store.s3);
            if self.stores[..place].iter().any(twin) {
                bail!("image.stores.{}: two stores have the same name or the same place", store.id);
            }
        }
        Ok(())
    }
}

impl Store {
    fn check(&self) -> anyhow::Result<()> {
        match (&self.path, &self.s3) {
            (Some(path), None) if !path.is_absolute() => {
                bail!("image.stores.{}: path is absolute, not {}", self.id, path.display())
            }
            (Some(_), None) => Ok(()),
            (None, Some(at)) if at.prefix.is_empty() || !at.prefix.ends_with('/') || at.prefix.starts_with('/') => {
                bail!("image.stores.{}: the prefix ends with a slash, and does not begin with one, as in \"images/\"", self.id)
            }
            (None, Some(_)) => Ok(()),
            _ => bail!("image.stores.{}: a store has either a path or s3", self.id),
        }
    }

    fn settings(&self, room: &Settings) -> anyhow::Result<StoreSettings> {
        let place = match (&self.path, &self.s3) {
            (Some(path), _) => Place::Folder(path.clone()),
            (None, Some(at)) => {
                let scratch = room.folder.join("outbound").join(&self.id);
                let at = at.place(scratch, room.limits.bytes).with_context(|| format!("set up image.stores.{}", self.id))?;
                Place::Bucket(at)
            }
            (None, None) => bail!("image.stores.{}: a store has either a path or s3", self.id),
        };
        Ok(StoreSettings { id: self.id.clone(), description: self.description.clone(), place, weight: self.weight })
    }
}

impl Bucket {
    fn default_region() -> String {
        "us-east-1".into()
    }

    fn default_prefix() -> String {
        "images/".into()
    }

    fn place(&self, scratch: PathBuf, largest: u64) -> anyhow::Result<InBucket> {
        let host = self.endpoint.split("://").nth(1).unwrap_or_default().trim_end_matches('/');
        let url = format!("s3://{host}/{}", self.bucket);
        Ok(InBucket { bucket: self.client(largest)?, prefix: self.prefix.clone(), url, scratch })
    }

    /// Of this bucket, for bodies up to a size.
    pub fn client(&self, largest: u64) -> anyhow::Result<s3::Bucket> {
        let secret = std::fs::read_to_string(&self.secret_key_file);
        let secret = secret.with_context(|| format!("read {}", self.secret_key_file.display()))?;
        let at = BucketAt {
            endpoint: self.endpoint.clone(),
            bucket: self.bucket.clone(),
            region: self.region.clone(),
            style: match self.bucket_in {
                BucketIn::Path => Style::Path,
                BucketIn::Host => Style::Host,
            },
            keys: Keys { access: self.access_key.clone(), secret: Secret::new(secret.trim().to_owned()) },
        };
        // The operator's own choice of an address: any will do. A day is enough for any image; a store that is silent for
        // longer than a breath is one whose images are better read elsewhere.
        let limits = web::Limits {
            total: Duration::from_secs(24 * 3600),
            idle: Duration::from_secs(30),
            bytes: largest,
            ..web::Limits::default()
        };
        Ok(s3::Bucket::new(at, web::Client::new(web::Rules::everything(), limits))?)
    }
}

impl WebDownload {
    fn rules(&self, config: &Config) -> web::Rules {
        // The cloud's own addresses, in case they are public ones. Those of this host are refused without being named.
        let own = [config.api.listen.ip(), config.fleet.listen.ip(), config.node.encap_ip].into_iter().map(IpNet::from);
        let rules = self.refuse.iter().copied().chain(own).fold(web::Rules::public(), web::Rules::refuse);
        let rules = self.allow.iter().copied().fold(rules, web::Rules::allow);
        if self.ports.is_empty() { rules.any_port() } else { rules.ports(self.ports.clone()) }
    }
}

impl Import {
    fn settings(&self) -> Importing {
        // Below the machines' users and the one in the cage of a node on the same host.
        let cage = Cage::new(CONVERTER, CONVERTER);
        let to = self.conversion.map(|kept| match kept {
            Kept::Raw => Format::Raw,
            Kept::Qcow2 => Format::Qcow2,
        });
        Importing {
            conversion: to.map(|to| Conversion { to, cage }),
            unpacked_bytes: self.unpack_up_to_gb.map(|gb| gb.saturating_mul(GIBIBYTE)),
            injection: Injection {
                properties: self.properties.clone(),
                except_roles: self.properties_except_roles.clone().unwrap_or_else(|| vec!["admin".into()]),
            },
        }
    }
}

fn tenth_of_disk(home: &Home) -> u64 {
    statvfs(&home.state).map_or(20 * GIBIBYTE, |disk| disk.blocks() * disk.fragment_size() / 10)
}

impl PropertyProtection {
    fn rule(&self) -> Protection {
        let Self { name, create, read, update, delete } = self.clone();
        Protection { name, create, read, update, delete }
    }
}
