// SPDX-License-Identifier: Apache-2.0
//! The port of a network behind which every host answers its guests' metadata requests: an OVN `localport`, the same on
//! all hosts, with an address in each subnet that has DHCP. DHCP tells guests to reach 169.254.169.254 through it.

use std::collections::HashMap;

use ::store::{Select, Tx};
use types::{NetworkId, PortId};

use super::{
    DISTRIBUTED,
    addresses::{Seeker, Wish, reassign},
    table::{self, Create},
};
use crate::{Result, ipam, keys, network, resource::Kept, subnet, who::Doer};

/// Makes sure that the port is there if a subnet of the network has DHCP, and has an address in each that does.
pub fn settle(tx: &mut Tx, doer: &Doer, network: &network::Row) -> Result<()> {
    let subnets = subnet::of_network(tx, &network.id)?;
    let found = find(tx, &network.id)?;
    let current = match &found {
        Some(id) => table::addresses_of(tx, id)?,
        None => Vec::new(),
    };
    let mut wanted = Vec::new();
    for subnet in subnets.iter().filter(|subnet| subnet.has_dhcp_v4()) {
        let has_one = current.iter().any(|fixed| fixed.subnet_id == subnet.id);
        // At the end, out of the way of those who choose addresses for their machines.
        let address = if has_one { None } else { ipam::table::last(tx, subnet)? };
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
            table::insert(tx, doer, network, &ask)?;
            Ok(())
        }
        Some(id) => {
            let port = super::Row::get(tx, &id)?;
            reassign(tx, &Seeker { doer, port: &port }, &current, &wanted)?;
            keys::mark(tx, &keys::port(&id))?;
            Ok(())
        }
    }
}

/// What picks these ports, as the index that holds them says it.
pub const CONDITION: &str = "device_owner = 'network:distributed'";

pub fn find(tx: &mut Tx, network: &NetworkId) -> Result<Option<PortId>> {
    Ok(of_networks(tx, [network])?.remove(network))
}

/// The ports of many networks, in one statement.
pub fn of_networks<'a>(tx: &mut Tx, networks: impl IntoIterator<Item = &'a NetworkId>) -> Result<HashMap<NetworkId, PortId>> {
    let select = Select::new("ports", "network_id, id").condition(CONDITION).filter_in("network_id", networks);
    let rows = select.rows(tx)?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_, ::store::Error>>()?)
}
