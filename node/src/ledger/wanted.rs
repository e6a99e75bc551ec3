// SPDX-License-Identifier: Apache-2.0
//! What the controller wants of a machine.

use contracts::node::{MachineDesired, earlier};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wanted {
    Machine(Box<MachineDesired>),
    Gone,
}

/// What is wanted, as it was written down: by this version, or by the one before.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum ThisOrEarlier {
    This(Wanted),
    Earlier(Earlier),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Earlier {
    Machine(Box<earlier::Machine>),
}

impl From<ThisOrEarlier> for Wanted {
    fn from(read: ThisOrEarlier) -> Self {
        match read {
            ThisOrEarlier::This(wanted) => wanted,
            ThisOrEarlier::Earlier(Earlier::Machine(machine)) => Self::Machine(Box::new((*machine).into())),
        }
    }
}
