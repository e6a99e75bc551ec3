// SPDX-License-Identifier: Apache-2.0
//! Groups: users who get roles together.

pub mod api;
pub mod table;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use types::{DomainId, GroupId, Timestamp};

use crate::{
    body::{Extra, Name, present},
    reply::{self, Resource},
};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("group", api::routes);

#[derive(Debug, Clone, Serialize)]
pub struct Group {
    pub id: GroupId,
    pub name: String,
    pub domain_id: DomainId,
    pub description: String,
    #[serde(flatten)]
    pub extra: Extra,
}

/// A group that a user is in: for good, or as long as the last login by an identity provider counts.
#[derive(Debug, Clone, Serialize)]
pub struct Membership {
    #[serde(flatten)]
    pub group: Group,
    #[serde(serialize_with = "reply::naive")]
    pub membership_expires_at: Option<Timestamp>,
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

impl Resource for Membership {
    const ONE: &'static str = Group::ONE;
    const MANY: &'static str = Group::MANY;

    fn id(&self) -> &str {
        self.group.id()
    }
}
