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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn machine(id: &str, generation: i64) -> MachineDesired {
        let json = serde_json::json!({
            "server_id": id, "generation": generation, "project_id": "p", "power": "running", "reboots": 0, "reboot": "soft",
            "vcpus": 1, "memory_mb": 1, "nics": [], "config_drive": false,
            "root": { "image_id": "i", "sha512": "", "format": "raw", "image_size": 0, "size": 0 },
            "metadata": {
                "hostname": "", "name": "", "availability_zone": "", "launch_index": 0, "flavor": "", "public_keys": {},
                "meta": {}, "user_data": null, "admin_password": null, "floating_ips": [], "reservation_id": "",
                "security_groups": [],
            },
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn only_what_differs_is_said() {
        let (first, second, third) = (machine("a", 1), machine("b", 1), machine("c", 1));
        let mut sent = Sent::everything(&[first.clone(), second.clone()]);
        assert_eq!(sent.differences(vec![first.clone(), second.clone()]), []);
        let newer = machine("a", 2);
        let lines = sent.differences(vec![newer.clone(), third.clone()]);
        let gone = ToNode::Gone { server_id: "b".into() };
        let said = |machine: &MachineDesired| ToNode::Machine { machine: Box::new(machine.clone()) };
        assert_eq!(lines, [said(&newer), said(&third), gone]);
        assert_eq!(sent.differences(vec![newer, third]), []);
        assert_eq!(sent.differences(vec![]).len(), 2);
    }
}
