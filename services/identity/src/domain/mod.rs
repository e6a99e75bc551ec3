// SPDX-License-Identifier: Apache-2.0
//! Domains: the realms in which the names of users, groups and projects are unique.

pub mod api;
pub mod table;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use types::DomainId;

use crate::{
    body::{Extra, Name, present, yes},
    options::ResourceOptions,
    reply::Resource,
};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("domain", api::routes);

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
    #[serde(default)]
    pub options: ResourceOptions,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Deserialize)]
pub struct DomainUpdate {
    pub name: Option<Name<64>>,
    #[serde(default, deserialize_with = "present")]
    pub description: Option<Option<String>>,
    pub enabled: Option<bool>,
    pub options: Option<ResourceOptions>,
    #[serde(flatten)]
    pub extra: Extra,
}

impl DomainUpdate {
    /// The options, if nothing else is to be changed.
    pub fn only_options(&self) -> Option<&ResourceOptions> {
        let Self { name, description, enabled, options, extra } = self;
        let nothing_else = name.is_none() && description.is_none() && enabled.is_none() && extra.is_empty();
        options.as_ref().filter(|_| nothing_else)
    }
}

impl Resource for Domain {
    const ONE: &'static str = "domain";
    const MANY: &'static str = "domains";

    fn id(&self) -> &str {
        self.id.as_str()
    }
}
