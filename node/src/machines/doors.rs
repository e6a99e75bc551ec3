// SPDX-License-Identifier: Apache-2.0
//! What the metadata service needs to know of the machines: on which networks they are, and who has which address.

use std::{collections::BTreeMap, net::IpAddr};

use contracts::{
    node::{MachineDesired, NicDesired},
    ports::MetadataDoor,
};
use types::NetworkId;

use super::Machines;

/// What a network's metadata door is made of; another one when any of it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DoorPlan {
    pub door: MetadataDoor,
    pub mtu: u32,
}

impl Machines {
    /// The metadata doors that machines of this host need.
    pub fn doors(&self) -> BTreeMap<NetworkId, DoorPlan> {
        let mut doors = BTreeMap::new();
        self.each_wanted(|machine| {
            for nic in machine.nics() {
                if let Some(door) = &nic.metadata {
                    let plan = DoorPlan { door: door.clone(), mtu: nic.mtu };
                    doors.entry(nic.network_id.clone()).or_insert(plan);
                }
            }
        });
        doors
    }

    /// The machine that has this address in this network.
    pub fn at_address(&self, network: &NetworkId, address: IpAddr) -> Option<Box<MachineDesired>> {
        let has = |nic: &NicDesired| nic.network_id == *network && nic.fixed_ips.iter().any(|fixed| fixed.address == address);
        let mut found = None;
        self.each_wanted(|machine| {
            if machine.nics().any(has) {
                found = Some(Box::new(machine.clone()));
            }
        });
        found
    }
}
