// SPDX-License-Identifier: Apache-2.0
//! The statuses of a load balancer and of all that belongs to it, which follow when any of it changed.

use std::collections::HashMap;

use store::{Actor, Tx};
use types::{LoadBalancerId, PoolId, Timestamp};

use super::status;
use crate::{Edit, error::Result, load_balancer::LoadBalancer, provider, thing::Thing, tree::Tree};

/// Something of it was changed: what the provider cannot do is refused, and the load balancer is on its way again.
pub(crate) fn after_change(tx: &mut Tx, edit: &Edit<'_>) -> Result<()> {
    let balancer = LoadBalancer::get(tx, edit.balancer.id.as_str())?;
    let tree = Tree::read(tx, balancer)?;
    provider::check(&tree)?;
    let before = tree.balancer.clone();
    let mut after = before.clone();
    if after.provisioning_status != "PENDING_CREATE" {
        "PENDING_UPDATE".clone_into(&mut after.provisioning_status);
        after.updated_at = Some(Timestamp::now());
    }
    after.save(tx, edit.actor, &before)?;
    refresh(tx, edit.actor, &Tree { balancer: after, ..tree })
}

/// The neighbours have what was wanted in this generation. What was changed later is still on its way.
pub(super) fn reached(tx: &mut Tx, actor: &Actor, id: &LoadBalancerId, generation: i64) -> Result<()> {
    let Some(before) = LoadBalancer::find(tx, id.as_str())? else { return Ok(()) };
    let mut after = before.clone();
    after.reached = after.reached.max(generation);
    after.fault = None;
    if after.deleting_at.is_none() {
        let is_whole = after.reached >= after.generation;
        let word = if is_whole { "ACTIVE" } else { "PENDING_UPDATE" };
        word.clone_into(&mut after.provisioning_status);
    }
    after.save(tx, actor, &before)?;
    let mut tree = Tree::read(tx, after)?;
    macro_rules! arrive {
        ($($part:ident),+) => {$(
            for thing in &mut tree.$part {
                if thing.changed_in <= generation && thing.provisioning_status != "ACTIVE" {
                    let before = thing.clone();
                    "ACTIVE".clone_into(&mut thing.provisioning_status);
                    thing.save(tx, actor, &before)?;
                }
            }
        )+};
    }
    arrive!(listeners, pools, members, monitors);
    refresh(tx, actor, &tree)
}

/// A neighbour refused what is wanted, and will again until something changes.
pub(super) fn failed(tx: &mut Tx, actor: &Actor, id: &LoadBalancerId, cause: &str) -> Result<()> {
    let Some(before) = LoadBalancer::find(tx, id.as_str())? else { return Ok(()) };
    let mut after = before.clone();
    after.fault = Some(cause.to_owned());
    if after.deleting_at.is_none() {
        "ERROR".clone_into(&mut after.provisioning_status);
    }
    after.save(tx, actor, &before)
}

/// Writes down how all of it is, where that is another than was written.
pub(super) fn refresh(tx: &mut Tx, actor: &Actor, tree: &Tree) -> Result<()> {
    let monitor_of = |pool: &PoolId| tree.monitors.iter().find(|monitor| monitor.pool_id == *pool);
    let mut of_pools: HashMap<&PoolId, Vec<&'static str>> = HashMap::new();
    for member in &tree.members {
        let status = status::of_member(member, monitor_of(&member.pool_id));
        of_pools.entry(&member.pool_id).or_default().push(status);
        note(tx, actor, member, status, |member| &mut member.operating_status)?;
    }
    for monitor in &tree.monitors {
        note(tx, actor, monitor, status::of_monitor(monitor), |monitor| &mut monitor.operating_status)?;
    }
    let mut pools: HashMap<&PoolId, &'static str> = HashMap::new();
    for pool in &tree.pools {
        let members = of_pools.get(&pool.id).map(Vec::as_slice).unwrap_or_default();
        let status = status::of_pool(pool, members.iter().copied());
        pools.insert(&pool.id, status);
        note(tx, actor, pool, status, |pool| &mut pool.operating_status)?;
    }
    let mut listeners = Vec::new();
    for listener in &tree.listeners {
        let pool = listener.default_pool_id.as_ref().and_then(|pool| pools.get(pool).copied());
        let status = status::of_listener(listener, pool);
        listeners.push(status);
        note(tx, actor, listener, status, |listener| &mut listener.operating_status)?;
    }
    let status = status::of_balancer(&tree.balancer, listeners.into_iter());
    note(tx, actor, &tree.balancer, status, |balancer| &mut balancer.operating_status)
}

fn note<T: Thing>(tx: &mut Tx, actor: &Actor, thing: &T, status: &str, field: fn(&mut T) -> &mut String) -> Result<()> {
    let mut after = thing.clone();
    status.clone_into(field(&mut after));
    after.save(tx, actor, thing)
}
