// SPDX-License-Identifier: Apache-2.0
//! The rows of load balancers.

use store::{Actor, Tx, params};
use types::{LoadBalancerId, Timestamp};

use super::LoadBalancer;
use crate::{
    error::{Error, Result},
    thing::Thing,
    tree::Tree,
};

/// Takes the load balancer for a change of anything that belongs to it: whoever else wants to change it waits for the end of
/// this transaction. Answers it in its new generation.
pub(crate) fn begin(tx: &mut Tx, id: &LoadBalancerId) -> Result<LoadBalancer> {
    tx.execute("UPDATE load_balancers SET generation = generation + 1 WHERE id = $1", &params![id])?;
    let balancer = LoadBalancer::get(tx, id.as_str())?;
    match balancer.deleting_at {
        None => Ok(balancer),
        Some(_) => Err(Error::conflict(format!("Load Balancer {id} is being deleted and cannot be updated."))),
    }
}

/// Notes that it shall go, with all that belongs to it.
pub(crate) fn begin_deletion(tx: &mut Tx, actor: &Actor, id: &LoadBalancerId, is_cascade: bool) -> Result<()> {
    tx.execute("UPDATE load_balancers SET generation = generation + 1 WHERE id = $1", &params![id])?;
    let before = LoadBalancer::get(tx, id.as_str())?;
    if before.deleting_at.is_some() {
        return Ok(());
    }
    let tree = Tree::read(tx, before.clone())?;
    let has_children = !tree.listeners.is_empty() || !tree.pools.is_empty();
    if has_children && !is_cascade {
        return Err(Error::invalid(format!("Cannot delete Load Balancer {id} - it has children")));
    }
    let mut after = before.clone();
    after.deleting_at = Some(Timestamp::now());
    after.updated_at = after.deleting_at;
    "PENDING_DELETE".clone_into(&mut after.provisioning_status);
    after.save(tx, actor, &before)
}
