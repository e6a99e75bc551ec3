// SPDX-License-Identifier: Apache-2.0
//! What clients of the door may hold, each address and project of them and all together.

use std::time::Duration;

use bounds::{Full, Pace, Places, Source};
use http::{HeaderValue, StatusCode, header};

use crate::Fault;

/// The defaults are right for a small office with some dozen clients, a dashboard and a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub connections: usize,
    /// Clients behind one proxy share an address.
    pub connections_per_address: usize,
    /// Requests at once on one connection of HTTP/2.
    pub streams_per_connection: u32,
    /// Requests at once, those included whose answer is a stream that still flows.
    pub requests: usize,
    pub requests_per_address: usize,
    pub requests_per_project: usize,
    /// From the beginning of a connection to the end of its first request's head, the TLS handshake included.
    pub head: Duration,
    /// From the end of one answer to the end of the next request's head.
    pub idle: Duration,
    /// Of bodies that come, and of answers that go.
    pub pace: Pace,
}

/// Bytes of a request's target. Clients of Neutron part their lists of ids so that they stay below 8 KiB.
pub(crate) const LONGEST_TARGET: usize = 16 << 10;
/// Of the process's files, those that are for others than clients: databases, logs, OVN, hosts, images.
const RESERVED_FILES: u64 = 128;

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1000,
            connections_per_address: 256,
            streams_per_connection: 100,
            requests: 512,
            requests_per_address: 256,
            requests_per_project: 64,
            head: Duration::from_secs(20),
            idle: Duration::from_secs(60),
            pace: Pace::default(),
        }
    }
}

impl Limits {
    /// The same, or less, so that connections and the files that their requests read stay below what the process may open.
    #[must_use]
    pub fn within(mut self, files: u64) -> Self {
        let most = usize::try_from(files.saturating_sub(RESERVED_FILES) / 2).unwrap_or(usize::MAX).max(8);
        self.connections = self.connections.min(most);
        self.requests = self.requests.min(most);
        self
    }
}

/// The places of requests that are under way.
pub(crate) struct Under {
    pub addresses: Places<Source>,
    /// By project; by user for tokens without one.
    pub projects: Places<String>,
}

impl Under {
    pub fn new(limits: &Limits) -> Self {
        Self {
            addresses: Places::new(limits.requests, limits.requests_per_address),
            projects: Places::new(limits.requests, limits.requests_per_project),
        }
    }
}

/// What is said to whoever finds no place.
pub(crate) fn no_place(full: Full, whose: &str, each: usize) -> Fault {
    let fault = match full {
        Full::Yours => Fault::new(
            StatusCode::TOO_MANY_REQUESTS,
            format!("{each} requests of {whose} are under way, and that is the most. Wait for their answers, and try again."),
        ),
        Full::All => {
            Fault::unavailable("As many requests are under way as this cloud takes at once. Nothing was changed; try again.")
        }
    };
    fault.header(header::RETRY_AFTER, HeaderValue::from_static("1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_fewer_places_than_the_process_may_open_files() {
        for files in [150, 256, 1024, 4096, 65_536] {
            let limits = Limits::default().within(files);
            assert!(
                files < 200 || (limits.connections + limits.requests) as u64 + RESERVED_FILES <= files,
                "{files}: {limits:?}"
            );
            assert!(limits.connections >= 8);
        }
        assert_eq!(Limits::default().within(65_536), Limits::default());
    }
}
