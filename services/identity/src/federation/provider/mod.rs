// SPDX-License-Identifier: Apache-2.0
//! Identity providers: who vouches for people, and in which domain those people live here.

pub mod api;
pub mod table;

use serde::{Deserialize, Serialize};
use types::DomainId;

use crate::body::present;

#[derive(Debug, Clone, Serialize)]
pub struct IdentityProvider {
    pub id: String,
    pub domain_id: DomainId,
    pub enabled: bool,
    pub description: Option<String>,
    pub remote_ids: Vec<String>,
    /// Minutes for which memberships in groups count after a login; `None`: as the operator configured for all.
    pub authorization_ttl: Option<u32>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewProvider {
    /// Absent: a domain is made for it.
    #[serde(default)]
    pub domain_id: Option<DomainId>,
    #[serde(default)]
    pub enabled: bool,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub remote_ids: Option<Vec<String>>,
    #[serde(default)]
    pub authorization_ttl: Option<u32>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderUpdate {
    pub enabled: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    pub description: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    pub remote_ids: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "present")]
    pub authorization_ttl: Option<Option<u32>>,
}
