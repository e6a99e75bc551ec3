// SPDX-License-Identifier: Apache-2.0
//! Volumes: disks that outlive the servers that have them. What a volume is; its life is in [`crate::life`].

mod action;
mod api;
pub(crate) mod create;
pub(crate) mod delete;
mod extend;
mod image;
mod list;
mod metadata;
pub(crate) mod policy;
mod retype;
mod row;
pub(crate) mod state;
mod summary;
pub(crate) mod table;
mod update;
pub(crate) mod view;

use std::collections::BTreeMap;

use contracts::{
    images::{ImageFacts, NewSnapshot},
    node::DoorObserved,
};
use serde::{Deserialize, Serialize};
use types::{Generation, ImageId, NodeId, ProjectId, SnapshotId, Timestamp, UserId, VolumeId};

use state::{Life, Stage};

pub(crate) const DRAWER: crate::Drawer =
    crate::Drawer::new("volume", api::routes).shows(&[("volume", &[view::BRIEF, view::FULL])]);

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Volume {
    pub id: VolumeId,
    pub project_id: ProjectId,
    pub user_id: UserId,
    pub name: Option<String>,
    pub description: Option<String>,
    /// GiB.
    pub size: i64,
    pub wanted_size: i64,
    pub type_id: String,
    pub zone: String,
    pub bootable: bool,
    pub read_only: bool,
    /// Whether its owner ever said so or otherwise.
    pub says_read_only: bool,
    pub metadata: BTreeMap<String, String>,
    /// What it has of the image from which it was made, in Glance's words.
    pub image_metadata: BTreeMap<String, String>,
    pub origin: Origin,
    pub life: Life,
    pub step: Option<String>,
    pub fault: Option<String>,
    pub forced_status: Option<String>,
    pub node_id: Option<NodeId>,
    pub host: Option<String>,
    pub attach: Option<Stage>,
    pub door_node: Option<NodeId>,
    pub door_found: Option<DoorObserved>,
    pub copy: Option<Copy>,
    pub transfer_id: Option<String>,
    pub group_id: Option<String>,
    pub deleting_at: Option<Timestamp>,
    pub generation: Generation,
    pub revision: i64,
    pub created_at: Timestamp,
    pub updated_at: Option<Timestamp>,
    pub status: String,
}

/// What it held when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    Blank,
    Image(ImageNote),
    Snapshot { volume_id: VolumeId, snapshot_id: SnapshotId },
    Volume { volume_id: VolumeId },
}

/// What a node needs to know of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImageNote {
    pub id: ImageId,
    pub sha512: String,
    pub format: String,
    pub size: u64,
}

/// An image that the volume is being copied to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Copy {
    pub image: NewSnapshot,
    pub stage: CopyStage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CopyStage {
    /// The image is to be made.
    Asked,
    /// The node is told to send the data.
    Copying,
    /// It cannot be had: the image is to go again.
    Failing,
}

impl Origin {
    pub(crate) fn snapshot(&self) -> Option<&SnapshotId> {
        if let Self::Snapshot { snapshot_id, .. } = self { Some(snapshot_id) } else { None }
    }

    pub(crate) fn volume(&self) -> Option<&VolumeId> {
        if let Self::Volume { volume_id } = self { Some(volume_id) } else { None }
    }
}

impl From<&ImageFacts> for ImageNote {
    fn from(image: &ImageFacts) -> Self {
        Self { id: image.id.clone(), sha512: image.sha512.clone(), format: image.disk_format.clone(), size: image.size }
    }
}

impl Volume {
    /// Whether what a node is told of it may rest on another volume that must stay until then.
    pub(crate) fn is_being_made(&self) -> bool {
        self.deleting_at.is_none() && matches!(self.life, Life::Planned | Life::Making)
    }
}

/// How Cinder calls the place of a node's volumes: host, store and pool.
pub(crate) fn place_name(hostname: &str) -> String {
    format!("{hostname}@disks#disks")
}
