// SPDX-License-Identifier: Apache-2.0
//! Where a user's load balancer may be reached: what he wishes, checked before anything is made.

use std::{net::IpAddr, sync::Arc};

use access::{Allowed, Asker, Scope};
use contracts::{
    Refusal,
    ports::{NicAsk, NicWish},
    vips::{Vip, VipWish},
};
use store::Tx;
use types::SubnetId;

use crate::{
    Error, Network,
    neighbour::plan::{Planner, Unplanned, refusal},
    port,
    resource::Kept,
    settings::Settings,
    subnet,
};

pub async fn plan(network: &Network, asker: Asker, wish: VipWish) -> Result<Vip, Refusal> {
    let settings = network.room.settings.clone();
    let planned = network.room.store.read(move |tx| planned(tx, &asker, &settings, &wish));
    planned.await.map_err(refusal)
}

pub async fn sees(network: &Network, asker: Asker, id: SubnetId) -> Result<(), Refusal> {
    let seen = network.room.store.read(move |tx| subnet_seen(tx, &asker, &id).map(drop));
    seen.await.map_err(refusal)
}

fn planned(tx: &mut Tx, asker: &Asker, settings: &Arc<Settings>, wish: &VipWish) -> Result<Vip, Unplanned> {
    if let Some(port) = &wish.port {
        let ask = one(tx, asker, settings, NicWish::Port(port.clone()))?;
        let fixed = port::table::addresses_of(tx, port)?;
        let fits = |fixed: &&port::FixedIp| {
            wish.address.is_none_or(|address| address == fixed.ip_address)
                && wish.subnet.as_ref().is_none_or(|subnet| *subnet == fixed.subnet_id)
        };
        let Some(chosen) = fixed.iter().find(fits) else {
            return Err(Refusal::invalid(format!("VIP port {port} has no such address in such a subnet.")).into());
        };
        return Ok(vip(ask, false, Some(chosen.subnet_id.clone()), Some(chosen.ip_address)));
    }
    let (network, subnet) = match (&wish.subnet, &wish.network) {
        (Some(id), network) => {
            let subnet = subnet_seen(tx, asker, id)?;
            if network.as_ref().is_some_and(|network| *network != subnet.network_id) {
                return Err(Refusal::invalid("The VIP subnet and network do not belong together.").into());
            }
            if wish.address.is_some_and(|address| !subnet.cidr.contains(&address)) {
                return Err(Refusal::invalid("The VIP address is not in the VIP subnet.").into());
            }
            (subnet.network_id, Some(subnet.id))
        }
        (None, Some(network)) => (network.clone(), None),
        (None, None) => {
            return Err(Refusal::invalid("VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.").into());
        }
    };
    let ask = one(tx, asker, settings, NicWish::Network { id: network.clone(), fixed_ip: wish.address })?;
    let subnet = match subnet {
        Some(subnet) => subnet,
        // IPv4 first, as Octavia chooses.
        None => {
            let mut all = subnet::of_network(tx, &network)?;
            all.retain(|subnet| wish.address.is_none_or(|address: IpAddr| subnet.cidr.contains(&address)));
            all.sort_by_key(|subnet| !subnet.is_v4());
            let first = all.into_iter().next();
            first.ok_or_else(|| Refusal::invalid("The VIP network has no subnet for this address."))?.id
        }
    };
    Ok(vip(ask, true, Some(subnet), wish.address))
}

fn vip(ask: NicAsk, is_made: bool, subnet_id: Option<SubnetId>, address: Option<IpAddr>) -> Vip {
    Vip { port_id: ask.port_id, is_made, network_id: ask.network_id, subnet_id, address }
}

fn one(tx: &mut Tx, asker: &Asker, settings: &Arc<Settings>, wish: NicWish) -> Result<NicAsk, Unplanned> {
    let mut asks = Planner::of(asker)?.plan(tx, settings, &[wish], &[])?;
    asks.pop().ok_or_else(|| Refusal::invalid("VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.").into())
}

fn subnet_seen(tx: &mut Tx, asker: &Asker, id: &SubnetId) -> Result<subnet::Row, Unplanned> {
    let scope: Allowed<Scope> = asker.scope(&subnet::api::GET)?;
    match subnet::Row::find(tx, &scope, id.as_str()) {
        Ok(row) => Ok(row),
        Err(Error::SubnetNotFound { .. }) => Err(Refusal::not_found(format!("Subnet {id} not found.")).into()),
        Err(error) => Err(error.into()),
    }
}
