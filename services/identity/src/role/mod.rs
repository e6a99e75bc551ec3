// SPDX-License-Identifier: Apache-2.0
//! Roles, and which role implies which.

pub mod api;
pub mod implied;
pub mod store;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use types::{DomainId, RoleId};

use crate::{
    body::{Extra, Name, present},
    reply::Resource,
};

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
    pub options: Extra,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Deserialize)]
pub struct RoleUpdate {
    pub name: Option<Name<255>>,
    #[serde(default, deserialize_with = "present")]
    pub description: Option<Option<String>>,
    pub options: Option<Extra>,
    #[serde(flatten)]
    pub extra: Extra,
}

impl Resource for Role {
    const ONE: &'static str = "role";
    const MANY: &'static str = "roles";

    fn id(&self) -> &str {
        self.id.as_str()
    }
}
