// SPDX-License-Identifier: Apache-2.0
//! Snapshots of groups: one of each volume, taken one after the other. They are shown, copied and deleted as one.

mod api;
pub(crate) mod policy;
pub(crate) mod table;

use serde::Serialize;
use types::{ProjectId, Timestamp, UserId};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("group_snapshot", api::routes);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct GroupSnapshot {
    pub id: String,
    pub group_id: String,
    pub project_id: ProjectId,
    pub user_id: UserId,
    pub name: Option<String>,
    pub description: Option<String>,
    pub group_type_id: String,
    /// What the operator said that its status is.
    pub forced_status: Option<String>,
    pub deleting_at: Option<Timestamp>,
    pub revision: i64,
    pub created_at: Timestamp,
}
