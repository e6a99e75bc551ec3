// SPDX-License-Identifier: Apache-2.0
//! A volume, as a node that has it shall have it and found it.
//!
//! A volume lies on one node. What it says is about data that outlives every machine, so a node makes it once and never anew,
//! and gives up a snapshot only if that is released by name.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use types::{Generation, ImageId, NodeId, SnapshotId, VolumeId};

use super::{SnapshotDesired, SnapshotObserved, Ticket};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VolumeDesired {
    pub volume_id: VolumeId,
    pub generation: Generation,
    /// Bytes. Grows, whoever has it open.
    pub size: u64,
    /// What it holds when it is made.
    pub from: Origin,
    /// It was made before. A node that does not have it says that it is missing, and makes none: an empty disk in the place
    /// of a tenant's data would be no repair.
    pub made: bool,
    /// In the order in which they were taken. One that the node has and that is neither here nor in `released` stays.
    #[serde(default)]
    pub snapshots: Vec<VolumeSnapshot>,
    /// Snapshots to give up.
    #[serde(default)]
    pub released: Vec<SnapshotId>,
    /// The only one that may open it. A node that has it open for somebody else closes that first, and says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_to: Option<Door>,
    /// A copy of it to send, by the ticket of [`super::Stream::VolumeCopy`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<SnapshotDesired>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Origin {
    /// Nothing: it reads as zeros.
    Blank,
    Image {
        image_id: ImageId,
        sha512: String,
        /// As the image API names it and the image room found it: never probed again.
        format: String,
        image_size: u64,
        ticket: Ticket,
    },
    /// What this volume was like when the snapshot was taken. On the same node.
    Snapshot { volume_id: VolumeId, snapshot_id: SnapshotId },
    /// What this volume is like when the new one is made. On the same node.
    Volume { volume_id: VolumeId },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeSnapshot {
    pub id: SnapshotId,
    /// As of a volume.
    pub made: bool,
}

/// Who may open a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    /// Its own node, whose machines open its file, or another one, to which it is exported.
    pub node: NodeId,
    #[serde(default)]
    pub read_only: bool,
}

/// How a machine reaches a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "way", rename_all = "snake_case")]
pub enum Way {
    /// It lies on the same node, whose agent knows its file.
    Here,
    /// Over mutual TLS, by the certificates that nodes have of the cloud.
    Nbd {
        address: SocketAddr,
        export: String,
        /// The node whose certificate must be shown there.
        peer: NodeId,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VolumeObserved {
    pub volume_id: VolumeId,
    /// The generation of the desired state on which this was found.
    pub generation: Generation,
    #[serde(flatten)]
    pub state: VolumeState,
    #[serde(default)]
    pub snapshots: Vec<VolumeSnapshotObserved>,
    /// Whoever may open it now, or still. None: nobody has it open, and nobody can open it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub door: Option<DoorObserved>,
    /// How far the copy is that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<SnapshotObserved>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum VolumeState {
    /// On the way; `step` tells what is being done (`image`, `copy`, `layer`).
    Preparing { step: String },
    /// All of it is there.
    Ready {
        /// Bytes, as whoever opens it sees them.
        size: u64,
    },
    /// It is not as desired, and why. The node tries again when `transient`.
    Failed { cause: String, transient: bool },
    /// Nothing of it is left but layers on which others rest.
    Gone,
}

/// A snapshot that the node neither has nor shall have is not listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeSnapshotObserved {
    pub id: SnapshotId,
    #[serde(flatten)]
    pub state: VolumeSnapshotState,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum VolumeSnapshotState {
    Making,
    Made,
    Failed {
        cause: String,
    },
    /// Released, and gone. Told until the controller releases it no more.
    Gone,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoorObserved {
    pub node: NodeId,
    #[serde(flatten)]
    pub state: DoorState,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DoorState {
    Opening,
    Open {
        #[serde(flatten)]
        way: Way,
    },
    /// Not wanted any more, and whoever had it may have it still.
    Closing,
    /// Not as wanted, and why. The node tries again.
    Failed {
        cause: String,
    },
}

impl VolumeDesired {
    /// Bytes in a GiB, the unit of the API.
    pub const GIB: u64 = 1 << 30;
}

impl VolumeObserved {
    pub fn snapshot(&self, id: &SnapshotId) -> Option<&VolumeSnapshotState> {
        self.snapshots.iter().find(|snapshot| snapshot.id == *id).map(|snapshot| &snapshot.state)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_volume_is_read_as_it_was_meant() {
        let way = Way::Nbd { address: "10.0.0.1:10809".parse().unwrap(), export: "v".into(), peer: "n".into() };
        let found = VolumeObserved {
            volume_id: "v".into(),
            generation: Generation(3),
            state: VolumeState::Ready { size: VolumeDesired::GIB },
            snapshots: vec![VolumeSnapshotObserved { id: "s".into(), state: VolumeSnapshotState::Made }],
            door: Some(DoorObserved { node: "n".into(), state: DoorState::Open { way } }),
            copy: None,
        };
        let said = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<VolumeObserved>(&said).unwrap(), found, "{said}");
    }
}
