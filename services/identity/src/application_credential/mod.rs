// SPDX-License-Identifier: Apache-2.0
//! Application credentials: a secret with which a program logs in to one project in its owner's name, with some of
//! the owner's roles.

pub mod api;
pub mod table;
#[cfg(test)]
mod tests;

use contracts::caller::AccessRule;
use serde::Deserialize;
use types::{ProjectId, RoleId, Secret, Timestamp, UserId};

use crate::{access_rule::RuleRequest, body::Name, user::Password};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("application_credential", api::routes);

#[derive(Debug, Clone)]
pub struct ApplicationCredential {
    pub id: String,
    pub user_id: UserId,
    pub project_id: ProjectId,
    pub name: String,
    pub description: Option<String>,
    pub secret_hash: Secret<String>,
    pub expires_at: Option<Timestamp>,
    /// May make and delete other credentials.
    pub unrestricted: bool,
    pub role_ids: Vec<RoleId>,
    /// The only requests that its tokens are good for; none: they are good for all.
    pub access_rules: Vec<AccessRule>,
}

#[derive(Debug, Deserialize)]
pub struct NewCredential {
    pub name: Name<255>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub secret: Option<Password>,
    #[serde(default)]
    pub expires_at: Option<String>,
    #[serde(default)]
    pub roles: Vec<RoleRequest>,
    #[serde(default)]
    pub unrestricted: Option<bool>,
    #[serde(default)]
    pub access_rules: Vec<RuleRequest>,
}

#[derive(Debug, Deserialize)]
pub struct RoleRequest {
    pub id: Option<RoleId>,
    pub name: Option<String>,
}

impl ApplicationCredential {
    pub fn is_expired(&self) -> bool {
        self.expires_at.is_some_and(|at| at <= Timestamp::now())
    }
}
