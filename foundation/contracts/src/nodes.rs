// SPDX-License-Identifier: Apache-2.0
//! The fleet room's doors: the hosts, what they shall do, what they found.

use std::{path::PathBuf, sync::Arc};

use types::{ImageId, NodeId, ServerId, Timestamp};

use crate::{
    BoxFuture, Refusal,
    images::Chunks,
    node::{Answer, Ask, GuestPassword, Hello, MachineDesired, Observed},
};

#[derive(Debug, Clone, PartialEq)]
pub struct NodeFacts {
    pub id: NodeId,
    pub hostname: String,
    /// Connected now.
    pub up: bool,
    /// The operator wants no new machines there.
    pub disabled: bool,
    pub disabled_reason: Option<String>,
    pub joined_at: Timestamp,
    pub seen_at: Timestamp,
    /// What it said of itself when it connected last.
    pub hello: Option<Hello>,
}

/// Fleet, as the other rooms see it.
pub trait Nodes: Send + Sync {
    fn list(&self) -> BoxFuture<'_, Result<Vec<NodeFacts>, Refusal>>;

    /// One of them, as it is now; none if there is no such node.
    fn get<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Option<NodeFacts>, Refusal>>;

    fn set_disabled<'a>(&'a self, node: &'a NodeId, reason: Option<String>, disabled: bool)
    -> BoxFuture<'a, Result<(), Refusal>>;

    /// The desired state of this node changed: read it again from its sources and send what differs.
    fn wake(&self, node: &NodeId);

    /// Asks a connected node and waits for its answer, or says why there is none.
    fn ask<'a>(&'a self, node: &'a NodeId, ask: Ask) -> BoxFuture<'a, Result<Answer, Refusal>>;
}

/// What is wanted of a node. What is in neither list is nobody's wish: the node keeps it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodeWishes {
    /// Every machine that the node shall have, running or stopped.
    pub machines: Vec<MachineDesired>,
    /// Machines that shall be gone, until the node has said that they are.
    pub released: Vec<ServerId>,
}

/// A room that wants something of nodes. Read afresh at each wake; nothing is queued, so nothing can be lost.
pub trait DesiredSource: Send + Sync {
    fn wishes<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<NodeWishes, Refusal>>;
}

/// A room that wants to know what nodes found.
pub trait ObservedSink: Send + Sync {
    fn observed<'a>(&'a self, node: &'a NodeId, observed: &'a Observed) -> BoxFuture<'a, Result<(), Refusal>>;

    /// A node connected or was lost.
    fn node_changed<'a>(&'a self, node: &'a NodeFacts) -> BoxFuture<'a, Result<(), Refusal>>;
}

/// Where a node's request for an image's data is answered from: only for images that a machine of that node needs.
pub trait ImageSource: Send + Sync {
    fn image_file<'a>(&'a self, node: &'a NodeId, sha512: &'a str) -> BoxFuture<'a, Result<PathBuf, Refusal>>;
}

/// Where the disk that a node copied goes: only for a snapshot that was asked of this very node.
pub trait SnapshotSink: Send + Sync {
    fn take_snapshot<'a>(&'a self, node: &'a NodeId, image: &'a ImageId, chunks: Chunks) -> BoxFuture<'a, Result<(), Refusal>>;
}

/// Where the password goes that a guest made: only that of a machine of this very node, and only the first.
pub trait PasswordSink: Send + Sync {
    fn take_password<'a>(
        &'a self,
        node: &'a NodeId,
        server: &'a ServerId,
        password: GuestPassword,
    ) -> BoxFuture<'a, Result<(), Refusal>>;
}

/// What fleet is given by the wiring, after all rooms stand.
#[derive(Clone)]
pub struct NodeNeighbours {
    pub desired: Arc<dyn DesiredSource>,
    pub observed: Arc<dyn ObservedSink>,
    pub images: Arc<dyn ImageSource>,
    pub snapshots: Arc<dyn SnapshotSink>,
    pub passwords: Arc<dyn PasswordSink>,
}
