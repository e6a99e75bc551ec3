// SPDX-License-Identifier: Apache-2.0
//! Mappings: named rules by which [`rules`](super::rules) reads what an identity provider says.

pub mod api;
pub mod store;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{federation::rules::Version, reply::Resource};

#[derive(Debug, Clone, Serialize)]
pub struct Mapping {
    pub id: String,
    pub rules: Value,
    pub schema_version: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct NewMapping {
    pub rules: Value,
    #[serde(default = "default_version")]
    pub schema_version: String,
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

fn default_version() -> String {
    Version::DEFAULT.to_owned()
}
