// SPDX-License-Identifier: Apache-2.0
//! What is done to a server, as a thing of its own: from the request that began it until it is done or given up.
//!
//! A server has at most one open operation. Its row says what was asked for, how far it is, since when, and until when it
//! may take; all that differs between kinds is in their [`Course`]. A deletion goes before everything; what has no open
//! operation is settled, and then the host alone keeps it as it is wanted.
//!
//! ```text
//!   request ──▶ stage ──▶ stage ──▶ … ──▶ done
//!                 │  our turn: the reconciler takes the next step, which can be repeated
//!                 │  the node's turn: its next report says more
//!                 │  the user's turn: a resize to be verified, a rescued server
//!                 └─ refused, failed, or its time is over ──▶ given up: a legal state, with a cause
//! ```
//!
//! Invariant: every pair of state and action is admitted or refused as Nova does it (test: `the_matrix_is_novas`).
//!
//! Invariant: an operation whose time is over is given up, with a cause that its owner sees (test: `what_takes_too_long_is_given_up`).

pub(crate) mod admission;
mod ask;
pub(crate) mod build;
pub(crate) mod interface;
mod power;
mod reboot;
mod rebuild;
mod rescue;
pub(crate) mod resize;
pub(crate) mod table;
pub(crate) mod volume;

use std::time::Duration;

use contracts::{
    BoxFuture,
    node::{KeptDisk, MachineObserved},
};
use store::Actor;
use types::{ImageId, NodeId, OperationId, Timestamp};
use work::Step;

pub(crate) use ask::{
    Ask, BuildAsk, ImageAsk, InterfaceAsk, Kept, PowerAsk, RebootAsk, RebuildAsk, RescueAsk, ResizeAsk, Snapshot, VolumeAsk,
};

use super::{
    Server,
    claim::Claim,
    snapshot::CreateImage,
    state::{Life, UnderWay, Word as _, words},
};
use crate::{Compute, Patience, error::Result, instance_action::Action};

words! {
    /// What is done.
    Kind, "a kind of operation":
    Build = "build",
    Start = "start",
    Stop = "stop",
    Pause = "pause",
    Unpause = "unpause",
    Reboot = "reboot",
    Rebuild = "rebuild",
    Rescue = "rescue",
    Resize = "resize",
    CreateImage = "create_image",
    Attach = "attach_interface",
    Detach = "detach_interface",
    AttachVolume = "attach_volume",
    DetachVolume = "detach_volume",
}

words! {
    /// How far it is. Each kind passes through a few of these.
    Stage, "a stage of an operation":
    /// The node knows what is wanted and has not reported it yet.
    Told = "told",

    Scheduling = "scheduling",
    /// A host was chosen; its ports could not be had at the first try.
    Networking = "networking",
    /// The same of its volumes.
    Mapping = "mapping",
    Spawning = "spawning",
    /// This host could not do it: its machine and allocation are given back, then another is chosen.
    Leaving = "leaving",
    /// It cannot be built: all claims are being released.
    Failing = "failing",

    /// The image may not be there yet.
    ImageAsked = "image_asked",
    Copying = "copying",
    Copied = "copied",
    Uploading = "uploading",
    /// The image, if it is there, is being deleted.
    ImageFailing = "image_failing",

    /// It runs from the image that rescues it.
    Rescued = "rescued",
    Unrescuing = "unrescuing",

    /// Room is sought, here or elsewhere.
    Placing = "placing",
    /// Its disk is on its way to another node.
    Moving = "moving",
    /// The disk is there; its ports follow.
    Received = "received",
    /// It becomes what it shall be.
    Finishing = "finishing",
    /// Its user says whether it is good.
    Verify = "verify",
    /// What it left behind is being given back.
    Confirming = "confirming",
    /// What it came to is being given back: by its user's wish, or because it came to nothing.
    Reverting = "reverting",
    Abandoning = "abandoning",
    /// It becomes what it was, of either.
    Restoring = "restoring",
    Returning = "returning",

    /// The port of a NIC is being made, and bound to the host; or the door of a volume opened to it.
    Wiring = "wiring",
    Plugging = "plugging",
    Unplugging = "unplugging",
    /// The machine is without the device: its port or volume is being given back.
    Unwiring = "unwiring",
    /// The machine has its volumes: their room is told so.
    Settling = "settling",
}

/// Who moves an operation on from a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Ours,
    /// A node's report; we look after it only when the node is away for long.
    Nodes,
    /// A word of its user; however long that takes.
    Users,
}

/// What a node is to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It has its machine, as it is wanted.
    Run,
    /// Its disk comes here.
    Receive,
    /// Its disk goes from here.
    Send,
    /// Its disk stays here while it runs elsewhere.
    Keep,
}

/// What the node of a server is told because of an operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Copy the disk for this image.
    pub image: Option<ImageId>,
    /// Boot from this one.
    pub rescue: Option<ImageId>,
    /// Keep a copy of the disk, or go back to it.
    pub kept: Option<KeptDisk>,
    /// Its root may be missing: it is made anew.
    pub makes_root: bool,
}

/// An operation as its row has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    pub id: OperationId,
    pub kind: Kind,
    pub stage: Stage,
    pub ask: Ask,
    pub from_node: Option<NodeId>,
    pub to_node: Option<NodeId>,
    pub request_id: String,
    pub actor: String,
    pub started_at: Timestamp,
    pub stage_at: Timestamp,
    pub deadline: Option<Timestamp>,
    /// Once it is over: `done`, or why not.
    pub outcome: Option<String>,
}

/// What a step needs: the server with its open operation, and all that it holds.
pub(crate) struct Taken<'a> {
    pub server: &'a Server,
    pub operation: &'a Operation,
    pub claims: &'a [Claim],
}

/// What a node's report means to an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    Nothing,
    /// It goes on.
    Stage(Stage),
    /// The reconciler has to look outside what became of it.
    Look,
    Done,
    Failed {
        cause: String,
    },
}

/// All that differs between the kinds of operations.
pub(crate) trait Course: Sync {
    /// Nova's word for what is under way, and the state that it has meanwhile if its machine does not say.
    fn words(&self, operation: &Operation) -> UnderWay;

    /// How long this stage may take; `None` if it waits for nobody but its user.
    fn patience(&self, stage: Stage, patience: &Patience) -> Option<Duration>;

    /// On which nodes the server is meanwhile, and as what.
    fn presence(&self, _operation: &Operation, server: &Server) -> Vec<(NodeId, Role)> {
        server.settled_presence()
    }

    /// What a node's report means, which is on what is wanted now.
    fn heard(&self, operation: &Operation, server: &Server, node: &NodeId, report: &MachineObserved) -> Heard;

    /// Which actions went well once it is there, or with `None` once it is done; those of a change of the machine itself are
    /// finished by the report on it.
    fn finished(&self, _at: Option<Stage>) -> &'static [Action] {
        &[]
    }

    /// Changes what is wanted when a report has brought it to this stage.
    fn enter(&self, _stage: Stage, _server: &mut Server) {}

    /// Changes what is wanted when it is done.
    fn conclude(&self, _operation: &Operation, _server: &mut Server) {}

    /// Brings the server back to a legal state; what is to be done outward first is another stage. What is left open is over.
    fn give_up(&self, operation: &Operation, server: &mut Server, cause: &str) -> Left;

    /// The next step outward, idempotent, with its claims on record. Asked only when the turn is ours.
    fn step<'a>(&'a self, room: &'a Compute, taken: Taken<'a>) -> BoxFuture<'a, Result<Step>>;
}

/// What is left of an operation that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    Nothing,
    /// This has to be done yet.
    Stage(Stage),
}

/// The registry: every kind with its course.
pub(crate) fn course(kind: Kind) -> &'static dyn Course {
    match kind {
        Kind::Build => &build::Build,
        Kind::Start => &power::START,
        Kind::Stop => &power::STOP,
        Kind::Pause => &power::PAUSE,
        Kind::Unpause => &power::UNPAUSE,
        Kind::Reboot => &reboot::Reboot,
        Kind::Rebuild => &rebuild::Rebuild,
        Kind::Rescue => &rescue::Rescue,
        Kind::Resize => &resize::Resize,
        Kind::CreateImage => &CreateImage,
        Kind::Attach => &interface::Attach,
        Kind::Detach => &interface::Detach,
        Kind::AttachVolume => &volume::Attach,
        Kind::DetachVolume => &volume::Detach,
    }
}

impl Kind {
    pub(crate) fn is_of_a_device(self) -> bool {
        matches!(self, Self::Attach | Self::Detach | Self::AttachVolume | Self::DetachVolume)
    }
}

impl Operation {
    pub(crate) fn begin(ask: Ask, stage: Stage, actor: &Actor, patience: &Patience) -> Self {
        let now = Timestamp::now();
        let kind = ask.kind();
        Self {
            id: OperationId::generate(),
            kind,
            stage,
            ask,
            from_node: None,
            to_node: None,
            request_id: actor.request_id.clone(),
            actor: actor.name.clone(),
            started_at: now,
            stage_at: now,
            deadline: course(kind).patience(stage, patience).map(|time| now.plus(time)),
            outcome: None,
        }
    }

    pub(crate) fn course(&self) -> &'static dyn Course {
        course(self.kind)
    }

    /// The same, further on.
    pub(crate) fn at(&self, stage: Stage, patience: &Patience) -> Self {
        let now = Timestamp::now();
        let deadline = self.course().patience(stage, patience).map(|time| now.plus(time));
        Self { stage, stage_at: now, deadline, ..self.clone() }
    }

    pub(crate) fn over(&self, outcome: &str) -> Self {
        Self { outcome: Some(outcome.to_owned()), ..self.clone() }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.outcome.is_none()
    }

    pub(crate) fn under_way(&self) -> UnderWay {
        self.course().words(self)
    }

    pub(crate) fn told(&self) -> Told {
        let mut told = Told::default();
        match (&self.ask, self.stage) {
            (Ask::CreateImage(ask), Stage::Copying | Stage::Copied | Stage::Uploading) => told.image = Some(ask.image.id.clone()),
            (Ask::Rescue(ask), Stage::Told | Stage::Rescued) => told.rescue = Some(ask.image_id.clone()),
            (Ask::Rebuild(_), Stage::Told) => told.makes_root = true,
            (Ask::Resize(_), _) => told.kept = self.kept(),
            _ => {}
        }
        told
    }

    /// It failed in one place and is tried in another: nothing has come to nothing yet.
    pub(crate) fn goes_on_elsewhere(&self) -> bool {
        self.stage == Stage::Leaving
    }

    pub(crate) fn is_overdue(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Timestamp::now())
    }
}

impl Server {
    /// The open operation.
    pub(crate) fn open(&self) -> Option<&Operation> {
        self.operation.as_ref().filter(|operation| operation.is_open())
    }

    /// On which nodes it is, and as what. A node that holds a claim of it and stands not here is to give it up.
    pub(crate) fn presence(&self) -> Vec<(NodeId, Role)> {
        if self.deleting_at.is_some() || self.deleted_at.is_some() {
            return Vec::new();
        }
        match self.open() {
            Some(operation) => operation.course().presence(operation, self),
            None => self.settled_presence(),
        }
    }

    pub(crate) fn settled_presence(&self) -> Vec<(NodeId, Role)> {
        let built = self.life == Life::Built;
        self.node_id.iter().filter(|_| built).map(|node| (node.clone(), Role::Run)).collect()
    }

    pub(crate) fn role_of(&self, node: &NodeId) -> Option<Role> {
        self.presence().into_iter().find(|(on, _)| on == node).map(|(_, role)| role)
    }
}

/// The stages of this turn, for the question what is pending.
pub(crate) fn stages(turn: Turn) -> impl Iterator<Item = &'static str> {
    Stage::ALL.iter().filter(move |(stage, _)| stage.turn() == turn).map(|(_, word)| *word)
}

impl Stage {
    pub(crate) fn turn(self) -> Turn {
        match self {
            Self::Told | Self::Spawning | Self::Unrescuing => Turn::Nodes,
            Self::Moving | Self::Finishing | Self::Restoring | Self::Returning => Turn::Nodes,
            Self::Plugging | Self::Unplugging => Turn::Nodes,
            Self::Rescued | Self::Verify => Turn::Users,
            Self::Placing | Self::Received | Self::Confirming | Self::Reverting | Self::Abandoning => Turn::Ours,
            Self::Wiring | Self::Unwiring | Self::Settling => Turn::Ours,
            Self::Scheduling | Self::Networking | Self::Mapping | Self::Leaving | Self::Failing => Turn::Ours,
            // Whether the image has its data is asked of the image room, too.
            Self::ImageAsked | Self::Copying | Self::Copied | Self::Uploading | Self::ImageFailing => Turn::Ours,
        }
    }
}

/// The words of every kind at every stage, for tests.
#[cfg(test)]
pub(crate) fn every_state() -> Vec<UnderWay> {
    let stages = Stage::ALL.iter().map(|(stage, _)| *stage);
    let asks = ask::one_of_each();
    let all = asks.into_iter().flat_map(|ask| stages.clone().map(move |stage| (ask.clone(), stage)));
    let operation = |(ask, stage)| Operation::begin(ask, stage, &Actor::system("test"), &Patience::default());
    all.map(|of| operation(of).under_way()).collect()
}
