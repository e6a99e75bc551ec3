// SPDX-License-Identifier: Apache-2.0
//! Takes in what is found out about the members that are checked.

use std::{sync::Arc, time::Duration};

use contracts::vips::Health;
use store::{Actor, Tx, params};
use types::LoadBalancerId;

use super::settle::refresh;
use crate::{Balancers, error::Result, load_balancer::LoadBalancer, provider::transport, thing::Thing, tree::Tree};

/// So often it is looked although nothing was told.
const CLOCK: Duration = Duration::from_secs(10);

impl Balancers {
    /// Runs until it is dropped.
    pub(crate) async fn heed_health(self: Arc<Self>) {
        loop {
            if let Err(error) = self.look_at_health().await {
                tracing::warn!(%error, "how members are is not known now; it is looked at again");
            }
            let _ = tokio::time::timeout(CLOCK, self.vips.health_changed()).await;
        }
    }

    pub(crate) async fn look_at_health(&self) -> Result<()> {
        let checked = self.store.list(|tx| -> Result<Vec<LoadBalancerId>> {
            let sql = "SELECT DISTINCT load_balancer_id FROM health_monitors";
            Ok(tx.query(sql, &[])?.iter().map(|row| row.get(0)).collect::<store::Result<_>>()?)
        });
        let checked = checked.await?;
        if checked.is_empty() {
            return Ok(());
        }
        let found = self.vips.health(&checked).await?;
        self.store.write(move |tx| found.iter().try_for_each(|(id, health)| take_in(tx, id, health))).await
    }
}

fn take_in(tx: &mut Tx, id: &LoadBalancerId, health: &[Health]) -> Result<()> {
    let Some(balancer) = LoadBalancer::find(tx, id.as_str())? else { return Ok(()) };
    let mut tree = Tree::read(tx, balancer)?;
    let mut is_news = false;
    for member in &mut tree.members {
        let pool = tree.pools.iter().find(|pool| pool.id == member.pool_id);
        let found = health.iter().find(|one| {
            one.address == member.address
                && i64::from(one.port) == member.protocol_port
                && pool.is_some_and(|pool| transport(&pool.protocol) == one.transport)
        });
        let word = match found.and_then(|one| one.is_up) {
            Some(true) => "up",
            Some(false) => "down",
            None => "",
        };
        if member.health != word {
            tx.execute("UPDATE members SET health = $2 WHERE id = $1", &params![&member.id, word])?;
            word.clone_into(&mut member.health);
            is_news = true;
        }
    }
    if is_news { refresh(tx, &Actor::system("balancer"), &tree) } else { Ok(()) }
}
