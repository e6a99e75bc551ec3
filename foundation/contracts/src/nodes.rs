// SPDX-License-Identifier: Apache-2.0
//! The fleet room's doors: the hosts, what they shall do, what they found.

use std::{path::PathBuf, sync::Arc};

use types::{ImageId, NodeId, ServerId, Timestamp};

use crate::{
    BoxFuture, Refusal,
    images::Chunks,
    node::{Answer, Ask, Console, Feature, Found, GuestPassword, Hello, Kind, Stream, Thing, ThingId, Ticket},
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
    /// Until then at most it runs what is exclusively its, if it is not heard of again.
    pub lease_until: Timestamp,
    /// Things that it has, and that this cloud's tables neither want of it nor give up.
    pub strays: Vec<ThingId>,
    /// What it said of itself when it connected last.
    pub hello: Option<Hello>,
}

impl NodeFacts {
    pub fn can(&self, feature: Feature) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.features.contains(&feature))
    }

    /// Refuses what this node's agent cannot do.
    pub fn demand(&self, feature: Feature) -> Result<(), Refusal> {
        if self.can(feature) {
            return Ok(());
        }
        let message = format!(
            "The host {} runs a version of ferrostack that cannot {feature}; the operator can bring it up to date.",
            self.hostname
        );
        Err(Refusal::conflict(message))
    }

    /// Whether what is exclusively this node's may be opened elsewhere. Of one whose agent knows no leases nobody can say so.
    pub fn lease_is_over(&self) -> bool {
        !self.up && self.can(Feature::Fence) && self.lease_until < Timestamp::now()
    }
}

/// Fleet, as the other rooms see it.
pub trait Nodes: Send + Sync {
    fn list(&self) -> BoxFuture<'_, Result<Vec<NodeFacts>, Refusal>>;

    /// One of them, as it is now; none if there is no such node.
    fn get<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Option<NodeFacts>, Refusal>>;

    fn set_disabled<'a>(&'a self, node: &'a NodeId, reason: Option<String>, disabled: bool)
    -> BoxFuture<'a, Result<(), Refusal>>;

    /// What is wanted of these things of this node changed: read it from their room and send what differs.
    fn tell(&self, node: &NodeId, things: &[ThingId]);

    /// What is wanted of this node changed, and what of it is not known: read all of it again and send what differs.
    fn wake(&self, node: &NodeId);

    /// The word by which this node, and no other, opens this stream. Always the same.
    fn ticket(&self, node: &NodeId, stream: &Stream) -> Ticket;

    /// Asks a connected node and waits for its answer, or says why there is none.
    fn ask<'a>(&'a self, node: &'a NodeId, ask: Ask) -> BoxFuture<'a, Result<Answer, Refusal>>;

    /// Opens a console of a machine there: what is typed goes in, what it shows comes out, both in the form of `bounds::Credit`.
    /// It ends when either end is dropped.
    fn open_console<'a>(
        &'a self,
        node: &'a NodeId,
        server: &'a ServerId,
        console: Console,
        typed: Chunks,
    ) -> BoxFuture<'a, Result<Chunks, Refusal>>;
}

/// A room that wants things of one kind of nodes. What it answers is what is wanted now; nothing is queued, so nothing can be
/// lost. A thing that is not in an answer is nobody's wish: the node keeps it.
pub trait DesiredSource: Send + Sync {
    fn kind(&self) -> Kind;

    /// All that is wanted of this node: what it shall have, and what it shall give up until it has said that it has.
    fn all<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Vec<Thing>, Refusal>>;

    /// The same of these things only, with work that grows with their number and nothing else.
    fn changed<'a>(&'a self, node: &'a NodeId, things: &'a [ThingId]) -> BoxFuture<'a, Result<Vec<Thing>, Refusal>>;
}

/// What a node found, with what follows from it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    pub found: Vec<Found>,
    /// Things that the node was told of before it looked, and that it does not have.
    pub absent: Vec<ThingId>,
}

impl Report {
    /// What of it is of this kind. None if nothing is.
    pub fn of(&self, kind: Kind) -> Option<Self> {
        let found: Vec<Found> = self.found.iter().filter(|found| found.kind() == kind).cloned().collect();
        let absent: Vec<ThingId> = self.absent.iter().filter(|thing| thing.kind == kind).cloned().collect();
        (!found.is_empty() || !absent.is_empty()).then_some(Self { found, absent })
    }
}

/// A room that wants to know what nodes found of one kind.
pub trait ObservedSink: Send + Sync {
    fn kind(&self) -> Kind;

    /// Told again now and then, though nothing changed.
    fn observed<'a>(&'a self, node: &'a NodeId, report: &'a Report) -> BoxFuture<'a, Result<(), Refusal>>;

    /// A node connected or was lost.
    fn node_changed<'a>(&'a self, node: &'a NodeFacts) -> BoxFuture<'a, Result<(), Refusal>>;
}

/// Where a node's request for an image's data is answered from: only for images that a thing of that node needs. Not
/// found where nothing of this room's kind does.
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
    /// One for each kind.
    pub desired: Vec<Arc<dyn DesiredSource>>,
    pub observed: Vec<Arc<dyn ObservedSink>>,
    /// Asked one after the other.
    pub images: Vec<Arc<dyn ImageSource>>,
    /// Of machines' disks.
    pub snapshots: Arc<dyn SnapshotSink>,
    /// Of volumes.
    pub volume_copies: Arc<dyn SnapshotSink>,
    pub passwords: Arc<dyn PasswordSink>,
}
