// SPDX-License-Identifier: Apache-2.0
//! Hosts without hardware: each joins with a token of its own and holds its session over mutual TLS with its own certificate,
//! by the agent's very link and board. Only what an agent does to its host is left out: a machine here is a line in memory,
//! so that one process carries a cloud of hundreds of hosts with tens of thousands of machines.
//!
//! How a host fares is chosen while it runs: slow, failing or asleep ([`Manner`]), cut off, restarted, forgetful, or older
//! than the controller ([`Host`]).

mod host;
mod machine;
mod machines;
mod manner;
mod session;

pub use host::Host;
pub use machines::Machine;
pub use manner::{Manner, Offer};

use futures_util::{StreamExt, TryStreamExt, stream};

/// Joins at once: more would only wait for a place at the controller's port.
const JOINS: usize = 8;

/// As many hosts as there are join tokens, each with a session.
pub async fn join(words: &[String], offer: &Offer, manner: &Manner) -> anyhow::Result<Vec<Host>> {
    let joining = words.iter().enumerate().map(|(number, word)| Host::join(number, word, offer.clone(), manner.clone()));
    let hosts: Vec<Host> = stream::iter(joining).buffered(JOINS).try_collect().await?;
    for host in &hosts {
        host.until_connected().await;
    }
    Ok(hosts)
}
