// SPDX-License-Identifier: Apache-2.0
//! Projects: what tenants own things through.

pub mod api;
pub mod as_domain;
pub mod hierarchy;
mod row;
pub mod table;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use types::{DomainId, ProjectId};

use crate::{
    body::{Extra, Name, present, yes},
    options::ResourceOptions,
    reply::Resource,
};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("project", api::routes);

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
    pub tags: Tags,
    #[serde(default)]
    pub options: ResourceOptions,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ProjectUpdate {
    pub name: Option<Name<64>>,
    #[serde(default, deserialize_with = "present")]
    pub description: Option<Option<String>>,
    pub enabled: Option<bool>,
    pub tags: Option<Tags>,
    pub options: Option<ResourceOptions>,
    #[serde(flatten)]
    pub extra: Extra,
}

impl ProjectUpdate {
    /// The options, if nothing else is to be changed.
    pub fn only_options(&self) -> Option<&ResourceOptions> {
        let Self { name, description, enabled, tags, options, extra } = self;
        let nothing_else = name.is_none() && description.is_none() && enabled.is_none() && tags.is_none() && extra.is_empty();
        options.as_ref().filter(|_| nothing_else)
    }
}

/// At most so many words are on a project. Keystone's limit.
const MOST_TAGS: usize = 80;

/// The words on a project, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Tags(Vec<Tag>);

impl Tags {
    pub fn new(tags: Vec<Tag>) -> Result<Self, String> {
        if tags.len() > MOST_TAGS {
            return Err(format!("a project has at most {MOST_TAGS} tags"));
        }
        match tags.iter().enumerate().find(|(i, tag)| tags[..*i].contains(tag)) {
            Some((_, twice)) => Err(format!("the tag {} stands twice in the list", twice.0)),
            None => Ok(Self(tags)),
        }
    }

    pub fn words(&self) -> Vec<String> {
        self.0.iter().map(|tag| tag.0.clone()).collect()
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
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
