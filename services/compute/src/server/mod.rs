// SPDX-License-Identifier: Apache-2.0
//! Servers: virtual machines as tenants know them.
//!
//! A request only writes down what is wanted and what is being done ([`operation`]); [`reconcile`] brings it about through
//! the neighbours, holding a claim for each thing that it may have made there; [`observe`] takes in what the nodes found;
//! [`state`] makes the words that clients see from the three, and [`save`] alone writes any of it.

mod action;
mod api;
mod ask;
mod attach;
pub(crate) mod audit;
pub(crate) mod claim;
pub(crate) mod console;
mod create;
pub(crate) mod desired;
mod filter;
mod guard;
pub(crate) mod guest_password;
mod hostname;
mod interfaces;
mod list;
mod metadata;
pub(crate) mod observe;
pub(crate) mod operation;
mod pattern;
mod place;
pub(crate) mod policy;
mod rebuild;
pub(crate) mod reconcile;
mod released;
pub(crate) mod reminder;
mod rescue;
mod resize;
pub(crate) mod row;
pub(crate) mod save;
pub(crate) mod schedule;
pub(crate) mod snapshot;
pub(crate) mod state;
pub(crate) mod table;
mod tags;
mod update;
pub(crate) mod view;
pub(crate) mod volume;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::{FlavorId, Generation, ImageId, NodeId, ProjectId, Secret, ServerId, Timestamp, UserId};

use crate::flavor::Size;
use operation::Operation;
use state::{Facts, Found, Life, Power, Reboot};

pub(crate) use api::routes;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("server", routes)
    .shows(&[
        ("server", &[view::IN_EVERY_ANSWER, view::IN_WHOLE_ANSWERS]),
        ("rebuilt server", &[view::IN_ANSWERS_TO_REBUILDS]),
        ("flavor of a server", &[view::FLAVOR]),
        ("volume of a server", &[volume::api::ATTACHMENT]),
        ("volume within a server", &[view::VOLUME]),
    ])
    .tables(&[
        crate::Step { number: 2, name: "snapshots", sql: include_str!("../../migrations/0002_snapshots.sql") },
        crate::Step { number: 3, name: "guest passwords", sql: include_str!("../../migrations/0003_guest_passwords.sql") },
        crate::Step { number: 4, name: "released machines", sql: include_str!("../../migrations/0004_released_machines.sql") },
        crate::Step { number: 5, name: "server operations", sql: include_str!("../../migrations/0005_server_operations.sql") },
        crate::Step {
            number: 6,
            name: "finished operations",
            sql: include_str!("../../migrations/0006_finished_operations.sql"),
        },
        crate::Step { number: 7, name: "quota sums", sql: include_str!("../../migrations/0007_quota_sums.sql") },
        crate::Step { number: 8, name: "disks by their data", sql: include_str!("../../migrations/0008_disks.sql") },
        console::STEP,
    ]);

/// A server as its row has it, and what is being done to it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Server {
    pub id: ServerId,
    /// The number in its machine's name.
    pub seq: i64,
    /// Grows with each change of the row.
    pub revision: i64,
    pub project_id: ProjectId,
    pub user_id: UserId,
    pub name: String,
    pub hostname: String,
    pub description: Option<String>,
    pub reservation_id: String,
    pub launch_index: u32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub launched_at: Option<Timestamp>,
    pub deleting_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,

    pub generation: Generation,
    pub power: Power,
    pub reboots: u32,
    pub reboot_kind: Reboot,
    pub zone: Option<String>,
    pub wanted_host: Option<String>,
    pub host_is_forced: bool,

    pub life: Life,
    pub node_id: Option<NodeId>,
    pub host: Option<String>,
    pub tried: Vec<NodeId>,
    pub fault: Option<FaultNote>,
    pub marked_error: bool,

    pub found: Option<Found>,
    pub found_generation: Generation,
    pub found_reboots: u32,

    /// The words of it, as [`save`] worked them out.
    pub status: String,
    pub vm_state: String,
    pub task_state: Option<String>,
    pub power_state: i64,

    pub flavor_id: FlavorId,
    pub flavor: Size,
    pub image_id: ImageId,
    pub image: ImageNote,
    pub key_name: Option<String>,
    pub public_key: Option<String>,
    #[serde(skip)]
    pub user_data: Option<Secret<String>>,
    #[serde(skip)]
    pub admin_password: Option<Secret<String>>,
    pub config_drive: bool,
    pub disk_config: String,
    pub access_ip_v4: Option<String>,
    pub access_ip_v6: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub tags: Vec<String>,
    pub security_groups: Vec<String>,
    pub locked_by: Option<String>,
    pub locked_reason: Option<String>,
    /// As the guest encrypted it.
    #[serde(skip)]
    pub guest_password: Option<Secret<String>>,
    /// By which the guest knows its root disk.
    pub root_tag: Option<String>,
    /// Grows when its root is made anew.
    pub root_edition: i64,

    /// What is being done to it, or was until now.
    #[serde(skip)]
    pub operation: Option<Operation>,
}

/// Why a server is in ERROR.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FaultNote {
    pub code: u16,
    /// For the tenant: names no host.
    pub message: String,
    /// For the operator.
    pub details: Option<String>,
    pub created: Timestamp,
}

/// What a server keeps of its image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImageNote {
    pub sha512: String,
    pub format: String,
    /// Bytes of the image's file, and of the disk in it.
    pub size: u64,
    pub virtual_size: u64,
    pub arch: Option<String>,
    /// What a snapshot of the server inherits. GiB and MiB are the least that the image needs.
    #[serde(default)]
    pub min_disk: u64,
    #[serde(default)]
    pub min_ram: u64,
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

impl Server {
    pub(crate) fn facts(&self) -> Facts {
        Facts {
            life: self.life,
            deleting: self.deleting_at.is_some(),
            deleted: self.deleted_at.is_some(),
            marked_error: self.marked_error,
            power: self.power,
            found: self.found,
            current: self.found_generation >= self.generation,
            under_way: self.open().map(Operation::under_way),
        }
    }

    /// How the operator knows the machine.
    pub(crate) fn instance_name(&self) -> String {
        format!("instance-{:08x}", self.seq)
    }

    /// It boots from a volume, and has no disk of its own.
    pub(crate) fn is_volume_backed(&self) -> bool {
        self.image_id.as_str().is_empty()
    }

    /// Bytes that the guest sees of its root disk: the flavor's, or the image's where the flavor says nothing.
    pub(crate) fn root_size(&self) -> u64 {
        match self.flavor.disk_gb {
            _ if self.is_volume_backed() => 0,
            0 => self.image.virtual_size,
            gigabytes => gigabytes << 30,
        }
    }

    /// vCPUs and MiB that count against the project's quota.
    pub(crate) fn counted_size(&self) -> (u32, u64) {
        let (vcpus, memory) = (self.flavor.vcpus, self.flavor.memory_mb);
        // Until a resize is over it may become the one or the other.
        match self.open().map(|operation| &operation.ask) {
            Some(operation::Ask::Resize(ask)) => (
                vcpus.max(ask.from.size.vcpus).max(ask.to.size.vcpus),
                memory.max(ask.from.size.memory_mb).max(ask.to.size.memory_mb),
            ),
            _ => (vcpus, memory),
        }
    }
}

impl FaultNote {
    pub(crate) fn new(message: impl Into<String>, details: Option<String>) -> Self {
        Self { code: 500, message: message.into(), details, created: Timestamp::now() }
    }
}
