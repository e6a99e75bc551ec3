// SPDX-License-Identifier: Apache-2.0
//! Who has room: what compute and fleet need of the placement room.

use std::collections::{BTreeMap, BTreeSet};

use types::{AllocationConsumer, NodeId, ProjectId, ProviderId, UserId};

use crate::{BoxFuture, Refusal};

/// Amounts by resource class (`VCPU`, `MEMORY_MB`, `DISK_GB`).
pub type Resources = BTreeMap<String, i64>;

#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    pub total: i64,
    pub reserved: i64,
    pub allocation_ratio: f64,
}

/// What is free at a provider, and what it is able to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Capacity {
    pub provider: ProviderId,
    pub name: String,
    pub free: Resources,
    pub total: Resources,
    pub traits: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The allocation stands (it may have stood before).
    Held,
    /// Another took the room first; the classes that did not fit.
    Full(Vec<String>),
}

pub trait Placement: Send + Sync {
    /// Makes the provider of a node say this, creating it if need be.
    fn ensure_provider<'a>(
        &'a self,
        node: &'a NodeId,
        name: &'a str,
        inventories: &'a BTreeMap<String, Inventory>,
        traits: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<(), Refusal>>;

    /// The node is no more: its provider goes. Refused while anything is allocated from it; none there is fine.
    fn release_provider<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<(), Refusal>>;

    /// All providers with what is free, in a constant number of statements.
    fn capacities(&self) -> BoxFuture<'_, Result<Vec<Capacity>, Refusal>>;

    /// Makes the consumer hold exactly these resources of this provider, all or nothing.
    fn claim<'a>(
        &'a self,
        consumer: &'a AllocationConsumer,
        provider: &'a ProviderId,
        resources: &'a Resources,
        project: &'a ProjectId,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<Claim, Refusal>>;

    /// What a consumer holds is held by another from now on: the room that a server leaves, under the name of its move. If the
    /// other holds something already, this was done.
    fn set_aside<'a>(
        &'a self,
        consumer: &'a AllocationConsumer,
        under: &'a AllocationConsumer,
    ) -> BoxFuture<'a, Result<(), Refusal>>;

    /// The other way: the consumer holds what was set aside, and nothing else. If nothing is set aside, this was done.
    fn take_back<'a>(
        &'a self,
        from: &'a AllocationConsumer,
        consumer: &'a AllocationConsumer,
    ) -> BoxFuture<'a, Result<(), Refusal>>;

    /// The provider of which the consumer holds an allocation.
    fn held<'a>(&'a self, consumer: &'a AllocationConsumer) -> BoxFuture<'a, Result<Option<ProviderId>, Refusal>>;

    /// Gives back all that the consumer holds; nothing held is fine.
    fn release<'a>(&'a self, consumer: &'a AllocationConsumer) -> BoxFuture<'a, Result<(), Refusal>>;

    /// All consumers, for the audit.
    fn consumers(&self) -> BoxFuture<'_, Result<Vec<AllocationConsumer>, Refusal>>;
}
