// SPDX-License-Identifier: Apache-2.0
//! Mappings: named rules by which [`rules`](super::rules) reads what an identity provider says.

pub mod api;
pub mod table;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::reply::Resource;

#[derive(Debug, Clone, Serialize)]
pub struct Mapping {
    pub id: String,
    pub rules: Value,
    pub schema_version: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct NewMapping {
    pub rules: Value,
    /// Absent or null: 1.0 for a new mapping, and what it was for an old one.
    #[serde(default)]
    pub schema_version: Option<String>,
}

impl Resource for Mapping {
    const ONE: &'static str = "mapping";
    const MANY: &'static str = "mappings";

    fn id(&self) -> &str {
        &self.id
    }

    fn url(&self, cx: &::api::Cx) -> String {
        cx.url(&format!("/v3/OS-FEDERATION/mappings/{}", self.id))
    }
}
