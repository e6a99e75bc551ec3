// SPDX-License-Identifier: Apache-2.0
//! An account: what a project has in objects. It is there as soon as somebody writes into it.

mod api;
pub mod table;

use ::api::Rule;
pub use api::keys;
use serde::Serialize;
use types::{ProjectId, Timestamp};

use crate::{metadata::Metadata, policy};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("account", api::routes).rules(RULES);
const RULES: &[Rule] = policy::RULES;

#[derive(Debug, Clone, Serialize)]
pub struct Account {
    pub project: ProjectId,
    pub metadata: Metadata,
    pub quota_bytes: Option<u64>,
    #[serde(skip)]
    pub containers: u64,
    #[serde(skip)]
    pub objects: u64,
    #[serde(skip)]
    pub bytes: u64,
    pub created_at: Timestamp,
    pub changed_at: Timestamp,
}

impl Account {
    /// As it is before anybody has written into it.
    pub fn new(project: &ProjectId) -> Self {
        let now = Timestamp::now();
        let (metadata, project) = (Metadata::default(), project.clone());
        Self { project, metadata, quota_bytes: None, containers: 0, objects: 0, bytes: 0, created_at: now, changed_at: now }
    }

    /// For the stream of events.
    fn told(&self) -> Self {
        Self { metadata: self.metadata.without_secrets(), ..self.clone() }
    }
}
