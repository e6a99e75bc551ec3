// SPDX-License-Identifier: Apache-2.0
//! Machines that shall go from a node, by name.
//!
//! A node removes nothing for not being mentioned: a controller whose tables were put back to an earlier state knows less
//! than its nodes. So what is to go is said by name until the node has said that it is gone. Of a server that leaves a node
//! its claim there says so ([`super::desired`]); of what outlives that claim, a row here.

use store::{Result, Select, Tx, params};
use types::{NodeId, ServerId, Timestamp};

pub(super) fn insert(tx: &mut Tx, node: &NodeId, server: &ServerId) -> Result<()> {
    let sql = "INSERT INTO released_machines (node_id, server_id, released_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    tx.execute(sql, &params![node, server, Timestamp::now()]).map(drop)
}

/// The node has said that these are gone.
pub(super) fn forget<'a>(tx: &mut Tx, node: &NodeId, gone: impl Iterator<Item = &'a ServerId>) -> Result<()> {
    for server in gone {
        tx.later("DELETE FROM released_machines WHERE node_id = $1 AND server_id = $2", &params![node, server])?;
    }
    Ok(())
}

/// Those that stand here for a node.
pub(super) fn recorded(node: &NodeId) -> Select {
    Select::new("released_machines", "server_id").filter("node_id = ", node).sort(&[], "server_id")
}
