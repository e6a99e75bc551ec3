// SPDX-License-Identifier: Apache-2.0
//! Regions: names for parts of the cloud that clients choose between.

pub mod api;
pub mod table;

use serde::{Deserialize, Serialize};

use crate::{
    body::{Extra, present},
    reply::Resource,
};

#[derive(Debug, Clone, Serialize)]
pub struct Region {
    pub id: String,
    pub description: String,
    pub parent_region_id: Option<String>,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Deserialize)]
pub struct NewRegion {
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub parent_region_id: Option<String>,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Deserialize)]
pub struct RegionUpdate {
    #[serde(default, deserialize_with = "present")]
    pub description: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    pub parent_region_id: Option<Option<String>>,
    #[serde(flatten)]
    pub extra: Extra,
}

impl Resource for Region {
    const ONE: &'static str = "region";
    const MANY: &'static str = "regions";

    fn id(&self) -> &str {
        &self.id
    }
}
