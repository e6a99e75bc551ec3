// SPDX-License-Identifier: Apache-2.0
//! The agent's life: take up what is here, join if need be, hold a session, end without touching the machines.

use std::{future::Future, sync::Arc, time::Duration};

use crate::{NodeConfig, Result, host::Host, identity, identity::Identity, machines::Machines, state_dir::StateDir};

const JOIN_AGAIN: Duration = Duration::from_secs(2);
const TRIM_EVERY: Duration = Duration::from_secs(600);

pub struct Agent;

impl Agent {
    /// Runs until `stop` is ready; machines run on. Fails only on what a restart would not mend.
    pub async fn run(config: NodeConfig, stop: impl Future<Output = ()>) -> Result<()> {
        let (state, _lock) = StateDir::open(&config.state_dir)?;
        let host = Arc::new(Host::open(config.clone(), state.clone()).await?);
        // Before any controller is reached: machines that were here go on as they were wanted last.
        let machines = Machines::open(host.clone())?;
        let work = async {
            let identity = ensure_identity(&state, &config).await?;
            host.link().run(identity, &config, host.clone(), machines.clone()).await;
            Ok(())
        };
        let ended = tokio::select! {
            ended = work => ended,
            () = trim(&host, &machines) => Ok(()),
            () = stop => Ok(()),
        };
        machines.rest().await;
        ended
    }
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

async fn trim(host: &Host, machines: &Machines) {
    loop {
        tokio::time::sleep(TRIM_EVERY).await;
        if let Err(error) = host.images().trim(machines.images_in_use()).await {
            tracing::warn!(error = error.chain(), "unused images are not dropped");
        }
    }
}
