// SPDX-License-Identifier: Apache-2.0
//! What a node shall have, of whatever kind, from whichever room.

use std::fmt;

use serde::{Deserialize, Serialize};
use types::{Generation, ServerId, VolumeId};

use super::{Feature, MachineDesired, VolumeDesired};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Its id is that of its server.
    Machine,
    /// Its id is its own.
    Volume,
}

/// The name of a thing at all nodes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ThingId {
    pub kind: Kind,
    pub id: String,
}

/// What one room says about one thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thing {
    #[serde(flatten)]
    pub id: ThingId,
    pub generation: Generation,
    pub want: Want,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Want {
    /// The node shall have it, like this.
    Present(Spec),
    /// The node shall have nothing of it.
    Released,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spec {
    Machine(Box<MachineDesired>),
    Volume(Box<VolumeDesired>),
}

impl Kind {
    /// What a node must be able to do to be told of such things at all. None for what every node has.
    pub fn feature(self) -> Option<Feature> {
        match self {
            Self::Machine => None,
            Self::Volume => Some(Feature::Volumes),
        }
    }
}

impl ThingId {
    pub fn machine(server: &ServerId) -> Self {
        Self { kind: Kind::Machine, id: server.to_string() }
    }

    pub fn volume(volume: &VolumeId) -> Self {
        Self { kind: Kind::Volume, id: volume.to_string() }
    }

    /// The server whose machine this is.
    pub fn server(&self) -> Option<ServerId> {
        match self.kind {
            Kind::Machine => Some(ServerId::new(self.id.as_str())),
            Kind::Volume => None,
        }
    }

    /// The volume that this is.
    pub fn as_volume(&self) -> Option<VolumeId> {
        match self.kind {
            Kind::Volume => Some(VolumeId::new(self.id.as_str())),
            Kind::Machine => None,
        }
    }
}

impl Thing {
    pub fn machine(machine: MachineDesired) -> Self {
        Self {
            id: ThingId::machine(&machine.server_id),
            generation: machine.generation,
            want: Want::Present(Spec::Machine(Box::new(machine))),
        }
    }

    pub fn volume(volume: VolumeDesired) -> Self {
        Self {
            id: ThingId::volume(&volume.volume_id),
            generation: volume.generation,
            want: Want::Present(Spec::Volume(Box::new(volume))),
        }
    }

    pub fn released(id: ThingId, generation: Generation) -> Self {
        Self { id, generation, want: Want::Released }
    }

    pub fn is_released(&self) -> bool {
        self.want == Want::Released
    }

    pub fn as_machine(&self) -> Option<&MachineDesired> {
        match &self.want {
            Want::Present(Spec::Machine(machine)) => Some(machine),
            Want::Present(Spec::Volume(_)) | Want::Released => None,
        }
    }

    pub fn as_volume(&self) -> Option<&VolumeDesired> {
        match &self.want {
            Want::Present(Spec::Volume(volume)) => Some(volume),
            Want::Present(Spec::Machine(_)) | Want::Released => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Machine => "machine",
            Self::Volume => "volume",
        })
    }
}

impl fmt::Display for ThingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}
