// SPDX-License-Identifier: Apache-2.0
//! A router's gateway: a port of its own on an external network.

use store::{Tx, params};
use types::{NetworkId, ProjectId};

use super::Row;
use crate::{
    Error, Result, network,
    port::{self, ROUTER_GATEWAY, addresses, addresses::Wish},
    resource::Kept,
    who::Doer,
};

/// `external_gateway_info` of a request.
#[derive(Debug, Clone)]
pub struct GatewayWish {
    pub network_id: NetworkId,
    pub enable_snat: Option<bool>,
    pub external_fixed_ips: Option<Vec<Wish>>,
}

/// Gives the router this gateway. One on the same network stays, with its address unless another is wished for.
pub fn set(tx: &mut Tx, doer: &Doer, row: &mut Row, wish: &GatewayWish) -> Result<()> {
    let network = network::Row::get(tx, &wish.network_id)?;
    if !network.external {
        return Err(Error::bad(format!("Bad router request: network {} is not an external network.", network.id)));
    }
    let current = match &row.gateway_port_id {
        Some(id) => Some(port::Row::get(tx, id)?),
        None => None,
    };
    match current {
        Some(port) if port.network_id == network.id => {
            if let Some(wishes) = &wish.external_fixed_ips {
                let current = port::table::addresses_of(tx, &port.id)?;
                addresses::reassign(tx, &addresses::Seeker { doer, port: &port }, &current, wishes)?;
                crate::keys::mark(tx, &crate::keys::port(&port.id))?;
            }
        }
        _ => {
            clear(tx, doer, row)?;
            let ask = port::table::Create {
                device_id: row.id.to_string(),
                device_owner: ROUTER_GATEWAY.to_owned(),
                fixed_ips: wish.external_fixed_ips.clone(),
                ..port::table::Create::on(ProjectId::new(""), network.id.clone())
            };
            row.gateway_port_id = Some(port::table::insert(tx, doer, &network, &ask)?.row.id);
        }
    }
    // Neutron's default comes back with every request that does not say otherwise.
    row.enable_snat = wish.enable_snat.unwrap_or(true);
    Ok(())
}

/// Takes the gateway away, unless floating addresses need it.
pub fn clear(tx: &mut Tx, doer: &Doer, row: &mut Row) -> Result<()> {
    let Some(id) = row.gateway_port_id.take() else { return Ok(()) };
    let gateway = port::Row::get(tx, &id)?;
    let sql = "SELECT 1 FROM floating_ips WHERE router_id = $1 AND floating_network_id = $2";
    if tx.query_opt(sql, &params![&row.id, &gateway.network_id])?.is_some() {
        let (router_id, net_id) = (row.id.to_string(), gateway.network_id.to_string());
        return Err(Error::RouterExternalGatewayInUseByFloatingIp { router_id, net_id });
    }
    // The router's row points to the port, so it lets go first.
    tx.execute("UPDATE routers SET gateway_port_id = NULL WHERE id = $1", &params![&row.id])?;
    port::table::erase(tx, doer, &gateway)?;
    doer.removed(tx, &gateway)?;
    row.enable_snat = true;
    Ok(())
}
