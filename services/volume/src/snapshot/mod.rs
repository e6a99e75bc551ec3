// SPDX-License-Identifier: Apache-2.0
//! Snapshots: what a volume was like at a moment. They lie where their volume does, and live by its reconciler.

mod action;
mod api;
mod list;
mod metadata;
pub(crate) mod policy;
pub(crate) mod table;
mod view;

use std::collections::BTreeMap;

use serde::Serialize;
use types::{ProjectId, SnapshotId, Timestamp, UserId, VolumeId};

use crate::volume::state::Life;

pub(crate) const DRAWER: crate::Drawer =
    crate::Drawer::new("snapshot", api::routes).shows(&[("snapshot", &[view::BRIEF, view::FULL])]);

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Snapshot {
    pub id: SnapshotId,
    pub volume_id: VolumeId,
    pub project_id: ProjectId,
    pub user_id: UserId,
    pub name: Option<String>,
    pub description: Option<String>,
    /// GiB: of the volume when it was taken.
    pub size: i64,
    pub type_id: String,
    pub metadata: BTreeMap<String, String>,
    pub life: Life,
    pub fault: Option<String>,
    pub forced_status: Option<String>,
    pub deleting_at: Option<Timestamp>,
    pub position: i64,
    pub revision: i64,
    pub created_at: Timestamp,
    pub updated_at: Option<Timestamp>,
    pub status: String,
}

impl Snapshot {
    /// The word of the API, worked out anew at each change.
    fn word(&self) -> String {
        if self.deleting_at.is_some() {
            return "deleting".to_owned();
        }
        let derived = match self.life {
            Life::Planned | Life::Making => "creating",
            Life::There => "available",
            Life::Failed | Life::Missing => "error",
        };
        self.forced_status.clone().unwrap_or_else(|| derived.to_owned())
    }
}
