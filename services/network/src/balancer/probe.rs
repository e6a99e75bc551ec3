// SPDX-License-Identifier: Apache-2.0
//! The address from which OVN asks the members in a subnet whether they live: one for each load balancer and subnet, held by
//! a port that nothing is plugged into. It cannot be an address that anything else answers for.

use std::collections::BTreeSet;

use store::Tx;
use types::{LoadBalancerId, PortId, SubnetId};

use super::Row;
use crate::{
    Result, network,
    port::{self, addresses::Wish, table::Create},
    resource::Kept,
    subnet,
    who::Doer,
};

pub const OWNER: &str = "network:load_balancer_probe";

/// The port of this load balancer in this subnet.
fn id(balancer: &LoadBalancerId, subnet: &SubnetId) -> PortId {
    let name = format!("probe {balancer} {subnet}");
    PortId::new(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).to_string())
}

pub fn address(tx: &mut Tx, balancer: &LoadBalancerId, subnet: &SubnetId) -> Result<Option<std::net::IpAddr>> {
    let fixed = port::table::addresses_of(tx, &id(balancer, subnet))?;
    Ok(fixed.first().map(|fixed| fixed.ip_address))
}

/// Has a port where members are checked, and none elsewhere.
pub fn settle(tx: &mut Tx, doer: &Doer, row: &Row) -> Result<()> {
    let wanted: BTreeSet<SubnetId> = wanted(tx, row)?;
    let select = port::Row::select().filter("device_id = ", device(&row.id)).filter("device_owner = ", OWNER);
    for there in port::Row::rows(tx, select)? {
        if !wanted.iter().any(|subnet| id(&row.id, subnet) == there.id) {
            port::table::erase(tx, doer, &there)?;
            doer.removed(tx, &there)?;
        }
    }
    for subnet in wanted {
        let port = id(&row.id, &subnet);
        if !port::Row::rows(tx, port::Row::select().filter("id = ", &port))?.is_empty() {
            continue;
        }
        let of = subnet::Row::get(tx, &subnet)?.network_id;
        let network = network::Row::get(tx, &of)?;
        let ask = Create {
            id: port,
            device_id: device(&row.id),
            device_owner: OWNER.to_owned(),
            fixed_ips: Some(vec![Wish { subnet: Some(subnet), address: None }]),
            ..Create::on(types::ProjectId::new(""), network.id.clone())
        };
        port::table::insert(tx, doer, &network, &ask)?;
    }
    Ok(())
}

fn device(balancer: &LoadBalancerId) -> String {
    format!("lb-{balancer}")
}

/// The subnets in which members are that shall be checked.
fn wanted(tx: &mut Tx, row: &Row) -> Result<BTreeSet<SubnetId>> {
    let checked = row.spread.services.iter().filter(|service| service.check.is_some());
    let members: Vec<_> = checked.flat_map(|service| service.backends.iter()).map(|backend| backend.address).collect();
    if members.is_empty() {
        return Ok(BTreeSet::new());
    }
    let reach = super::reach(tx, row)?;
    let subnets = subnet::of_networks(tx, reach.networks.iter())?;
    let holding = |subnet: &&subnet::Row| members.iter().any(|address| subnet.cidr.contains(address));
    Ok(subnets.iter().filter(holding).map(|subnet| subnet.id.clone()).collect())
}
