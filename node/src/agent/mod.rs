// SPDX-License-Identifier: Apache-2.0
//! The agent's life: take up what is here, join if need be, hold sessions, end without touching the machines.
//!
//! It is the one place that knows all drawers, and wires them.

mod answers;
mod inventory;
mod sessions;

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use contracts::{BoxFuture, node::Ticket};
use disks::cage::Cage;
use futures_util::{StreamExt, TryStreamExt};
use http_body_util::BodyDataStream;
use tokio::time::Instant;
use types::NodeId;

use crate::{
    Error, NodeConfig, Result,
    board::Board,
    cloud::Cloud,
    console::Consoles,
    error::blocking,
    host::Host,
    identity::{self, Identity},
    image::{Fetch, ImageCache, Pieces, SETTLED},
    lease::Lease,
    link::Link,
    machine::Workshop,
    machines::Machines,
    metadata,
    state_dir::StateDir,
    switch::{Chassis, Switching},
    volume::{Bridges, Ground, Volumes},
};

const JOIN_AGAIN: Duration = Duration::from_secs(2);
/// A guest writes some MiB to its console between two looks, at most.
const LOGS_EVERY: Duration = Duration::from_secs(5);
const TRIM_EVERY: Duration = Duration::from_secs(600);

pub struct Agent {
    node: NodeId,
    host: Arc<Host>,
    cloud: Cloud,
    link: Link,
    lease: Lease,
    board: Arc<Board>,
    switch: Option<Arc<Switching>>,
    images: ImageCache,
    machines: Machines,
    volumes: Volumes,
    consoles: Consoles,
}

impl Agent {
    /// Runs until `stop` is ready; machines run on. Fails only on what a restart would not mend.
    pub async fn run(config: NodeConfig, stop: impl Future<Output = ()>) -> Result<()> {
        let root = config.state_dir.clone();
        let (state, _lock) = blocking(move || StateDir::open(&root)).await?;
        tokio::pin!(stop);
        let (agent, identity) = tokio::select! {
            opened = open(config, state) => opened?,
            () = &mut stop => return Ok(()),
        };
        tokio::select! {
            () = sessions::hold(agent.clone(), identity) => {}
            () = agent.cloud.keep_joined(agent.switch.as_deref(), agent.host.config(), &agent.node) => {}
            () = agent.keep_metadata() => {}
            () = agent.tidy() => {}
            () = &mut stop => {}
        }
        agent.consoles.close();
        agent.machines.rest().await;
        agent.volumes.rest().await;
        Ok(())
    }

    async fn keep_metadata(&self) {
        let Some(switch) = self.switch.clone() else { return std::future::pending().await };
        let (state, limits) = (self.host.state().clone(), self.host.config().metadata);
        metadata::keep(metadata::Ground { switch, state, limits, machines: self.machines.clone(), link: self.link.clone() })
            .await;
    }

    /// What only grows is cut down by the clock.
    async fn tidy(&self) {
        let mut trim_at = Instant::now() + TRIM_EVERY;
        loop {
            tokio::time::sleep(LOGS_EVERY).await;
            self.machines.bound_logs().await;
            if trim_at <= Instant::now() {
                trim_at = Instant::now() + TRIM_EVERY;
                let trimmed = async { self.images.trim(self.machines.images_in_use().await?, SETTLED).await };
                if let Err(error) = trimmed.await {
                    tracing::warn!(error = error.chain(), "unused images are not dropped");
                }
            }
        }
    }
}

async fn open(config: NodeConfig, state: StateDir) -> Result<(Arc<Agent>, Identity)> {
    let identity = ensure_identity(&state, &config).await?;
    let node = identity.node_id().clone();
    let chassis = Chassis { node: node.clone(), tls: identity.tls_files() };
    let switch = Switching::open(&config, &state, &chassis).await?.map(Arc::new);
    let host = Arc::new(Host::open(config, state).await?);
    let (link, lease, board) = (Link::new(), Lease::new(), Arc::new(Board::new()));
    let state = host.state();
    let source = Arc::new(link.clone());
    let images = ImageCache::open(state.images(), state.machines(), host.granted_to_images(), source, cage(host.config()))?;
    let tls = identity.storage_files();
    let (address, first_uid) = (host.config().encap_ip, host.config().first_uid);
    let bridges = Bridges::new(state.bridges(), tls.clone(), first_uid);
    let (dir, with) = (state.volumes(), (link.clone(), cage(host.config())));
    let ground = Ground::new(node.clone(), (address, first_uid), tls, dir, images.clone(), board.clone(), with);
    // Before the machines, which open them.
    let volumes = Volumes::open(ground)?;
    let with = (volumes.clone(), bridges);
    let shop = Workshop::new(host.clone(), board.clone(), images.clone(), link.clone(), lease.clone(), switch.clone(), with);
    // Before any controller is reached: machines that were here go on as they were wanted last.
    let machines = Machines::open(Arc::new(shop)).await?;
    let cloud = Cloud::open(state.database());
    let consoles = Consoles::new(link.clone());
    Ok((Arc::new(Agent { node, cloud, link, lease, board, switch, images, machines, volumes, consoles, host }), identity))
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

/// Images are converted by the user below those of the machines, who owns nothing else.
fn cage(config: &NodeConfig) -> Cage {
    let user = config.first_uid - 1;
    Cage::new(user, user)
}

/// Images come from the controller that holds the session, over the session's own connection.
impl Fetch for Link {
    fn open<'a>(&'a self, ticket: &'a Ticket) -> BoxFuture<'a, Result<Pieces>> {
        Box::pin(async move {
            let response = self.client()?.get(&ticket.path()).await?;
            let pieces = BodyDataStream::new(response.into_body());
            Ok(pieces.map_ok(Bytes::from).map_err(Error::http).boxed())
        })
    }
}
