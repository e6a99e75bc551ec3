// SPDX-License-Identifier: Apache-2.0
//! What a session has told its node, kept as hashes, and so which lines are still to be said.

use std::collections::{HashMap, HashSet};

use contracts::node::{MachineDesired, ToNode};
use sha2::{Digest, Sha256};
use types::ServerId;

type Mark = [u8; 32];

#[derive(Debug, Default)]
pub(super) struct Sent {
    marks: HashMap<ServerId, Mark>,
    released: HashSet<ServerId>,
}

impl Sent {
    /// Notes that the whole of this was said.
    pub fn everything(machines: &[MachineDesired], released: &[ServerId]) -> Self {
        Self {
            marks: machines.iter().map(|machine| (machine.server_id.clone(), mark(machine))).collect(),
            released: released.iter().cloned().collect(),
        }
    }

    /// The lines that lead from what was said to this, noted as said. Of a machine that is spoken of no more nothing is said:
    /// only what is released goes.
    pub fn differences(&mut self, machines: Vec<MachineDesired>, released: Vec<ServerId>) -> Vec<ToNode> {
        let mut marks = HashMap::with_capacity(machines.len());
        let mut lines = Vec::new();
        for machine in machines {
            let fresh = mark(&machine);
            if self.marks.get(&machine.server_id) != Some(&fresh) || self.released.contains(&machine.server_id) {
                lines.push(ToNode::Machine { machine: Box::new(machine.clone()) });
            }
            marks.insert(machine.server_id, fresh);
        }
        let fresh: HashSet<ServerId> = released.into_iter().filter(|server_id| !marks.contains_key(server_id)).collect();
        lines.extend(fresh.difference(&self.released).map(|server_id| ToNode::Released { server_id: server_id.clone() }));
        (self.marks, self.released) = (marks, fresh);
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
        let mut sent = Sent::everything(&[first.clone(), second.clone()], &[]);
        assert_eq!(sent.differences(vec![first.clone(), second.clone()], vec![]), []);
        let newer = machine("a", 2);
        let lines = sent.differences(vec![newer.clone(), third.clone()], vec!["b".into()]);
        let released = ToNode::Released { server_id: "b".into() };
        let said = |machine: &MachineDesired| ToNode::Machine { machine: Box::new(machine.clone()) };
        assert_eq!(lines, [said(&newer), said(&third), released]);
        assert_eq!(sent.differences(vec![newer.clone(), third.clone()], vec!["b".into()]), []);
        // Wanted again, as after the same name was restored.
        assert_eq!(sent.differences(vec![newer, second.clone(), third], vec![]), [said(&second)]);
    }

    #[test]
    fn a_machine_that_is_spoken_of_no_more_is_not_released() {
        let mut sent = Sent::everything(&[machine("a", 1), machine("b", 1)], &[]);
        assert_eq!(sent.differences(vec![], vec![]), []);
    }
}
