// SPDX-License-Identifier: Apache-2.0
//! The port of a network behind which every host answers its guests' metadata requests: an OVN `localport`, the same on
//! all hosts, with an address in each subnet that has DHCP. DHCP tells guests to reach 169.254.169.254 through it.

use ::store::{Tx, params};
use types::{NetworkId, PortId};

use super::{
    DISTRIBUTED,
    addresses::{Seeker, Wish, reassign},
    store::{self, Create},
};
use crate::{Result, ipam, keys, network, resource::Kept, subnet, who::Doer};

/// Makes sure that the port is there if a subnet of the network has DHCP, and has an address in each that does.
pub fn settle(tx: &mut Tx, doer: &Doer, network: &network::Row) -> Result<()> {
    let subnets = subnet::store::of_network(tx, &network.id)?;
    let found = find(tx, &network.id)?;
    let current = match &found {
        Some(id) => store::addresses_of(tx, id)?,
        None => Vec::new(),
    };
    let mut wanted = Vec::new();
    for subnet in subnets.iter().filter(|subnet| subnet.has_dhcp_v4()) {
        let has_one = current.iter().any(|fixed| fixed.subnet_id == subnet.id);
        // At the end, out of the way of those who choose addresses for their machines.
        let address = if has_one { None } else { ipam::store::last(tx, subnet)? };
        wanted.push(Wish { subnet: Some(subnet.id.clone()), address });
    }
    match found {
        None if wanted.is_empty() => Ok(()),
        None => {
            let ask = Create {
                device_id: format!("ovnmeta-{}", network.id),
                device_owner: DISTRIBUTED.to_owned(),
                fixed_ips: Some(wanted),
                ..Create::on(network.project_id.clone(), network.id.clone())
            };
            store::insert(tx, doer, network, &ask)?;
            Ok(())
        }
        Some(id) => {
            let port = super::Row::get(tx, &id)?;
            let seeker = Seeker { doer, network: &network.id, port: &id, mac: port.mac_address, device_owner: DISTRIBUTED };
            reassign(tx, &seeker, &current, &wanted)?;
            keys::mark(tx, &keys::port(&id))?;
            Ok(())
        }
    }
}

pub fn find(tx: &mut Tx, network: &NetworkId) -> Result<Option<PortId>> {
    let sql = "SELECT id FROM ports WHERE network_id = $1 AND device_owner = 'network:distributed'";
    Ok(tx.query_opt(sql, &params![network])?.map(|row| row.get(0)).transpose()?)
}
