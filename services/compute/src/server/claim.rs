// SPDX-License-Identifier: Apache-2.0
//! Claims: what a server holds, or may hold, of the neighbours.
//!
//! A claim's row is written before the first step outward and removed only when the neighbour knows that the thing is
//! given back. So failing, deleting and cleaning up are one act: release every claim that there is. A claim of a machine
//! names its node: a server that moves holds one on each side.
//!
//! Invariant: a server that is deleted or failed has no claims (test: `a_crash_at_any_point_leaves_nothing_behind`).

use std::collections::HashMap;

use contracts::{
    node::DeviceId,
    ports::{NicAsk, PortFacts},
};
use serde_json::json;
use store::{Direction, Row, Select, Store, Tx, params};
use types::{AllocationConsumer, NodeId, OperationId, PortId, ServerId, VolumeId};

use super::{
    row::known,
    state::{Word as _, words},
    volume::{Attached, Reached},
};
use crate::error::Result;

words! {
    Kind, "a kind of claim":
    /// Room on a host, held in placement.
    Allocation = "allocation",
    /// A NIC, held in network.
    Port = "port",
    /// A disk, held in the volume room.
    Volume = "volume",
    /// The machine itself, held by a node.
    Machine = "machine",
}

#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub id: String,
    pub server_id: ServerId,
    pub kind: Kind,
    pub node_id: Option<NodeId>,
    /// The operation for which it is held, if it goes with it.
    pub operation_id: Option<OperationId>,
    /// For a port: what to ensure.
    pub nic: Option<NicAsk>,
    /// For a port: what network answered.
    pub port: Option<PortFacts>,
    /// For a volume: what was asked for, and how it is reached.
    pub volume: Option<Attached>,
    pub reached: Option<Reached>,
}

impl Claim {
    /// The device that the machine has by it.
    pub(crate) fn device(&self) -> Option<DeviceId> {
        let nic = self.nic.as_ref().map(|nic| DeviceId::nic(&nic.port_id));
        nic.or_else(|| self.volume.as_ref().map(|volume| DeviceId::disk(volume.id())))
    }

    /// By what name placement knows who holds the room: the server, or while it moves the operation for what it leaves.
    pub(crate) fn consumer(&self) -> AllocationConsumer {
        AllocationConsumer::new(self.operation_id.as_ref().map_or(self.server_id.as_str(), OperationId::as_str))
    }
}

pub(crate) const COLUMNS: &str = "id, server_id, kind, node_id, operation_id, ask, facts";

pub(crate) fn from_row(row: &Row) -> store::Result<Claim> {
    let kind = known(row.get(2)?, 2)?;
    let mut claim = Claim {
        id: row.get(0)?,
        server_id: row.get(1)?,
        kind,
        node_id: row.get(3)?,
        operation_id: row.get(4)?,
        nic: None,
        port: None,
        volume: None,
        reached: None,
    };
    match kind {
        Kind::Port => (claim.nic, claim.port) = (row.json(5)?, row.json(6)?),
        Kind::Volume => (claim.volume, claim.reached) = (row.json(5)?, row.json(6)?),
        Kind::Allocation | Kind::Machine => {}
    }
    Ok(claim)
}

/// The claims that a new server begins with: whatever may be made for it before its next write.
pub(crate) fn insert_first(tx: &mut Tx, server: &ServerId, nics: &[NicAsk], volumes: &[Attached]) -> Result<()> {
    insert(tx, server, Kind::Allocation, None, None)?;
    volumes.iter().enumerate().try_for_each(|(position, volume)| insert_volume(tx, server, position, volume))?;
    nics.iter().enumerate().try_for_each(|(position, nic)| insert_nic(tx, server, position, nic))
}

fn insert_nic(tx: &mut Tx, server: &ServerId, position: usize, nic: &NicAsk) -> Result<()> {
    tx.later(
        "INSERT INTO server_claims (id, server_id, kind, position, ask) VALUES ($1, $2, 'port', $3, $4)",
        &params![new_id(), server, position, json!(nic)],
    )?;
    Ok(())
}

fn insert_volume(tx: &mut Tx, server: &ServerId, position: usize, volume: &Attached) -> Result<()> {
    tx.later(
        "INSERT INTO server_claims (id, server_id, kind, position, ask, volume_id) VALUES ($1, $2, 'volume', $3, $4, $5)",
        &params![new_id(), server, position, json!(volume), volume.id()],
    )?;
    Ok(())
}

/// A volume that comes later.
pub(crate) fn add_volume(tx: &mut Tx, server: &ServerId, volume: &Attached) -> Result<()> {
    let position = next_position(tx, server, Kind::Volume)?;
    insert_volume(tx, server, position, volume)
}

/// The volume was given back.
pub(crate) fn remove_volume(tx: &mut Tx, server: &ServerId, volume: &VolumeId) -> Result<()> {
    let sql = "DELETE FROM server_claims WHERE server_id = $1 AND kind = 'volume' AND volume_id = $2";
    tx.execute(sql, &params![server, volume])?;
    Ok(())
}

/// Another word on a volume that it has.
pub(crate) fn set_volume(tx: &mut Tx, server: &ServerId, volume: &Attached) -> Result<()> {
    let sql = "UPDATE server_claims SET ask = $1 WHERE server_id = $2 AND kind = 'volume' AND volume_id = $3";
    tx.execute(sql, &params![json!(volume), server, volume.id()])?;
    Ok(())
}

/// Notes how these are reached.
pub(crate) fn set_volumes(tx: &mut Tx, server: &ServerId, opened: &[(VolumeId, Reached)]) -> Result<()> {
    let sql = "UPDATE server_claims SET facts = $1 WHERE server_id = $2 AND kind = 'volume' AND volume_id = $3";
    opened.iter().try_for_each(|(volume, reached)| tx.later(sql, &params![json!(reached), server, volume]))?;
    Ok(())
}

/// A NIC that comes later, after those that there are.
pub(crate) fn add_nic(tx: &mut Tx, server: &ServerId, nic: &NicAsk) -> Result<()> {
    let position = next_position(tx, server, Kind::Port)?;
    insert_nic(tx, server, position, nic)
}

fn next_position(tx: &mut Tx, server: &ServerId, kind: Kind) -> Result<usize> {
    let sql = "SELECT coalesce(max(position), -1) + 1 FROM server_claims WHERE server_id = $1 AND kind = $2";
    let position = tx.query_one(sql, &params![server, kind.word()])?.get::<i64>(0)?;
    Ok(usize::try_from(position).unwrap_or_default())
}

/// The port of this NIC was given back.
pub(crate) fn remove_nic(tx: &mut Tx, server: &ServerId, port: &PortId) -> Result<()> {
    let is_its = |claim: &Claim| claim.nic.as_ref().is_some_and(|nic| nic.port_id == *port);
    for claim in of_server(tx, server)?.into_iter().filter(is_its) {
        tx.execute("DELETE FROM server_claims WHERE id = $1", &params![claim.id])?;
    }
    Ok(())
}

/// Room that is held for an operation, beside the server's own.
pub(crate) fn insert_allocation(tx: &mut Tx, server: &ServerId, operation: &OperationId) -> Result<()> {
    insert(tx, server, Kind::Allocation, None, Some(operation))
}

/// That room was given back.
pub(crate) fn remove_allocation(tx: &mut Tx, server: &ServerId, operation: &OperationId) -> Result<()> {
    let sql = "DELETE FROM server_claims WHERE server_id = $1 AND kind = 'allocation' AND operation_id = $2";
    tx.execute(sql, &params![server, operation])?;
    Ok(())
}

/// A machine that this node may have from now on.
pub(crate) fn insert_machine(tx: &mut Tx, server: &ServerId, node: &NodeId) -> Result<()> {
    insert(tx, server, Kind::Machine, Some(node), None)
}

fn insert(tx: &mut Tx, server: &ServerId, kind: Kind, node: Option<&NodeId>, operation: Option<&OperationId>) -> Result<()> {
    tx.later(
        "INSERT INTO server_claims (id, server_id, kind, node_id, operation_id, position) VALUES ($1, $2, $3, $4, $5, 0) \
         ON CONFLICT DO NOTHING",
        &params![new_id(), server, kind.word(), node, operation],
    )?;
    Ok(())
}

fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

pub(crate) fn of_server(tx: &mut Tx, server: &ServerId) -> Result<Vec<Claim>> {
    read(&select_of_server(server).rows(tx)?)
}

/// The same, still to be asked for.
pub(crate) fn select_of_server(server: &ServerId) -> Select {
    let select = Select::new("server_claims", COLUMNS).filter("server_id = ", server);
    select.sort(&[("kind", Direction::Asc), ("position", Direction::Asc)], "id")
}

pub(crate) fn read(rows: &[Row]) -> Result<Vec<Claim>> {
    Ok(rows.iter().map(from_row).collect::<store::Result<_>>()?)
}

/// Notes what network answered for a port.
pub(crate) fn set_port(tx: &mut Tx, server: &ServerId, port: &PortId, facts: &PortFacts) -> Result<()> {
    let claims = of_server(tx, server)?;
    let its = claims.iter().filter(|claim| claim.nic.as_ref().is_some_and(|nic| nic.port_id == *port));
    its.map(|claim| claim.id.as_str()).try_for_each(|claim| set_facts(tx, claim, facts))
}

/// The same where the port's claim is known.
pub(crate) fn set_facts(tx: &mut Tx, claim: &str, facts: &PortFacts) -> Result<()> {
    let addresses: String = facts.fixed_ips.iter().map(|ip| format!(" {} ", ip.address)).collect();
    let sql = "UPDATE server_claims SET facts = $1, addresses = $2 WHERE id = $3";
    Ok(tx.later(sql, &params![json!(facts), addresses, claim])?)
}

/// This node has no machine of it any more.
pub(crate) fn remove_machine(tx: &mut Tx, server: &ServerId, node: &NodeId) -> Result<()> {
    tx.execute("DELETE FROM server_claims WHERE server_id = $1 AND kind = 'machine' AND node_id = $2", &params![server, node])?;
    Ok(())
}

pub(crate) fn remove_all(tx: &mut Tx, server: &ServerId) -> Result<()> {
    tx.execute("DELETE FROM server_claims WHERE server_id = $1", &params![server])?;
    Ok(())
}

/// The ports of many servers as network last told of them.
pub(crate) async fn ports_of(store: &Store, servers: Vec<ServerId>) -> Result<HashMap<ServerId, Vec<PortFacts>>> {
    let claims = store
        .list(move |tx| -> Result<_> {
            let select = Select::new("server_claims", COLUMNS).filter("kind = ", Kind::Port.word());
            let rows = select.filter_in("server_id", &servers).sort(&[("server_id", Direction::Asc)], "position").rows(tx)?;
            Ok(rows.iter().map(from_row).collect::<store::Result<Vec<_>>>()?)
        })
        .await?;
    let mut ports: HashMap<ServerId, Vec<PortFacts>> = HashMap::new();
    for claim in claims {
        if let Some(port) = claim.port {
            ports.entry(claim.server_id).or_default().push(port);
        }
    }
    Ok(ports)
}
