// SPDX-License-Identifier: Apache-2.0
//! What carries load balancers: OVN, on every host at once.

mod api;
mod ovn;
mod policy;

use ::api::Fault;
use serde_json::{Value, json};

use crate::{error::Result, tree::Tree};

pub(crate) use ovn::spread;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("provider", api::routes);

/// What a provider is called, and what it is.
pub(crate) const PROVIDERS: [(&str, &str); 1] =
    [(OVN, "Spreads TCP, UDP and SCTP connections by OVN on every host, without a machine of its own.")];

pub(crate) const OVN: &str = "ovn";

/// The provider of this name; one that is not named is chosen.
pub(crate) fn named(name: Option<String>) -> Result<&'static str, Fault> {
    let Some(name) = name else { return Ok(OVN) };
    let known = PROVIDERS.iter().find(|(known, _)| *known == name);
    known.map(|(known, _)| *known).ok_or_else(|| Fault::bad_request(format!("Provider '{name}' is not enabled.")))
}

/// Refuses what the provider of this load balancer cannot do.
pub(crate) fn check(tree: &Tree) -> Result<()> {
    ovn::check(tree)
}

/// Octavia's sums of what passed. OVN counts nothing by listener, as in Octavia's own OVN provider.
pub(crate) fn stats(_provider: &str) -> Value {
    json!({"active_connections": 0, "bytes_in": 0, "bytes_out": 0, "request_errors": 0, "total_connections": 0})
}

/// By which two listeners at one port are told apart.
pub(crate) fn transport(protocol: &str) -> contracts::vips::Transport {
    match protocol {
        "UDP" => contracts::vips::Transport::Udp,
        "SCTP" => contracts::vips::Transport::Sctp,
        _ => contracts::vips::Transport::Tcp,
    }
}
