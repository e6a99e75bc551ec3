// SPDX-License-Identifier: Apache-2.0
//! Access tokens: what a user has granted to a consumer, and can take back.

pub mod api;
pub mod table;

use types::{ProjectId, RoleId, Secret, Timestamp, UserId};

#[derive(Debug, Clone)]
pub struct AccessToken {
    pub id: String,
    pub consumer_id: String,
    pub project_id: ProjectId,
    /// Who granted it, and in whose name its tokens are.
    pub user_id: UserId,
    pub secret: Secret<String>,
    pub role_ids: Vec<RoleId>,
    pub expires_at: Timestamp,
}

impl AccessToken {
    pub fn is_expired(&self) -> bool {
        self.expires_at <= Timestamp::now()
    }
}
