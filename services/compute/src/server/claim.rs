// SPDX-License-Identifier: Apache-2.0
//! Claims: what a server holds, or may hold, of the neighbours.
//!
//! A claim's row is written before the first step outward and removed only when the neighbour knows that the thing is
//! given back. So failing, deleting and cleaning up are one act: release every claim that there is.
//!
//! Invariant: a server that is deleted or failed has no claims (test: `a_crash_at_any_point_leaves_nothing_behind`).

use std::collections::HashMap;

use contracts::ports::{NicAsk, PortFacts};
use serde_json::json;
use store::{Direction, Row, Select, Store, Tx, params};
use types::ServerId;

use crate::error::Result;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Room on a host, held in placement.
    Allocation,
    /// A NIC, held in network.
    Port,
    /// The machine itself, held by a node.
    Machine,
}

#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub server_id: ServerId,
    pub kind: Kind,
    pub position: i64,
    /// For a port: what to ensure.
    pub nic: Option<NicAsk>,
    /// For a port: what network answered.
    pub port: Option<PortFacts>,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Allocation => "allocation",
            Self::Port => "port",
            Self::Machine => "machine",
        }
    }

    fn parse(word: &str) -> Self {
        match word {
            "port" => Self::Port,
            "machine" => Self::Machine,
            _ => Self::Allocation,
        }
    }
}

pub(crate) const COLUMNS: &str = "server_id, kind, position, ask, facts";

pub(crate) fn from_row(row: &Row) -> store::Result<Claim> {
    Ok(Claim {
        server_id: row.get(0)?,
        kind: Kind::parse(row.get(1)?),
        position: row.get(2)?,
        nic: row.json(3)?,
        port: row.json(4)?,
    })
}

/// The claims that a new server begins with: whatever may be made for it before its next write.
pub(crate) fn insert_first(tx: &mut Tx, server: &ServerId, nics: &[NicAsk]) -> Result<()> {
    insert(tx, server, Kind::Allocation)?;
    for (position, nic) in nics.iter().enumerate() {
        tx.execute(
            "INSERT INTO server_claims (server_id, kind, position, ask) VALUES ($1, 'port', $2, $3)",
            &params![server, position, json!(nic)],
        )?;
    }
    Ok(())
}

pub(crate) fn insert(tx: &mut Tx, server: &ServerId, kind: Kind) -> Result<()> {
    tx.execute(
        "INSERT INTO server_claims (server_id, kind, position) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING",
        &params![server, kind.word()],
    )?;
    Ok(())
}

pub(crate) fn of_server(tx: &mut Tx, server: &ServerId) -> Result<Vec<Claim>> {
    let rows = tx.query(
        "SELECT server_id, kind, position, ask, facts FROM server_claims WHERE server_id = $1 ORDER BY kind, position",
        &params![server],
    )?;
    Ok(rows.iter().map(from_row).collect::<store::Result<_>>()?)
}

/// Notes what network answered for a port.
pub(crate) fn set_port(tx: &mut Tx, server: &ServerId, position: i64, facts: &PortFacts) -> Result<()> {
    let addresses: String = facts.fixed_ips.iter().map(|ip| format!(" {} ", ip.address)).collect();
    tx.execute(
        "UPDATE server_claims SET facts = $1, addresses = $2 WHERE server_id = $3 AND kind = 'port' AND position = $4",
        &params![json!(facts), addresses, server, position],
    )?;
    Ok(())
}

pub(crate) fn remove(tx: &mut Tx, server: &ServerId, kind: Kind) -> Result<()> {
    tx.execute("DELETE FROM server_claims WHERE server_id = $1 AND kind = $2", &params![server, kind.word()])?;
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
