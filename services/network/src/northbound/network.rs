// SPDX-License-Identifier: Apache-2.0
//! A network in OVN: a logical switch, its way to a physical network, and the DHCP options of its subnets.

use ovn::{
    northbound::{DesiredRow, Table},
    ovsdb::Datum,
};
use store::Tx;
use types::{NetworkId, SubnetId};

use super::{acl, dhcp, rows::Rows};
use crate::{Result, keys, network, port, resource::Kept, subnet};

pub fn switch_key(id: &NetworkId) -> String {
    format!("{}/switch", keys::network(id))
}

pub fn dhcp_key(network: &NetworkId, subnet: &SubnetId) -> String {
    format!("{}/dhcp/{subnet}", keys::network(network))
}

pub fn rows(tx: &mut Tx, id: &NetworkId) -> Result<Rows> {
    let network = network::Row::get(tx, id)?;
    let mut rows = vec![switch(&network)];
    rows.extend(localnet(&network));
    rows.extend(acl::drop_group(id));
    let metadata = match port::distributed::find(tx, id)? {
        Some(port) => port::table::addresses_of(tx, &port)?,
        None => Vec::new(),
    };
    for subnet in subnet::of_network(tx, id)? {
        let door = metadata.iter().find(|fixed| fixed.subnet_id == subnet.id).map(|fixed| fixed.ip_address);
        if let Some(options) = dhcp::of_subnet(&network, &subnet, door) {
            rows.push(options.row(dhcp_key(id, &subnet.id)));
        }
    }
    Ok(Rows { rows, needs: Vec::new() })
}

fn switch(network: &network::Row) -> DesiredRow {
    let mut config = vec![("mcast_snoop", "false".to_owned()), ("vlan-passthru", "false".to_owned())];
    if let ("geneve", Some(id)) = (network.segment.network_type.as_str(), network.segment.segmentation_id) {
        config.push(("requested-tnl-key", id.to_string()));
    }
    DesiredRow::new(Table::LogicalSwitch, switch_key(&network.id))
        .set("name", format!("neutron-{}", network.id))
        .set("other_config", Datum::map(config))
        .external_id("neutron:network_name", &network.name)
        .external_id("neutron:mtu", network.mtu.to_string())
}

/// Where the switch meets the bridge of its physical network, on every host that has one.
fn localnet(network: &network::Row) -> Option<DesiredRow> {
    let physical = network.segment.physical_network.as_ref()?;
    let row = DesiredRow::new(Table::LogicalSwitchPort, format!("{}/localnet", keys::network(&network.id)))
        .set("name", format!("provnet-{}", network.id))
        .set("type", "localnet")
        .set("addresses", Datum::set(["unknown"]))
        .set(
            "options",
            Datum::map([("network_name", physical.as_str()), ("mcast_flood", "false"), ("mcast_flood_reports", "true")]),
        )
        .member_of(Table::LogicalSwitch, switch_key(&network.id));
    Some(match network.segment.segmentation_id {
        Some(vlan) => row.set("tag", vlan),
        None => row,
    })
}
