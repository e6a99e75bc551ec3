// SPDX-License-Identifier: Apache-2.0
//! `[limits]`: what strangers, tenants and guests may hold at once, and how slow they may be. `docs/bounds.md` is their table.

use std::time::Duration;

use anyhow::bail;
use serde::{Deserialize, Serialize};

/// The defaults are right for a small office: some dozen clients, a dashboard, a proxy, ten hosts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections to the API; fewer where the process may not open as many files.
    pub connections: usize,
    /// Set it higher, up to `connections`, where all clients come through one proxy.
    pub connections_per_address: usize,
    /// Requests at once on one connection of HTTP/2.
    pub streams_per_connection: u32,
    /// Requests at once, downloads and other streams included.
    pub requests: usize,
    pub requests_per_address: usize,
    pub requests_per_project: usize,
    /// For a TLS handshake and the head of the first request.
    pub head_seconds: u64,
    /// Between two requests on one connection.
    pub idle_seconds: u64,
    /// For how long a body may stand still, whoever sends it, and how slow it may be on average.
    pub stall_seconds: u64,
    pub bytes_per_second: u64,
    /// Images that get data at once: uploads, imports, snapshots.
    pub transfers: usize,
    pub transfers_per_project: usize,
    /// For how long an upload waits for its turn.
    pub transfer_wait_seconds: u64,
    /// Threads that read, hash and write image data; none: as many as fit the host, four at least.
    pub byte_threads: usize,
    /// Pages of the menus that follow the events.
    pub event_streams: usize,
    pub event_streams_per_user: usize,
    pub fleet: fleet::Limits,
    pub metadata: node::MetadataLimits,
}

impl Default for Limits {
    fn default() -> Self {
        let (api, transfers, events) = (api::Limits::default(), image::Transfers::default(), ::dashboard::EventLimits::default());
        Self {
            connections: api.connections,
            connections_per_address: api.connections_per_address,
            streams_per_connection: api.streams_per_connection,
            requests: api.requests,
            requests_per_address: api.requests_per_address,
            requests_per_project: api.requests_per_project,
            head_seconds: api.head.as_secs(),
            idle_seconds: api.idle.as_secs(),
            stall_seconds: api.pace.idle.as_secs(),
            bytes_per_second: api.pace.bytes_per_second,
            transfers: transfers.all,
            transfers_per_project: transfers.per_project,
            transfer_wait_seconds: transfers.patience.as_secs(),
            byte_threads: 0,
            event_streams: events.streams,
            event_streams_per_user: events.streams_per_user,
            fleet: fleet::Limits::default(),
            metadata: node::MetadataLimits::default(),
        }
    }
}

impl Limits {
    /// Those of the API, within so many files.
    pub fn api(&self, files: u64) -> api::Limits {
        let limits = api::Limits {
            connections: self.connections,
            connections_per_address: self.connections_per_address,
            streams_per_connection: self.streams_per_connection,
            requests: self.requests,
            requests_per_address: self.requests_per_address,
            requests_per_project: self.requests_per_project,
            head: Duration::from_secs(self.head_seconds),
            idle: Duration::from_secs(self.idle_seconds),
            pace: api::Pace { idle: Duration::from_secs(self.stall_seconds), bytes_per_second: self.bytes_per_second },
        };
        limits.within(files)
    }

    pub fn transfers(&self) -> image::Transfers {
        image::Transfers {
            all: self.transfers,
            per_project: self.transfers_per_project,
            patience: Duration::from_secs(self.transfer_wait_seconds),
        }
    }

    pub fn events(&self) -> ::dashboard::EventLimits {
        ::dashboard::EventLimits { streams: self.event_streams, streams_per_user: self.event_streams_per_user }
    }

    pub fn check(&self) -> anyhow::Result<()> {
        let least = [
            ("connections", self.connections as u64),
            ("connections_per_address", self.connections_per_address as u64),
            ("streams_per_connection", self.streams_per_connection.into()),
            ("requests", self.requests as u64),
            ("requests_per_address", self.requests_per_address as u64),
            ("requests_per_project", self.requests_per_project as u64),
            ("head_seconds", self.head_seconds),
            ("idle_seconds", self.idle_seconds),
            ("stall_seconds", self.stall_seconds),
            ("transfers", self.transfers as u64),
            ("transfers_per_project", self.transfers_per_project as u64),
            ("event_streams", self.event_streams as u64),
            ("event_streams_per_user", self.event_streams_per_user as u64),
            ("fleet.strangers", self.fleet.strangers as u64),
            ("fleet.strangers_per_address", self.fleet.strangers_per_address as u64),
            ("fleet.nodes", self.fleet.nodes as u64),
            ("fleet.nodes_per_address", self.fleet.nodes_per_address as u64),
            ("metadata.per_network", self.metadata.per_network as u64),
            ("metadata.per_guest", self.metadata.per_guest as u64),
        ];
        match least.iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => bail!("limits.{name} is at least 1; at 0 nobody would be served"),
            None => Ok(()),
        }
    }
}
