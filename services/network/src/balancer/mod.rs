// SPDX-License-Identifier: Apache-2.0
//! Load balancers as far as OVN carries them: addresses at which connections are spread over members. They are the balancer
//! room's, which asks by `contracts::vips`; here is what it wants, and what of the network it leans on.

mod plan;
pub mod probe;
mod vips;

use ::store::{Row as Stored, Select, Step, Tx, params};
use contracts::vips::Spread;
use types::{LoadBalancerId, NetworkId, PortId, ProjectId, RouterId};

use crate::{
    Error, Result,
    keys::{self, Kind, Read},
    northbound,
};

const KIND: Kind =
    Kind { name: "lb", table: "balancers", rows: Read::One(|tx, _, id| northbound::balancer::rows(tx, &id.into())) };

pub(crate) const DRAWER: crate::Drawer = ::api::Drawer::without_routes("balancer")
    .with(crate::Own { keys: &[KIND], ..crate::Own::NOTHING })
    .tables(&[Step { number: 6, name: "balancers", sql: include_str!("../../migrations/0006_balancers.sql") }]);

/// The owner of the ports behind which load balancers are reached.
pub const OWNER: &str = "Octavia";

#[derive(Debug, Clone)]
pub struct Row {
    pub id: LoadBalancerId,
    pub project_id: ProjectId,
    pub port_id: PortId,
    pub network_id: NetworkId,
    pub spread: Spread,
}

impl Row {
    fn read(row: &Stored) -> ::store::Result<Self> {
        Ok(Self { id: row.get(0)?, project_id: row.get(1)?, port_id: row.get(2)?, network_id: row.get(3)?, spread: row.json(4)? })
    }

    pub fn many<'a>(tx: &mut Tx, ids: impl IntoIterator<Item = &'a LoadBalancerId>) -> Result<Vec<Self>> {
        let select = Select::new("balancers", "id, project_id, port_id, network_id, spread").filter_in("id", ids);
        Ok(select.rows(tx)?.iter().map(Self::read).collect::<::store::Result<_>>()?)
    }

    pub fn get(tx: &mut Tx, id: &LoadBalancerId) -> Result<Self> {
        let found = Self::many(tx, [id])?.pop();
        found.ok_or_else(|| Error::bad(format!("Load Balancer {id} is not in OVN.")))
    }
}

/// Those of the ports that are the addresses of load balancers which OVN carries.
pub fn among_ports<'a>(tx: &mut Tx, ports: impl IntoIterator<Item = &'a PortId>) -> Result<Vec<PortId>> {
    let rows = Select::new("balancers", "port_id").filter_in("port_id", ports).rows(tx)?;
    Ok(rows.iter().map(|row| row.get(0)).collect::<::store::Result<_>>()?)
}

/// The load balancer whose address this port is, whoever carries it.
pub fn holder(tx: &mut Tx, port: &PortId) -> Result<Option<String>> {
    let sql = "SELECT balancer_id FROM balancer_ports WHERE port_id = $1";
    Ok(tx.query_opt(sql, &params![port])?.map(|row| row.get(0)).transpose()?)
}

/// A port with this address came or goes: checks of a member lean on it.
pub fn mark_backed_by(tx: &mut Tx, addresses: &[String]) -> Result<()> {
    let select = Select::new("balancer_backends", "balancer_id").filter_in("address", addresses.iter().map(String::as_str));
    for row in select.sort(&[], "balancer_id").rows(tx)? {
        keys::mark(tx, &keys::balancer(row.get::<&str>(0)?))?;
    }
    Ok(())
}

/// Floating addresses lead to this port, or do no more.
pub fn mark_behind(tx: &mut Tx, port: &PortId) -> Result<()> {
    mark_where(tx, "port_id = $1", port.as_str())
}

/// A router has another interface than before: it carries the load balancers of the networks that it connects, to all of them.
pub fn mark_around(tx: &mut Tx, router: &RouterId, network: &NetworkId) -> Result<()> {
    mark_where(tx, "network_id = $1", network.as_str())?;
    let connected =
        "network_id IN (SELECT network_id FROM ports WHERE device_owner = 'network:router_interface' AND device_id = $1)";
    mark_where(tx, connected, router.as_str())
}

fn mark_where(tx: &mut Tx, condition: &'static str, value: &str) -> Result<()> {
    let sql = format!(
        "INSERT INTO north_keys (id, generation, synced_generation) SELECT 'lb/' || id, 1, 0 FROM balancers WHERE {condition} \
         ON CONFLICT (id) DO UPDATE SET generation = north_keys.generation + 1, failed_at = 0"
    );
    tx.execute(&sql, &params![value])?;
    Ok(())
}

/// What of the network a load balancer reaches.
pub struct Reach {
    /// The routers of its project that connect its network.
    pub routers: Vec<RouterId>,
    /// Its own network first, and those that these routers connect.
    pub networks: Vec<NetworkId>,
}

/// Only its own project's routers carry it: on another's, its members' addresses would be other machines.
pub fn reach(tx: &mut Tx, row: &Row) -> Result<Reach> {
    let sql = "SELECT DISTINCT r.id FROM routers r JOIN ports p ON p.device_id = r.id \
               AND p.device_owner = 'network:router_interface' \
               WHERE p.network_id = $1 AND r.project_id = $2 ORDER BY r.id";
    let found = tx.query(sql, &params![&row.network_id, &row.project_id])?;
    let routers: Vec<RouterId> = found.iter().map(|row| row.get(0)).collect::<::store::Result<_>>()?;
    let select = Select::new("ports", "network_id").condition("device_owner = 'network:router_interface'");
    let mut networks = vec![row.network_id.clone()];
    for found in select.filter_in("device_id", &routers).sort(&[], "id").rows(tx)? {
        let network: NetworkId = found.get(0)?;
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    networks[1..].sort();
    Ok(Reach { routers, networks })
}
