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
//! | `GET /v1/images/{sha512}` | the data of an image that a machine of this node needs |
//! | `POST /v1/nodes/{id}/asks` with [`Ask`] | by another controller, with its certificate: answers the node's [`Answer`] |
//! | `POST /v1/passwords/{server}` with [`GuestPassword`] | by a guest of this node, once; `409` if the server has one |
//! | `PUT /v1/snapshots/{image}` | the disk that [`MachineDesired::snapshot`] asks for, as qcow2; answered when the image has it |
//!
//! Everything is level-triggered: a session begins with the whole desired state; later lines replace one machine
//! at a time. A lost line is repaired by the next session. What is to go is released by name, and stays released until the
//! node has said that it is gone; a machine that is neither desired nor released runs on as it was wanted last, for a
//! controller whose tables were put back to an earlier state knows less than the node. Nothing is removed for not being
//! mentioned. Generations order what is said about a machine:
//! neither side lets an older one overwrite a newer. A node has one session: a second replaces the first, whose
//! connection then gets `409` for whatever it still says. A controller that does not have the lead answers `503` to a
//! session, and the node tries the next one. Refusals carry a [`crate::Refusal`] as JSON.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};
use types::{DatabaseMark, Generation, ImageId, Mac, NodeId, PortId, ProjectId, Secret, ServerId};

use crate::ports::{FixedIp, MetadataDoor};

/// Raised when a message changes its meaning; both sides refuse a peer with another number, and say so.
pub const PROTOCOL: u32 = 2;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JoinRequest {
    pub protocol: u32,
    pub token: Secret<String>,
    pub hostname: String,
    /// PEM.
    pub certificate_request: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JoinReply {
    pub node_id: NodeId,
    /// PEM, signed by the cloud's own authority; its common name is the node id.
    pub certificate: String,
    pub authority: String,
}

/// Sent by a joined node over its authenticated connection before its certificate expires.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RenewRequest {
    /// PEM.
    pub certificate_request: String,
}

/// What a node says of itself when it connects. Memory and disk are what it offers to machines: what its operator
/// reserves for the host itself is taken off already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: u32,
    pub version: String,
    pub hostname: String,
    /// Changes when the host restarts: machines that ran are gone then.
    pub boot_id: String,
    pub vcpus: i64,
    pub memory_mb: i64,
    pub disk_gb: i64,
    pub accelerator: Accelerator,
    /// `kernel` or `userspace`.
    pub datapath: String,
    pub encap_ip: IpAddr,
    /// Physical networks that this host has a bridge for.
    pub physical_networks: Vec<String>,
    pub cpu_arch: String,
    pub hypervisor_version: String,
    /// What it was told last by the cloud's database.
    pub knows: Option<DatabaseMark>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accelerator {
    /// `kvm` or `tcg`.
    pub kind: String,
    /// How it was found out, as a sentence.
    pub finding: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToNode {
    /// The whole of it: first line of a session.
    Desired {
        node: NodeSettings,
        machines: Vec<MachineDesired>,
        /// These shall be gone.
        released: Vec<ServerId>,
        /// How far the database had come at least that says so.
        database: DatabaseMark,
    },
    /// This machine shall be so.
    Machine {
        machine: Box<MachineDesired>,
    },
    /// This machine shall be gone.
    Released {
        server_id: ServerId,
    },
    /// How far the database had come that said what was said before.
    Known {
        database: DatabaseMark,
    },
    Ask {
        id: u64,
        ask: Ask,
    },
    /// Sent when there is nothing else, so that both sides notice a dead connection.
    Beat,
}

/// What the controller tells a node about the cloud it joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSettings {
    /// Where OVN's southbound database listens, e.g. `ssl:10.0.0.1:6642` or `unix:/…`.
    pub southbound: String,
    /// Where the controllers listen for nodes, the one that speaks first. Empty from one that does not know.
    #[serde(default)]
    pub controllers: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MachineDesired {
    pub server_id: ServerId,
    pub generation: Generation,
    pub project_id: ProjectId,
    pub power: Power,
    /// Grows by one with each reboot asked for; a node whose count is lower restarts the machine.
    pub reboots: u32,
    /// How the latest of those shall be done.
    pub reboot: RebootKind,
    pub vcpus: u32,
    pub memory_mb: u64,
    pub root: RootDisk,
    pub nics: Vec<NicDesired>,
    pub config_drive: bool,
    /// What becomes of a guest that stops feeding its watchdog; it has none if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watchdog: Option<WatchdogAction>,
    pub metadata: InstanceMetadata,
    /// Copy the root disk as it is at one moment, and send it; until this is no longer asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<ImageId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    Running,
    Stopped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RebootKind {
    Soft,
    Hard,
}

/// Nova's `hw:watchdog_action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WatchdogAction {
    Reset,
    Poweroff,
    Pause,
    /// It is only noted.
    None,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootDisk {
    pub image_id: ImageId,
    pub sha512: String,
    /// As the image API names it and the image room found it: `raw`, `qcow2`, `vmdk` … Never probed again.
    pub format: String,
    pub image_size: u64,
    /// Bytes that the guest sees.
    pub size: u64,
    /// By which the guest can tell it from others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicDesired {
    pub port_id: PortId,
    pub network_id: types::NetworkId,
    pub mac: Mac,
    pub mtu: u32,
    pub fixed_ips: Vec<FixedIp>,
    pub metadata: Option<MetadataDoor>,
    /// By which the guest can tell it from others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// What the guest may learn of itself, by metadata service or config drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceMetadata {
    pub hostname: String,
    pub name: String,
    pub availability_zone: String,
    pub launch_index: u32,
    pub flavor: String,
    pub public_keys: BTreeMap<String, String>,
    pub meta: BTreeMap<String, String>,
    /// Base64, as the user sent it.
    pub user_data: Option<Secret<String>>,
    pub admin_password: Option<Secret<String>>,
    /// What the guest itself said, for its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest_password: Option<Secret<String>>,
    pub floating_ips: Vec<IpAddr>,
    /// EC2's `reservation-id`.
    pub reservation_id: String,
    pub security_groups: Vec<String>,
}

/// The password that a guest made for its administrator, encrypted by itself with its owner's public key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestPassword {
    pub password: Secret<String>,
}

impl GuestPassword {
    /// Bytes: what Nova has room for.
    pub const LONGEST: usize = 4 * 255;
}

/// What a node found. Machines that it does not list, it does not have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// True for the first report of a session and for regular ones; false if only some machines are listed.
    pub complete: bool,
    pub machines: Vec<MachineObserved>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineObserved {
    pub server_id: ServerId,
    /// The generation of the desired state on which this was found.
    pub generation: Generation,
    pub reboots: u32,
    pub state: MachineState,
    /// How far the snapshot is that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotObserved>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotObserved {
    pub image_id: ImageId,
    pub step: SnapshotStep,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum SnapshotStep {
    Copying,
    /// The copy is whole; the controller gets it next.
    Copied,
    Sent,
    /// It cannot be had, and why. The node does not try again.
    Failed {
        cause: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum MachineState {
    /// On the way; `step` tells what is being done (`image`, `disk`, `ports`, `start`).
    Preparing {
        step: String,
    },
    Running,
    /// Its guest or the operator's wish stopped it; disk kept.
    Stopped,
    /// It is not as desired, and why. The node tries again when `transient`.
    Failed {
        cause: String,
        transient: bool,
        #[serde(default)]
        how: Failure,
    },
    /// Nothing of it is left: process, tap, disk.
    Gone,
}

/// How far a machine had come when it failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// It could not be brought to where it is wanted.
    #[default]
    Unmade,
    /// It ran; its process ended, or stands still for good, though neither its guest nor anybody else wished so. Its disk is
    /// kept.
    Crashed,
    /// It is held still, and goes on by itself when the cause is gone.
    Held,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    ConsoleLog {
        server_id: ServerId,
        lines: Option<u64>,
    },
    /// Everything of ours on the host, for the audit.
    Inventory,
    /// Remove this tap or port of the switch, by the operator's word; one that a machine has is refused.
    RemoveDevice {
        name: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    ConsoleLog {
        text: String,
    },
    Inventory {
        processes: Vec<String>,
        taps: Vec<String>,
        /// Machines that have a folder, with the taps that were made for them.
        machines: BTreeMap<String, Vec<String>>,
        switch_ports: Vec<String>,
        namespaces: Vec<String>,
    },
    Removed,
    Refused {
        message: String,
    },
}
