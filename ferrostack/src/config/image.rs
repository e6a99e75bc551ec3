// SPDX-License-Identifier: Apache-2.0
//! `[image]`: where images are kept, how much of them a project may have, and what they may be fetched from.

use std::{path::PathBuf, time::Duration};

use anyhow::bail;
use image::{Protection, Quota, Settings, StoreSettings};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Config;
use crate::home::Home;

#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Image {
    /// Folders for image data, the default one first; one in the state directory when there is none.
    pub stores: Vec<Store>,
    /// What each project may have.
    pub quota: Limits,
    pub web_download: WebDownload,
    /// Properties that only some roles may touch.
    pub property_protection: Vec<PropertyProtection>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    pub id: String,
    pub path: PathBuf,
    #[serde(default)]
    pub description: String,
    /// Data is read from the store with the highest weight that has it.
    #[serde(default)]
    pub weight: i64,
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

impl Default for WebDownload {
    fn default() -> Self {
        Self { allow: Vec::new(), refuse: Vec::new(), ports: vec![80, 443], hours: 6 }
    }
}

impl Image {
    pub fn settings(&self, home: &Home, config: &Config) -> Settings {
        let mut settings = Settings::in_folder(home.images());
        if !self.stores.is_empty() {
            settings.stores = self.stores.iter().map(Store::settings).collect();
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
        settings.protections = self.property_protection.iter().map(PropertyProtection::rule).collect();
        settings
    }

    pub fn check(&self) -> anyhow::Result<()> {
        for (place, store) in self.stores.iter().enumerate() {
            if store.id.is_empty() || store.id.contains(',') || store.id.starts_with("os_glance_") {
                bail!(
                    "image.stores: the name {:?} cannot be used; it is not empty, has no comma, and no os_glance_ before it",
                    store.id
                );
            }
            if !store.path.is_absolute() {
                bail!("image.stores.{}: path is absolute, not {}", store.id, store.path.display());
            }
            let twin = |other: &Store| other.id == store.id || other.path == store.path;
            if self.stores[..place].iter().any(twin) {
                bail!("image.stores.{}: two stores have the same name or the same path", store.id);
            }
        }
        Ok(())
    }
}

impl Store {
    fn settings(&self) -> StoreSettings {
        StoreSettings {
            id: self.id.clone(),
            description: self.description.clone(),
            folder: self.path.clone(),
            weight: self.weight,
        }
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

impl PropertyProtection {
    fn rule(&self) -> Protection {
        let Self { name, create, read, update, delete } = self.clone();
        Protection { name, create, read, update, delete }
    }
}
