// SPDX-License-Identifier: Apache-2.0
//! What a session has told its node, kept as hashes, and so which lines are still to be said.

use std::collections::HashMap;

use contracts::node::{MachineDesired, ToNode};
use sha2::{Digest, Sha256};
use types::ServerId;

type Mark = [u8; 32];

#[derive(Debug, Default)]
pub(super) struct Sent {
    marks: HashMap<ServerId, Mark>,
}

impl Sent {
    /// Notes that the whole of this was said.
    pub fn everything(machines: &[MachineDesired]) -> Self {
        Self { marks: machines.iter().map(|machine| (machine.server_id.clone(), mark(machine))).collect() }
    }

    /// The lines that lead from what was said to this, noted as said.
    pub fn differences(&mut self, machines: Vec<MachineDesired>) -> Vec<ToNode> {
        let mut marks = HashMap::with_capacity(machines.len());
        let mut lines = Vec::new();
        for machine in machines {
            let fresh = mark(&machine);
            if self.marks.remove(&machine.server_id) != Some(fresh) {
                lines.push(ToNode::Machine { machine: Box::new(machine.clone()) });
            }
            marks.insert(machine.server_id, fresh);
        }
        lines.extend(self.marks.drain().map(|(server_id, _)| ToNode::Gone { server_id }));
        self.marks = marks;
        lines
    }
}

fn mark(machine: &MachineDesired) -> Mark {
    let json = serde_json::to_vec(machine).unwrap_or_default();
    Sha256::digest(json).into()
}
