// SPDX-License-Identifier: Apache-2.0
//! Joining: once, with a token, to a controller that proves itself by the fingerprint in it.

use contracts::node::{JoinReply, JoinRequest, PROTOCOL};

use super::{Identity, certificate_request, key, tls};
use crate::{Error, NodeConfig, Result, link::Client, state_dir::StateDir};

/// One attempt with each address of the token.
pub(crate) async fn join(state: &StateDir, config: &NodeConfig) -> Result<Identity> {
    let token = Identity::token(config)?;
    let key = key(state)?;
    let request = JoinRequest {
        protocol: PROTOCOL,
        token: token.secret.clone(),
        hostname: config.hostname.clone(),
        certificate_request: certificate_request(&key, &config.hostname)?,
    };
    let addresses = if config.controllers.is_empty() { &token.addresses } else { &config.controllers };
    let mut outcome = Err(Error::Unfit("the join token names no controller".into()));
    for address in addresses {
        outcome = match Client::connect(address, tls::joining(&token.authority)?).await {
            Ok(client) => client.post::<_, JoinReply>("/v1/join", &request).await,
            Err(error) => Err(error),
        };
        if outcome.is_ok() {
            break;
        }
    }
    work::crash::point("node.join.answered");
    let identity = Identity::keep(state, outcome?, addresses.clone())?;
    tracing::info!(node = %identity.node_id(), "this host joined the cloud");
    Ok(identity)
}
