// SPDX-License-Identifier: Apache-2.0
//! Protocols: how an identity provider speaks, and which mapping reads what it says.

pub mod api;
pub mod table;

use serde::{Deserialize, Serialize};

use crate::body::Name;

#[derive(Debug, Clone, Serialize)]
pub struct Protocol {
    pub id: String,
    #[serde(skip)]
    pub provider_id: String,
    pub mapping_id: String,
    /// The attribute in which the identity provider names itself, where it is not the usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_id_attribute: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewProtocol {
    pub mapping_id: Name<64>,
    #[serde(default)]
    pub remote_id_attribute: Option<String>,
}
