// SPDX-License-Identifier: Apache-2.0
//! Service providers: other clouds that take people on the word of this one. The enabled ones stand in every token.

pub mod api;
pub mod table;

use serde::{Deserialize, Serialize};

use crate::{body::present, reply::Resource};

#[derive(Debug, Clone, Serialize)]
pub struct ServiceProvider {
    pub id: String,
    pub auth_url: String,
    pub sp_url: String,
    pub description: Option<String>,
    pub enabled: bool,
    pub relay_state_prefix: String,
}

/// What a token says of a service provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advertised {
    pub auth_url: String,
    pub id: String,
    pub sp_url: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewServiceProvider {
    pub auth_url: Url,
    pub sp_url: Url,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub enabled: bool,
    #[serde(default)]
    pub relay_state_prefix: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceProviderUpdate {
    pub auth_url: Option<Url>,
    pub sp_url: Option<Url>,
    #[serde(default, deserialize_with = "present")]
    pub description: Option<Option<String>>,
    pub enabled: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    pub relay_state_prefix: Option<Option<String>>,
}

/// An address of the web, with at most 225 characters as Keystone has it.
#[derive(Debug, Clone)]
pub struct Url(pub String);

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.len() > 225 || !is_plain || web::check_url(&text).is_err() {
            return Err(serde::de::Error::custom("it is a URL with http or https and at most 225 characters"));
        }
        Ok(Self(text))
    }
}

impl Resource for ServiceProvider {
    const ONE: &'static str = "service_provider";
    const MANY: &'static str = "service_providers";

    fn id(&self) -> &str {
        &self.id
    }

    fn url(&self, cx: &::api::Cx) -> String {
        cx.url(&format!("/v3/OS-FEDERATION/service_providers/{}", self.id))
    }
}
