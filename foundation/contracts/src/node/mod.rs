// SPDX-License-Identifier: Apache-2.0
//! The protocol between controller and node.
//!
//! The agent dials out and holds one HTTP/2 connection with mutual TLS:
//!
//! | request | meaning |
//! |---|---|
//! | `POST /v1/join` | once, with a join token and a certificate request instead of a client certificate |
//! | `POST /v1/session` with [`Hello`] | answers a stream of [`ToNode`], one JSON document a line, for as long as the connection lives |
//! | `POST /v1/observed` with [`Observed`] | what the node found; answered when it is durable |
//! | `POST /v1/answers/{id}` with [`Answer`] | the answer to [`ToNode::Ask`] |
//! | `POST /v1/renew` with [`RenewRequest`] | answers a [`JoinReply`] with a fresh certificate, while the old one is valid |
//! | `GET`, `PUT /v1/streams/{ticket}` | bytes to the node, or from it: see [`Stream`] |
//! | `POST /v1/streams/{ticket}` | bytes both ways at once: a console, in the form of `bounds::Credit` |
//! | `POST /v1/passwords/{server}` with [`GuestPassword`] | by a guest of this node, once; `409` if the server has one |
//! | `POST /v1/nodes/{id}/asks` with [`Ask`] | by another controller, with its certificate: answers the node's [`Answer`] |
//! | `POST /v1/nodes/{id}/consoles/{server}/{screen or serial}` | by another controller: bytes both ways, as the node's own |
//!
//! Both sides say which versions they speak, and take the newest that both do; without one the node is refused with a sentence
//! ([decision 6](../../../../docs/decisions/0006-the-nodes-protocol.md)). What a controller still says to older agents is in
//! [`earlier`]. What a node can do beyond its version it lists as [`Feature`]s, and nothing else is asked of it.
//!
//! Everything is level-triggered: a session begins with the whole desired state; later lines tell of the things that changed. A
//! lost line is repaired by the next session. What is to go is released by name, and stays released until the node has said
//! that it is gone; a thing that is neither desired nor released stays as it was wanted last, for a controller whose tables
//! were put back to an earlier state knows less than the node. Nothing is removed for not being mentioned. Generations order
//! what is said about a thing: neither side lets an older one overwrite a newer. Lines and reports are ordered by their
//! `seq` and `as_of`: a report is no word on what its node was told only after it had looked.
//!
//! A node has one session: a second replaces the first, whose connection then gets `409` for whatever it still says. A
//! controller that does not have the lead answers `503` to a session, and the node tries the next one. Refusals carry a
//! [`crate::Refusal`] as JSON; one that will pass says by `Retry-After` when to ask again, on the same connection.

mod ask;
mod device;
mod down;
pub mod earlier;
mod hello;
mod join;
mod machine;
mod metadata;
mod observed;
mod stream;
mod thing;
mod volume;

pub use ask::{Answer, Ask, Console};
pub use device::{Device, DeviceId, DeviceObserved, DeviceState, DiskDesired, NicDesired, RootDisk};
pub use down::{Lease, NodeSettings, ToNode};
pub use hello::{Accelerator, Feature, Held, Hello, StorageFacts, Versions};
pub use join::{JoinReply, JoinRequest, RenewRequest};
pub use machine::{KeptDisk, MachineDesired, Power, RebootKind, Role, SnapshotDesired, WatchdogAction};
pub use metadata::{GuestPassword, InstanceMetadata};
pub use observed::{Failure, Found, MachineObserved, MachineState, Observed, SnapshotObserved, SnapshotStep};
pub use stream::{Stream, Ticket, Transfer};
pub use thing::{Kind, Spec, Thing, ThingId, Want};
pub use volume::{
    Door, DoorObserved, DoorState, Origin, VolumeDesired, VolumeObserved, VolumeSnapshot, VolumeSnapshotObserved,
    VolumeSnapshotState, VolumeState, Way,
};

/// What the agent speaks. Raised when a message changes its meaning.
pub const PROTOCOL: u32 = 3;

/// What the controller speaks. A cloud is brought up to date controllers first, then host by host.
pub const SPOKEN: Versions = Versions::since(earlier::PROTOCOL, PROTOCOL);
