// SPDX-License-Identifier: Apache-2.0
//! Brings load balancers out: what is wanted in the latest generation is told to the network room, which answers when OVN has it.

use std::sync::Arc;

use store::{Actor, Tx, params};
use types::LoadBalancerId;
use work::{KeyedReconciler, Step, crash};

use super::settle;
use crate::{
    Balancers,
    error::{Error, Result},
    health_monitor::HealthMonitor,
    listener::Listener,
    load_balancer::LoadBalancer,
    member::Member,
    pool::Pool,
    provider,
    thing::Thing,
    tree::Tree,
};

/// Every crash point of a load balancer's life, for tests that sweep over them.
pub const CRASH_POINTS: &[&str] = &[
    "balancer.recorded",
    "balancer.address-made",
    "balancer.spread",
    "balancer.reached",
    "balancer.deletion-begun",
    "balancer.released",
    "balancer.removed",
];

pub(crate) struct BalancerReconciler {
    pub room: Arc<Balancers>,
}

impl KeyedReconciler for BalancerReconciler {
    fn name(&self) -> &'static str {
        "balancer"
    }

    async fn pending(&self, after: &str, limit: usize) -> Result<Vec<String>, String> {
        let (after, limit) = (after.to_owned(), limit as u64);
        self.room.store.list(move |tx| pending(tx, &after, limit)).await.map_err(|error| error.to_string())
    }

    async fn converge(&self, key: &str) -> Result<Step, String> {
        match self.room.converge(&LoadBalancerId::new(key)).await {
            Err(Error::Store(store::Error::Conflict)) => Ok(Step::Conflict),
            other => other.map_err(|error| error.to_string()),
        }
    }
}

fn pending(tx: &mut Tx, after: &str, limit: u64) -> store::Result<Vec<String>> {
    let sql = "SELECT id FROM load_balancers WHERE (reached < generation OR deleting_at IS NOT NULL) AND id > $1 \
               ORDER BY id LIMIT $2";
    tx.query(sql, &params![after, limit])?.iter().map(|row| row.get(0)).collect()
}

impl Balancers {
    async fn converge(&self, id: &LoadBalancerId) -> Result<Step> {
        let wanted = id.clone();
        let read = self.store.read(move |tx| -> Result<_> {
            LoadBalancer::find(tx, wanted.as_str())?.map(|balancer| Tree::read(tx, balancer)).transpose()
        });
        let Some(tree) = read.await? else { return Ok(Step::Settled) };
        if tree.balancer.deleting_at.is_some() {
            return self.let_go(&tree.balancer).await;
        }
        if tree.balancer.reached >= tree.balancer.generation {
            return Ok(Step::Settled);
        }
        match self.bring_out(&tree).await {
            Ok(()) => Ok(Step::Settled),
            Err(Error::Refused(refusal)) if !refusal.is_transient() => {
                tracing::warn!(balancer = %id, %refusal, "a load balancer cannot be brought out");
                let (of, cause) = (id.clone(), refusal.to_string());
                self.store.write(move |tx| settle::failed(tx, &system(), &of, &cause)).await?;
                Ok(Step::Wait)
            }
            Err(error) => Err(error),
        }
    }

    async fn bring_out(&self, tree: &Tree) -> Result<()> {
        let LoadBalancer { id, project_id, generation, .. } = &tree.balancer;
        self.ensure_vip(&tree.balancer).await?;
        self.vips.spread(project_id, id, &tree.balancer.vip, &provider::spread(tree)).await?;
        crash::point("balancer.spread");
        let (of, generation) = (id.clone(), *generation);
        self.store.write(move |tx| settle::reached(tx, &system(), &of, generation)).await?;
        crash::point("balancer.reached");
        Ok(())
    }

    /// The rows go when the network room has nothing of it any more.
    async fn let_go(&self, balancer: &LoadBalancer) -> Result<Step> {
        self.vips.release(&balancer.id, &balancer.vip).await?;
        crash::point("balancer.released");
        let id = balancer.id.clone();
        self.store.write(move |tx| remove(tx, &id)).await?;
        crash::point("balancer.removed");
        Ok(Step::Settled)
    }
}

fn system() -> Actor {
    Actor::system("balancer")
}

fn remove(tx: &mut Tx, id: &LoadBalancerId) -> Result<()> {
    let (actor, Some(balancer)) = (system(), LoadBalancer::find(tx, id.as_str())?) else { return Ok(()) };
    for monitor in HealthMonitor::of(tx, id)? {
        monitor.remove(tx, &actor)?;
    }
    for member in Member::of(tx, id)? {
        member.remove(tx, &actor)?;
    }
    for listener in Listener::of(tx, id)? {
        listener.remove(tx, &actor)?;
    }
    for pool in Pool::of(tx, id)? {
        pool.remove(tx, &actor)?;
    }
    balancer.remove(tx, &actor)
}
