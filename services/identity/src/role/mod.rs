// SPDX-License-Identifier: Apache-2.0
//! Roles, and which role implies which.

pub mod api;
pub mod implied;
pub mod table;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use types::{DomainId, RoleId};

use crate::{
    body::{Extra, Name, present},
    options::ResourceOptions,
    reply::Resource,
};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("role", routes);

fn routes() -> ::api::Routes<crate::Identity> {
    api::routes().join(implied::routes())
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Role {
    pub id: RoleId,
    pub name: String,
    /// None for a role of the whole cloud.
    pub domain_id: Option<DomainId>,
    pub description: Option<String>,
    pub options: Extra,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Deserialize)]
pub struct NewRole {
    pub name: Name<255>,
    #[serde(default)]
    pub domain_id: Option<DomainId>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub options: ResourceOptions,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Deserialize)]
pub struct RoleUpdate {
    pub name: Option<Name<255>>,
    #[serde(default, deserialize_with = "present")]
    pub description: Option<Option<String>>,
    pub options: Option<ResourceOptions>,
    #[serde(flatten)]
    pub extra: Extra,
}

impl RoleUpdate {
    /// The options, if nothing else is to be changed.
    pub fn only_options(&self) -> Option<&ResourceOptions> {
        let Self { name, description, options, extra } = self;
        options.as_ref().filter(|_| name.is_none() && description.is_none() && extra.is_empty())
    }
}

impl Resource for Role {
    const ONE: &'static str = "role";
    const MANY: &'static str = "roles";

    fn id(&self) -> &str {
        self.id.as_str()
    }
}
