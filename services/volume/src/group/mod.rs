// SPDX-License-Identifier: Apache-2.0
//! Groups: volumes that belong together, so that a snapshot is taken of all of them, and they are copied and go as one. A group
//! is a note: each of its volumes lives by itself.

mod api;
mod copy;
mod edit;
pub(crate) mod policy;
pub(crate) mod table;

use serde::Serialize;
use serde_json::{Value, json};
use types::{ProjectId, Timestamp, UserId};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("group", api::routes);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Group {
    pub id: String,
    pub project_id: ProjectId,
    pub user_id: UserId,
    pub name: Option<String>,
    pub description: Option<String>,
    pub group_type_id: String,
    /// Of which its volumes may be.
    pub volume_types: Vec<String>,
    pub group_snapshot_id: Option<String>,
    pub source_group_id: Option<String>,
    /// What the operator said that its status is.
    pub forced_status: Option<String>,
    pub deleting_at: Option<Timestamp>,
    pub revision: i64,
    pub created_at: Timestamp,
}

impl Group {
    /// What lists and answers to changes tell of it.
    fn brief(&self) -> Value {
        json!({"id": self.id, "name": self.name})
    }
}
