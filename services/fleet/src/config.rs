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
