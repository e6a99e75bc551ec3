// SPDX-License-Identifier: Apache-2.0
//! Machines that shall go from a node, by name.
//!
//! A node removes nothing for not being mentioned: a controller whose tables were put back to an earlier state knows less
//! than its nodes. So what is to go is said by name until the node has said that it is gone. Of a server that is on its way
//! out its own row says so; of what outlives that row, a row here.

use store::{Result, Tx, params};
use types::{NodeId, ServerId, Timestamp};

/// Servers that their node is to give up: they hold a machine, and it is not wanted any more.
const ON_THEIR_WAY_OUT: &str = "deleted_at IS NULL AND (deleting_at IS NOT NULL OR phase NOT IN ('spawning', 'built')) \
     AND EXISTS (SELECT 1 FROM server_claims WHERE server_id = servers.id AND kind = 'machine')";

pub(super) fn insert(tx: &mut Tx, node: &NodeId, server: &ServerId) -> Result<()> {
    let sql = "INSERT INTO released_machines (node_id, server_id, released_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    tx.execute(sql, &params![node, server, Timestamp::now()]).map(drop)
}

/// All that this node is to give up.
pub(super) fn of_node(tx: &mut Tx, node: &NodeId) -> Result<Vec<ServerId>> {
    let sql = format!(
        "SELECT id FROM servers WHERE node_id = $1 AND {ON_THEIR_WAY_OUT} \
         UNION SELECT server_id FROM released_machines WHERE node_id = $1"
    );
    tx.query(&sql, &params![node])?.iter().map(|row| row.get(0)).collect()
}

/// The node has said that these are gone.
pub(super) fn forget<'a>(tx: &mut Tx, node: &NodeId, gone: impl Iterator<Item = &'a ServerId>) -> Result<()> {
    for server in gone {
        tx.execute("DELETE FROM released_machines WHERE node_id = $1 AND server_id = $2", &params![node, server])?;
    }
    Ok(())
}
