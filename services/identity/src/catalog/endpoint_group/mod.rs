// SPDX-License-Identifier: Apache-2.0
//! Endpoint groups: endpoints that are alike in some way, to be given to projects together.

pub mod api;
pub mod table;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use types::ServiceId;

use crate::{
    body::{Name, present},
    catalog::endpoint::{Endpoint, Interface},
    reply::Resource,
};

#[derive(Debug, Clone, Serialize)]
pub struct EndpointGroup {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub filters: Filters,
}

/// What the endpoints of a group are like, in every respect that is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filters {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<Interface>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<ServiceId>,
    /// `null` asks for endpoints without a region.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub region_id: Option<Option<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewEndpointGroup {
    pub name: Name<255>,
    #[serde(default)]
    pub description: Option<String>,
    pub filters: Filters,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointGroupUpdate {
    pub name: Option<Name<255>>,
    #[serde(default, deserialize_with = "present")]
    pub description: Option<Option<String>>,
    pub filters: Option<Filters>,
}

/// A group that was given to a project.
#[derive(Debug, Clone, Serialize)]
pub struct GroupOfProject {
    pub endpoint_group_id: String,
    pub project_id: String,
}

impl Filters {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn admit(&self, endpoint: &Endpoint) -> bool {
        self.interface.is_none_or(|interface| endpoint.interface == interface)
            && self.service_id.as_ref().is_none_or(|service| endpoint.service_id == *service)
            && self.region_id.as_ref().is_none_or(|region| endpoint.region_id == *region)
    }
}

impl Resource for EndpointGroup {
    const ONE: &'static str = "endpoint_group";
    const MANY: &'static str = "endpoint_groups";

    fn id(&self) -> &str {
        &self.id
    }

    fn path(&self) -> String {
        format!("/v3/OS-EP-FILTER/endpoint_groups/{}", self.id)
    }
}

impl Resource for GroupOfProject {
    const ONE: &'static str = "project_endpoint_group";
    const MANY: &'static str = "project_endpoint_groups";

    fn id(&self) -> &str {
        &self.endpoint_group_id
    }

    fn path(&self) -> String {
        format!("/v3/OS-EP-FILTER/endpoint_groups/{}/projects/{}", self.endpoint_group_id, self.project_id)
    }
}
