// SPDX-License-Identifier: Apache-2.0
//! What a router is connected to, and by which addresses.

use std::net::IpAddr;

use store::Tx;
use types::RouterId;

use super::Row;
use crate::{
    Result,
    port::{self, FixedIp, ROUTER_INTERFACE},
    resource::Kept,
    subnet,
};

/// An interface with its addresses.
pub struct Interface {
    pub port: port::Row,
    pub fixed_ips: Vec<FixedIp>,
}

pub fn of_router(tx: &mut Tx, router: &RouterId) -> Result<Vec<Interface>> {
    let select = port::Row::select().filter("device_id = ", router).filter("device_owner = ", ROUTER_INTERFACE);
    let ports = port::Row::rows(tx, select.sort(&[], "id"))?;
    let mut addresses = port::table::addresses_of_many(tx, ports.iter().map(|port| &port.id))?;
    let with = |port: port::Row| Interface { fixed_ips: addresses.remove(&port.id).unwrap_or_default(), port };
    Ok(ports.into_iter().map(with).collect())
}

/// The subnets that the router has an address in, its gateway's among them.
pub fn connected_subnets(tx: &mut Tx, router: &Row) -> Result<Vec<subnet::Row>> {
    let mut fixed: Vec<FixedIp> = of_router(tx, &router.id)?.into_iter().flat_map(|interface| interface.fixed_ips).collect();
    if let Some(gateway) = &router.gateway_port_id {
        fixed.extend(port::table::addresses_of(tx, gateway)?);
    }
    subnet::Row::rows(tx, subnet::Row::select().filter_in("id", fixed.iter().map(|fixed| &fixed.subnet_id)))
}

pub fn own_addresses(tx: &mut Tx, router: &Row) -> Result<Vec<IpAddr>> {
    let mut fixed: Vec<FixedIp> = of_router(tx, &router.id)?.into_iter().flat_map(|interface| interface.fixed_ips).collect();
    if let Some(gateway) = &router.gateway_port_id {
        fixed.extend(port::table::addresses_of(tx, gateway)?);
    }
    Ok(fixed.into_iter().map(|fixed| fixed.ip_address).collect())
}
