// SPDX-License-Identifier: Apache-2.0
//! Domains: the realms in which the names of users, groups and projects are unique.

pub mod api;
pub mod store;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use types::DomainId;

use crate::{
    body::{Extra, Name, present, yes},
    reply::Resource,
};

/// The first domain's id and name, which clients know by heart.
pub const DEFAULT_ID: &str = "default";
pub const DEFAULT_NAME: &str = "Default";

#[derive(Debug, Clone, Serialize)]
pub struct Domain {
    pub id: DomainId,
    pub name: String,
    pub description: String,
    pub enabled: bool,
    pub tags: [&'static str; 0],
    pub options: Extra,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Deserialize)]
pub struct NewDomain {
    pub name: Name<64>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default = "yes")]
    pub enabled: bool,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Deserialize)]
pub struct DomainUpdate {
    pub name: Option<Name<64>>,
    #[serde(default, deserialize_with = "present")]
    pub description: Option<Option<String>>,
    pub enabled: Option<bool>,
    #[serde(flatten)]
    pub extra: Extra,
}

impl Resource for Domain {
    const ONE: &'static str = "domain";
    const MANY: &'static str = "domains";

    fn id(&self) -> &str {
        self.id.as_str()
    }
}
