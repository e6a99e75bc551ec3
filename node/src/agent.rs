// SPDX-License-Identifier: Apache-2.0
//! The agent's life: take up what is here, join if need be, hold a session, end without touching the machines.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    NodeConfig, Result,
    error::blocking,
    host::Host,
    identity::{self, Identity},
    image::SETTLED,
    machines::Machines,
    metadata,
    state_dir::StateDir,
};

const JOIN_AGAIN: Duration = Duration::from_secs(2);
/// A guest writes some MiB to its console between two looks, at most.
const LOGS_EVERY: Duration = Duration::from_secs(5);
const TRIM_EVERY: Duration = Duration::from_secs(600);

pub struct Agent;

impl Agent {
    /// Runs until `stop` is ready; machines run on. Fails only on what a restart would not mend.
    pub async fn run(config: NodeConfig, stop: impl Future<Output = ()>) -> Result<()> {
        let root = config.state_dir.clone();
        let (state, _lock) = blocking(move || StateDir::open(&root)).await?;
        tokio::pin!(stop);
        let (host, identity) = tokio::select! {
            opened = open(&config, &state) => opened?,
            () = &mut stop => return Ok(()),
        };
        // Before any controller is reached: machines that were here go on as they were wanted last.
        let machines = Machines::open(host.clone()).await?;
        tokio::select! {
            () = host.link().run(identity, &config, host.clone(), machines.clone()) => {}
            () = host.keep_in_cloud() => {}
            () = metadata::keep(host.clone(), machines.clone()) => {}
            () = tidy(&host, &machines) => {}
            () = &mut stop => {}
        }
        machines.rest().await;
        Ok(())
    }
}

async fn open(config: &NodeConfig, state: &StateDir) -> Result<(Arc<Host>, Identity)> {
    let identity = ensure_identity(state, config).await?;
    let host = Host::open(config.clone(), state.clone(), &identity).await?;
    Ok((Arc::new(host), identity))
}

async fn ensure_identity(state: &StateDir, config: &NodeConfig) -> Result<Identity> {
    if let Some(identity) = Identity::load(state)? {
        return Ok(identity);
    }
    loop {
        match identity::join(state, config).await {
            Err(error) if error.is_transient() => {
                tracing::warn!(error = error.chain(), "this host has not joined yet; trying again");
                tokio::time::sleep(JOIN_AGAIN).await;
            }
            joined => return joined,
        }
    }
}

/// What only grows is cut down by the clock.
async fn tidy(host: &Host, machines: &Machines) {
    let mut trim_at = Instant::now() + TRIM_EVERY;
    loop {
        tokio::time::sleep(LOGS_EVERY).await;
        machines.bound_logs().await;
        if trim_at <= Instant::now() {
            trim_at = Instant::now() + TRIM_EVERY;
            let trimmed = async { host.images().trim(machines.images_in_use().await?, SETTLED).await };
            if let Err(error) = trimmed.await {
                tracing::warn!(error = error.chain(), "unused images are not dropped");
            }
        }
    }
}
