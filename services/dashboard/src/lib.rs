// SPDX-License-Identifier: Apache-2.0
//! The menus: an application in the browser, served from the binary, and the little that it needs beside the public APIs: a
//! session whose token no script can read, a way to the APIs for whoever has one, and the stream of what changes.
//!
//! It stands before the door of the APIs, in the same process and at the same address. It has no rights of its own: what it
//! asks for somebody, it asks of that door with his token ([decision 20](../../../docs/decisions/0020-the-menus.md)).
//!
//! Invariant: the token of a session reaches no script (test: `no_answer_shows_the_token_of_a_session`).
//! Invariant: no page of elsewhere, nor of a tenant's objects, acts in somebody's session (test:
//! `pages_of_elsewhere_act_in_nobodys_session`).
//! Invariant: nobody hears of another tenant's things (test: `each_tenant_hears_of_his_own_things_only`).

mod answer;
mod ask;
mod asset;
mod cookie;
mod download;
mod elsewhere;
mod event;
mod form_key;
mod forward;
mod page;
mod reply;
mod sandbox;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use access::{InForce, Policy};
use api::Serves;
use bounds::Places;
use contracts::caller::Authenticator;
use store::Store;
use tokio::sync::watch;

pub use event::EventLimits;
pub use sandbox::Sandboxed;
pub use session::WEBSSO;

/// Of what it is made.
pub struct Parts {
    /// The door of the public APIs. It also answers whatever is not asked of the menus.
    pub door: Arc<dyn Serves>,
    /// Where those APIs begin: `/compute`.
    pub prefixes: Vec<&'static str>,
    pub authenticator: Arc<dyn Authenticator>,
    pub policies: InForce,
    /// The stream of events, and who may hear all of it.
    pub store: Store,
    pub hears_all: &'static Policy,
    pub event_limits: EventLimits,
    pub public_url: String,
    pub region: String,
    /// Becomes true when the controller is to stop: streams that never end by themselves end then.
    pub stopping: watch::Receiver<bool>,
}

pub struct Dashboard {
    parts: Parts,
    /// Streams of events, by user.
    streams: Places<String>,
}

impl Dashboard {
    pub fn new(parts: Parts) -> Self {
        let EventLimits { streams, streams_per_user } = parts.event_limits;
        Self { parts, streams: Places::new(streams, streams_per_user) }
    }

    /// Whether browsers come by TLS, so that their cookies can be kept to it.
    fn is_secure(&self) -> bool {
        self.parts.public_url.starts_with("https://")
    }
}
