// SPDX-License-Identifier: Apache-2.0
//! Which host: filters, then a weigher, over facts already at hand. A refusal says which filter removed what.

mod hosts;
mod judge;
mod refused;

use contracts::placement::Resources;
use types::{AllocationConsumer, NodeId, ProviderId};

use super::Server;

pub(crate) use hosts::Hosts;
pub(crate) use judge::same_architecture;
pub(crate) use refused::{Reason, Refused};

/// A host that fits, best first in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub node: NodeId,
    pub host: String,
    pub provider: ProviderId,
}

/// What is looked for.
pub(crate) struct Sought<'a> {
    pub server: &'a Server,
    pub needs: Resources,
    /// It has volumes, which its host must be able to reach.
    pub has_volumes: bool,
    /// Whose allocation it becomes.
    pub consumer: AllocationConsumer,
    /// Hosts that are out of the question, beside those where it was tried, and why.
    pub not_on: &'a [(NodeId, Reason)],
}

/// How a search for room ended.
pub(crate) enum Placed<T = ()> {
    /// There, where the room is held now, with what was done there beside.
    On(Candidate, T),
    /// Nowhere now, but a host that may come back any moment was not asked, or others were faster wherever there was room.
    NotYet,
    Nowhere(Refused),
}

/// What the server needs of its host, by resource class.
pub(crate) fn resources(server: &Server) -> Resources {
    let flavor = &server.flavor;
    let gigabytes = |bytes: u64| bytes.div_ceil(1 << 30);
    let disk = gigabytes(server.root_size()) + flavor.ephemeral_gb + flavor.swap_mb.div_ceil(1024);
    let amounts = [("VCPU", u64::from(flavor.vcpus)), ("MEMORY_MB", flavor.memory_mb), ("DISK_GB", disk)];
    let whole = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
    amounts.into_iter().filter(|(_, amount)| *amount > 0).map(|(class, amount)| (class.to_owned(), whole(amount))).collect()
}
