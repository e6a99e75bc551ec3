// SPDX-License-Identifier: Apache-2.0
//! How a host becomes a node, and stays one.

use serde::{Deserialize, Serialize};
use types::{NodeId, Secret};

use super::Versions;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JoinRequest {
    #[serde(flatten)]
    pub speaks: Versions,
    #[serde(serialize_with = "types::secret::plain")]
    pub token: Secret<String>,
    pub hostname: String,
    /// PEM.
    pub certificate_request: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JoinReply {
    pub node_id: NodeId,
    /// PEM, signed by the cloud's own authority; its common name is the node id.
    pub certificate: String,
    pub authority: String,
}

/// Sent by a joined node over its authenticated connection before its certificate expires.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RenewRequest {
    /// PEM.
    pub certificate_request: String,
}
