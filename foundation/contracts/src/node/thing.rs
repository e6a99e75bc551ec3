// SPDX-License-Identifier: Apache-2.0
//! What a node shall have, of whatever kind, from whichever room.

use std::fmt;

use serde::{Deserialize, Serialize};
use types::{Generation, ServerId};

use super::MachineDesired;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Its id is that of its server.
    Machine,
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
}

impl ThingId {
    pub fn machine(server: &ServerId) -> Self {
        Self { kind: Kind::Machine, id: server.to_string() }
    }

    /// The server whose machine this is.
    pub fn server(&self) -> Option<ServerId> {
        match self.kind {
            Kind::Machine => Some(ServerId::new(self.id.as_str())),
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

    pub fn released(id: ThingId, generation: Generation) -> Self {
        Self { id, generation, want: Want::Released }
    }

    pub fn is_released(&self) -> bool {
        self.want == Want::Released
    }

    pub fn as_machine(&self) -> Option<&MachineDesired> {
        match &self.want {
            Want::Present(Spec::Machine(machine)) => Some(machine),
            Want::Released => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Machine => "machine",
        })
    }
}

impl fmt::Display for ThingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}
