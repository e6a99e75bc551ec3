// SPDX-License-Identifier: Apache-2.0
//! Joining: once, and kept before anything is made of it.

use super::{Identity, key};
use crate::{NodeConfig, Result, link, state_dir::StateDir};

/// One attempt with each address of the token.
pub(crate) async fn join(state: &StateDir, config: &NodeConfig) -> Result<Identity> {
    let token = Identity::token(config)?;
    let addresses = if config.controllers.is_empty() { &token.addresses } else { &config.controllers };
    let reply = link::join(&token, addresses, &config.hostname, &key(state)?).await;
    work::crash::point("node.join.answered");
    let identity = Identity::keep(state, reply?, addresses.clone())?;
    tracing::info!(node = %identity.node_id(), "this host joined the cloud");
    Ok(identity)
}
