// SPDX-License-Identifier: Apache-2.0
//! What the operator may say about the fleet.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetConfig {
    /// The authority's key and certificates live in `authority/` below it.
    pub state_dir: PathBuf,
    /// `host:port` under which nodes reach the listener: what join tokens say.
    pub addresses: Vec<String>,
    /// Where nodes find OVN's southbound database.
    pub southbound: String,
    /// How many virtual processors are handed out for each real one.
    #[serde(default = "four")]
    pub vcpu_ratio: f64,
    /// Seconds for which a join token is good.
    #[serde(default = "an_hour")]
    pub token_seconds: u64,
    #[serde(default)]
    pub limits: Limits,
}

/// What may be held at the nodes' port: by strangers, which everybody is until he has shown a certificate of ours, and by
/// nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub strangers: usize,
    pub strangers_per_address: usize,
    /// Connections of nodes and other controllers.
    pub nodes: usize,
    pub nodes_per_address: usize,
    /// Seconds for a TLS handshake, and for a whole visit of one who has no certificate.
    pub handshake_seconds: u64,
    pub join_seconds: u64,
    /// Streams of bytes at once, to nodes and from them, and for each node.
    pub streams: usize,
    pub streams_per_node: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            strangers: 64,
            strangers_per_address: 16,
            nodes: 2048,
            nodes_per_address: 64,
            handshake_seconds: 10,
            join_seconds: 30,
            streams: 64,
            streams_per_node: 8,
        }
    }
}

impl FleetConfig {
    pub(crate) fn token_life(&self) -> Duration {
        Duration::from_secs(self.token_seconds)
    }
}

fn four() -> f64 {
    4.0
}

fn an_hour() -> u64 {
    3600
}
