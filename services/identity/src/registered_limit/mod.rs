// SPDX-License-Identifier: Apache-2.0
//! Registered limits: of each resource of a service, how much a project may have that nothing else was said about.

pub mod api;
pub mod table;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use types::ServiceId;

use crate::{
    body::{Name, present},
    reply::Resource,
};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("registered_limit", api::routes);

#[derive(Debug, Clone, Serialize)]
pub struct RegisteredLimit {
    pub id: String,
    pub service_id: ServiceId,
    /// None: of all regions.
    pub region_id: Option<String>,
    pub resource_name: String,
    pub default_limit: Amount,
    pub description: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRegisteredLimit {
    pub service_id: ServiceId,
    #[serde(default)]
    pub region_id: Option<String>,
    pub resource_name: Name<255>,
    pub default_limit: Amount,
    #[serde(default)]
    pub description: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredLimitUpdate {
    pub service_id: Option<ServiceId>,
    #[serde(default, deserialize_with = "present")]
    pub region_id: Option<Option<String>>,
    pub resource_name: Option<Name<255>>,
    pub default_limit: Option<Amount>,
    #[serde(default, deserialize_with = "present")]
    pub description: Option<Option<String>>,
}

/// How much: -1 means without limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Amount(pub i64);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let amount = i64::deserialize(deserializer)?;
        if !(-1..=i64::from(i32::MAX)).contains(&amount) {
            return Err(D::Error::custom(format!("a limit is between -1, which means none, and {}", i32::MAX)));
        }
        Ok(Self(amount))
    }
}

impl Resource for RegisteredLimit {
    const ONE: &'static str = "registered_limit";
    const MANY: &'static str = "registered_limits";

    fn id(&self) -> &str {
        &self.id
    }
}
