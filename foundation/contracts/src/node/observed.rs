// SPDX-License-Identifier: Apache-2.0
//! What a node found.

use serde::{Deserialize, Serialize};
use types::{Generation, ImageId, ServerId};

use super::{DeviceId, DeviceObserved, DeviceState, Kind, ThingId, VolumeObserved, VolumeState};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// The latest line of this session that the node had taken in when it began to look: of what was said later, this report
    /// says nothing by not listing it.
    pub as_of: u64,
    /// True for the first report of a session and for regular ones: what it does not list, the node does not have. False if
    /// only what changed is listed.
    pub complete: bool,
    pub things: Vec<Found>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Found {
    Machine(MachineObserved),
    Volume(VolumeObserved),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineObserved {
    pub server_id: ServerId,
    /// The generation of the desired state on which this was found.
    pub generation: Generation,
    pub reboots: u32,
    pub state: MachineState,
    /// How far the snapshot is that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotObserved>,
    /// Each for itself. Empty from a node that does not tell them apart.
    #[serde(default)]
    pub devices: Vec<DeviceObserved>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotObserved {
    pub image_id: ImageId,
    pub step: SnapshotStep,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum SnapshotStep {
    Copying,
    /// The copy is whole; the controller gets it next.
    Copied,
    Sent,
    /// It cannot be had, and why. The node does not try again.
    Failed {
        cause: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum MachineState {
    /// On the way; `step` tells what is being done (`image`, `disk`, `ports`, `start`).
    Preparing {
        step: String,
    },
    Running,
    /// Its guest is held still, in memory, as wanted.
    Paused,
    /// Its guest or the operator's wish stopped it; disk kept.
    Stopped,
    /// Its root disk came from another node and is whole here; nothing is started.
    Received,
    /// Its root disk went out and was taken at the other end; it is here, too.
    Sent,
    /// It is not as desired, and why. The node tries again when `transient`.
    Failed {
        cause: String,
        transient: bool,
        #[serde(default)]
        how: Failure,
    },
    /// Nothing of it is left: process, tap, disk.
    Gone,
}

/// How far a machine had come when it failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// It could not be brought to where it is wanted.
    #[default]
    Unmade,
    /// It ran; its process ended, or stands still for good, though neither its guest nor anybody else wished so. Its disk is
    /// kept.
    Crashed,
    /// It is held still, and goes on by itself when the cause is gone.
    Held,
}

impl From<MachineObserved> for Found {
    fn from(machine: MachineObserved) -> Self {
        Self::Machine(machine)
    }
}

impl From<VolumeObserved> for Found {
    fn from(volume: VolumeObserved) -> Self {
        Self::Volume(volume)
    }
}

impl Found {
    pub fn id(&self) -> ThingId {
        match self {
            Self::Machine(machine) => ThingId::machine(&machine.server_id),
            Self::Volume(volume) => ThingId::volume(&volume.volume_id),
        }
    }

    /// Nothing of it is left.
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Machine(machine) => machine.state == MachineState::Gone,
            Self::Volume(volume) => volume.state == VolumeState::Gone,
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Machine(_) => Kind::Machine,
            Self::Volume(_) => Kind::Volume,
        }
    }

    pub fn as_machine(&self) -> Option<&MachineObserved> {
        if let Self::Machine(machine) = self { Some(machine) } else { None }
    }

    pub fn as_volume(&self) -> Option<&VolumeObserved> {
        if let Self::Volume(volume) = self { Some(volume) } else { None }
    }
}

impl Observed {
    pub fn machines(&self) -> impl Iterator<Item = &MachineObserved> {
        self.things.iter().filter_map(Found::as_machine)
    }
}

impl MachineObserved {
    pub fn device(&self, id: &DeviceId) -> Option<&DeviceState> {
        self.devices.iter().find(|device| device.id == *id).map(|device| &device.state)
    }
}
