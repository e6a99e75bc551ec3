// SPDX-License-Identifier: Apache-2.0
//! What compute needs of the volume room: the volumes of a server; and the little that the volume room needs of compute.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use types::{AttachmentId, ImageId, NodeId, ProjectId, ServerId, SnapshotId, UserId, VolumeId};

use crate::{BoxFuture, Refusal, caller::Caller, node::Way};

/// What a user may ask for as a disk of a server, before it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeWish {
    /// One that is there.
    Volume(VolumeId),
    /// One that compute shall make.
    New {
        from: VolumeSource,
        /// GiB; none if that of its source will do.
        size: Option<u64>,
        volume_type: Option<String>,
    },
}

/// What a volume holds when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeSource {
    Blank,
    Image(ImageId),
    Snapshot(SnapshotId),
    Volume(VolumeId),
}

/// One volume of a server as it was asked for; kept with the server, so that `ensure` can be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeAsk {
    /// The volume. Chosen at the API door for one that compute makes, so that a repeated `ensure` never makes two; the user's
    /// own for one that he brought.
    pub volume_id: VolumeId,
    pub attachment_id: AttachmentId,
    /// How to make it. None for a volume that is there.
    pub new: Option<NewVolume>,
    /// GiB, when it was asked for.
    pub size: u64,
    pub bootable: bool,
    /// Of the image from which it was made, in Glance's words. Empty for other volumes.
    #[serde(default)]
    pub image: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewVolume {
    pub from: VolumeSource,
    pub type_id: String,
    pub user_id: UserId,
}

/// A volume of a server, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeFacts {
    pub id: VolumeId,
    pub attachment_id: AttachmentId,
    pub name: String,
    /// GiB.
    pub size: u64,
    pub read_only: bool,
    pub bootable: bool,
    /// Where it lies, once that is known.
    pub node: Option<NodeId>,
    /// How the server's node reaches it, once its door is open.
    pub way: Option<Way>,
    /// What its owner was told it is called in the guest.
    pub device: Option<String>,
    pub image: BTreeMap<String, String>,
}

pub trait Volumes: Send + Sync {
    /// Checks the wishes against what the caller may use in his project, by the policies that his own requests for volumes
    /// would meet, and fills them in. Nothing is made yet. A volume that is not free is a conflict.
    fn plan<'a>(&'a self, caller: &'a Arc<Caller>, wishes: &'a [VolumeWish]) -> BoxFuture<'a, Result<Vec<VolumeAsk>, Refusal>>;

    /// Makes the volume if it is to be made, and takes it for the server: from now on nobody else gets it. Idempotent; a
    /// volume that is somebody else's by now is a conflict.
    fn reserve<'a>(
        &'a self,
        project: &'a ProjectId,
        server: &'a ServerId,
        ask: &'a VolumeAsk,
    ) -> BoxFuture<'a, Result<(), Refusal>>;

    /// The same, and opens its door to the node. Unavailable while that is under way: the server is rung for when there is news
    /// ([`Servers::volumes_changed`]). A volume that cannot be made is a conflict, with its cause. A door that was open to
    /// another node moves once that node has let go of it.
    fn ensure<'a>(
        &'a self,
        project: &'a ProjectId,
        server: &'a ServerId,
        node: &'a NodeId,
        ask: &'a VolumeAsk,
    ) -> BoxFuture<'a, Result<VolumeFacts, Refusal>>;

    /// The server has it now, and its owner is told by this name: `/dev/vdb`.
    fn plugged<'a>(&'a self, server: &'a ServerId, ask: &'a VolumeAsk, device: &'a str) -> BoxFuture<'a, Result<(), Refusal>>;

    /// The server is about to let it go.
    fn unplugging<'a>(&'a self, server: &'a ServerId, ask: &'a VolumeAsk) -> BoxFuture<'a, Result<(), Refusal>>;

    /// The server does not have it: closes the door, and deletes the volume if that is asked. Unavailable until the door is
    /// closed. Nothing there is fine.
    fn release<'a>(&'a self, server: &'a ServerId, ask: &'a VolumeAsk, and_delete: bool) -> BoxFuture<'a, Result<(), Refusal>>;

    /// The volumes of many servers, in a constant number of statements.
    fn of_servers<'a>(&'a self, servers: &'a [ServerId]) -> BoxFuture<'a, Result<HashMap<ServerId, Vec<VolumeFacts>>, Refusal>>;
}

/// Compute, as the volume room sees it.
pub trait Servers: Send + Sync {
    /// Something about volumes of these servers changed: a door is open or closed, one has grown, one failed. They are looked
    /// at again.
    fn volumes_changed(&self, servers: &[ServerId]);
}
