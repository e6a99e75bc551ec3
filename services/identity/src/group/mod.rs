// SPDX-License-Identifier: Apache-2.0
//! Groups: users who get roles together.

pub mod api;
pub mod store;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use types::{DomainId, GroupId};

use crate::{
    body::{Extra, Name, present},
    reply::Resource,
};

#[derive(Debug, Clone, Serialize)]
pub struct Group {
    pub id: GroupId,
    pub name: String,
    pub domain_id: DomainId,
    pub description: String,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Deserialize)]
pub struct NewGroup {
    pub name: Name<64>,
    pub domain_id: Option<DomainId>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Deserialize)]
pub struct GroupUpdate {
    pub name: Option<Name<64>>,
    #[serde(default, deserialize_with = "present")]
    pub description: Option<Option<String>>,
    #[serde(flatten)]
    pub extra: Extra,
}

impl Resource for Group {
    const ONE: &'static str = "group";
    const MANY: &'static str = "groups";

    fn id(&self) -> &str {
        self.id.as_str()
    }
}
