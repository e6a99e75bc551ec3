// SPDX-License-Identifier: Apache-2.0
//! A load balancer with all that belongs to it.

use store::Tx;

use crate::{
    error::Result, health_monitor::HealthMonitor, listener::Listener, load_balancer::LoadBalancer, member::Member, pool::Pool,
    thing::Thing,
};

/// All of a load balancer.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub balancer: LoadBalancer,
    pub listeners: Vec<Listener>,
    pub pools: Vec<Pool>,
    pub members: Vec<Member>,
    pub monitors: Vec<HealthMonitor>,
}

impl Tree {
    pub(crate) fn read(tx: &mut Tx, balancer: LoadBalancer) -> Result<Self> {
        let id = balancer.id.clone();
        Ok(Self {
            balancer,
            listeners: Listener::of(tx, &id)?,
            pools: Pool::of(tx, &id)?,
            members: Member::of(tx, &id)?,
            monitors: HealthMonitor::of(tx, &id)?,
        })
    }
}
