// SPDX-License-Identifier: Apache-2.0
//! Limits: how much of a resource one project or domain may have, where that is not the registered limit. In the flat
//! model they are checked against nothing but themselves; in the other one see `two_levels`.

pub mod api;
pub mod changes;
pub mod table;
#[cfg(test)]
mod tests;
pub mod two_levels;

use serde::{Deserialize, Serialize};
use types::{DomainId, ProjectId, ServiceId};

use crate::{
    body::{Name, present},
    registered_limit::Amount,
    reply::Resource,
};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("limit", api::routes).tables(&[crate::Step {
    number: 11,
    name: "limits",
    sql: include_str!("../../migrations/0011_limits.sql"),
}]);

#[derive(Debug, Clone, Serialize)]
pub struct Limit {
    pub id: String,
    pub service_id: ServiceId,
    pub region_id: Option<String>,
    pub resource_name: String,
    /// Of a limit either this or the domain is there.
    pub project_id: Option<ProjectId>,
    pub domain_id: Option<DomainId>,
    pub resource_limit: Amount,
    pub description: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewLimit {
    pub service_id: ServiceId,
    #[serde(default)]
    pub region_id: Option<String>,
    pub resource_name: Name<255>,
    #[serde(default)]
    pub project_id: Option<ProjectId>,
    #[serde(default)]
    pub domain_id: Option<DomainId>,
    pub resource_limit: Amount,
    #[serde(default)]
    pub description: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitUpdate {
    pub resource_limit: Option<Amount>,
    #[serde(default, deserialize_with = "present")]
    pub description: Option<Option<String>>,
}

impl Resource for Limit {
    const ONE: &'static str = "limit";
    const MANY: &'static str = "limits";

    fn id(&self) -> &str {
        &self.id
    }
}
