// SPDX-License-Identifier: Apache-2.0
//! Endpoints: at which address a service answers, for whom and in which region.

pub mod api;
pub mod table;

use serde::{Deserialize, Serialize};
use types::{EndpointId, ServiceId};

use crate::{
    body::{Extra, Name, present, yes},
    reply::Resource,
};

#[derive(Debug, Clone, Serialize)]
pub struct Endpoint {
    pub id: EndpointId,
    pub interface: Interface,
    pub region_id: Option<String>,
    pub service_id: ServiceId,
    pub url: String,
    pub enabled: bool,
    /// The older name of `region_id`.
    pub region: Option<String>,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interface {
    Public,
    Internal,
    Admin,
}

#[derive(Debug, Clone, Deserialize)]
pub struct NewEndpoint {
    pub interface: Interface,
    pub service_id: ServiceId,
    pub url: Name<2048>,
    #[serde(default)]
    pub region_id: Option<String>,
    #[serde(default)]
    pub region: Option<String>,
    #[serde(default = "yes")]
    pub enabled: bool,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Deserialize)]
pub struct EndpointUpdate {
    pub interface: Option<Interface>,
    pub service_id: Option<ServiceId>,
    pub url: Option<Name<2048>>,
    #[serde(default, deserialize_with = "present")]
    pub region_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    pub region: Option<Option<String>>,
    pub enabled: Option<bool>,
    #[serde(flatten)]
    pub extra: Extra,
}

impl Interface {
    pub const ALL: [Self; 3] = [Self::Public, Self::Internal, Self::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Admin => "admin",
        }
    }
}

impl Resource for Endpoint {
    const ONE: &'static str = "endpoint";
    const MANY: &'static str = "endpoints";

    fn id(&self) -> &str {
        self.id.as_str()
    }
}
