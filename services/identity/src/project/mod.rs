// SPDX-License-Identifier: Apache-2.0
//! Projects: what tenants own things through.

pub mod api;
pub mod store;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use types::{DomainId, ProjectId};

use crate::{
    body::{Extra, Name, present, yes},
    reply::Resource,
};

/// How deep projects may lie within each other, the domain not counted. Keystone's limit.
pub const DEEPEST: usize = 5;

#[derive(Debug, Clone, Serialize)]
pub struct Project {
    pub id: ProjectId,
    pub name: String,
    pub domain_id: DomainId,
    pub description: String,
    pub enabled: bool,
    /// The project above, or the domain.
    pub parent_id: String,
    pub is_domain: bool,
    pub tags: Vec<String>,
    pub options: Extra,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Deserialize)]
pub struct NewProject {
    pub name: Name<64>,
    /// Absent: the domain of the caller's token.
    pub domain_id: Option<DomainId>,
    #[serde(default)]
    pub parent_id: Option<String>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default = "yes")]
    pub enabled: bool,
    #[serde(default)]
    pub is_domain: bool,
    #[serde(default)]
    pub tags: Vec<Tag>,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ProjectUpdate {
    pub name: Option<Name<64>>,
    #[serde(default, deserialize_with = "present")]
    pub description: Option<Option<String>>,
    pub enabled: Option<bool>,
    pub tags: Option<Vec<Tag>>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// A word on a project: 1 to 255 characters, no comma and no slash, for both separate tags in queries and paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Tag(String);

impl Tag {
    pub fn parse(text: &str) -> Result<Self, String> {
        let length = text.chars().count();
        if length == 0 || length > 255 || text.contains([',', '/']) {
            return Err("a tag has 1 to 255 characters, none of them a comma or a slash".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Resource for Project {
    const ONE: &'static str = "project";
    const MANY: &'static str = "projects";

    fn id(&self) -> &str {
        self.id.as_str()
    }
}
