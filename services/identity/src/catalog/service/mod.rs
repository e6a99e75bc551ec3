// SPDX-License-Identifier: Apache-2.0
//! Services: the entries of the catalog.

pub mod api;
pub mod table;

use serde::{Deserialize, Serialize};
use types::ServiceId;

use crate::{
    body::{Extra, Name, present, yes},
    reply::Resource,
};

#[derive(Debug, Clone, Serialize)]
pub struct Service {
    pub id: ServiceId,
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub enabled: bool,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Deserialize)]
pub struct NewService {
    #[serde(rename = "type")]
    pub kind: Name<255>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default = "yes")]
    pub enabled: bool,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ServiceUpdate {
    #[serde(rename = "type")]
    pub kind: Option<Name<255>>,
    #[serde(default, deserialize_with = "present")]
    pub name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    pub description: Option<Option<String>>,
    pub enabled: Option<bool>,
    #[serde(flatten)]
    pub extra: Extra,
}

impl Resource for Service {
    const ONE: &'static str = "service";
    const MANY: &'static str = "services";

    fn id(&self) -> &str {
        self.id.as_str()
    }
}
