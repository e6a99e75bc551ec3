// SPDX-License-Identifier: Apache-2.0
//! Request tokens: a consumer's wish to act in a project, until a user grants it with a word that the consumer must show.

pub mod api;
pub mod table;

use types::{ProjectId, RoleId, Secret, Timestamp, UserId};

#[derive(Debug, Clone)]
pub struct RequestToken {
    pub id: String,
    pub consumer_id: String,
    pub project_id: ProjectId,
    pub secret: Secret<String>,
    pub expires_at: Timestamp,
    pub authorized: Option<Authorization>,
}

/// What a user granted.
#[derive(Debug, Clone)]
pub struct Authorization {
    pub user_id: UserId,
    pub role_ids: Vec<RoleId>,
    /// The user tells it to the consumer, who so proves that they have met.
    pub verifier: Secret<String>,
}

impl RequestToken {
    pub fn is_expired(&self) -> bool {
        self.expires_at <= Timestamp::now()
    }
}
