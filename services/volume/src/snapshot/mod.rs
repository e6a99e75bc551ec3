// SPDX-License-Identifier: Apache-2.0
//! Snapshots: what a volume was like at a moment. They lie where their volume does, and live by its reconciler.

mod action;
pub(crate) mod api;
mod list;
mod metadata;
pub(crate) mod policy;
pub(crate) mod table;
mod view;

use std::collections::BTreeMap;

use serde::Serialize;
use types::{ProjectId, SnapshotId, Timestamp, UserId, VolumeId};

use crate::volume::{Volume, state::Life};

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
    pub group_snapshot_id: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub life: Life,
    pub fault: Option<String>,
    pub forced_status: Option<String>,
    /// What somebody said how far it is.
    pub progress: Option<String>,
    pub deleting_at: Option<Timestamp>,
    pub position: i64,
    pub revision: i64,
    pub created_at: Timestamp,
    pub updated_at: Option<Timestamp>,
    pub status: String,
}

impl Snapshot {
    /// One that is about to be taken of this volume.
    pub(crate) fn of(volume: &Volume, user: &UserId) -> Self {
        Self {
            id: SnapshotId::generate(),
            volume_id: volume.id.clone(),
            project_id: volume.project_id.clone(),
            user_id: user.clone(),
            name: None,
            description: None,
            size: volume.size,
            type_id: volume.type_id.clone(),
            group_snapshot_id: None,
            metadata: BTreeMap::new(),
            life: Life::Making,
            fault: None,
            forced_status: None,
            progress: None,
            deleting_at: None,
            position: 0,
            revision: 1,
            created_at: Timestamp::now(),
            updated_at: None,
            status: String::new(),
        }
    }

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
