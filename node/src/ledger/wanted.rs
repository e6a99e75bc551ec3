// SPDX-License-Identifier: Apache-2.0
//! What the controller wants of a machine.

use contracts::node::MachineDesired;
use serde::{Deserialize, Serialize};
use types::ImageId;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wanted {
    Machine(Box<MachineDesired>),
    Gone,
}

impl Wanted {
    /// The image that a copy of the disk shall become.
    pub fn snapshot(&self) -> Option<&ImageId> {
        match self {
            Self::Machine(machine) => machine.snapshot.as_ref(),
            Self::Gone => None,
        }
    }
}
