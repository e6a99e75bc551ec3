// SPDX-License-Identifier: Apache-2.0
//! createImage: a server's disk, as it is at one moment, becomes an image.
//!
//! ```text
//!   POST          image made       node: copied      node sends         image has it
//!  ──────▶ Asked ───────────▶ Copying ───────▶ Copied ───────▶ Sending ───────────────▶ (none)
//!            │                   │                │               │
//!            └───────────────────┴── refused, image deleted, ─────┴──▶ Failing ─▶ (none)
//!                                    the node cannot                    image deleted
//! ```
//!
//! The order stands in the server's row, and with it the image's id: whoever takes a step again takes the same one. The
//! node is asked by its desired state, copies the disk, and sends it over its own connection; it may send only what was
//! asked of it. A server that is deleted meanwhile takes its unfinished image with it.
//!
//! Invariant: a snapshot that was acknowledged ends in an active image or in none, whenever a process dies (test: `a_crash_while_a_snapshot_is_taken_leaves_nothing_behind`).

mod converge;
mod create;
mod store;

use std::collections::BTreeMap;

use contracts::{
    caller::{Caller, TokenScope},
    images::{ImageFacts, NewSnapshot},
};
use serde::{Deserialize, Serialize};
use types::ImageId;

pub(super) use create::create;
pub(super) use store::take_step;

/// Every crash point of a snapshot, for tests that sweep over them.
#[cfg(test)]
pub(crate) const CRASH_POINTS: &[&str] = &[
    "compute.snapshot.recorded",
    "compute.snapshot.image-made",
    "compute.snapshot.node-told",
    "compute.snapshot.sending",
    "compute.snapshot.received",
    "compute.snapshot.done",
    "compute.snapshot.failed",
    "compute.snapshot.image-released",
];

/// A snapshot that is being taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub image: NewSnapshot,
    pub stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// The image may not be there yet.
    Asked,
    Copying,
    Copied,
    Sending,
    /// The image, if it is there, is being deleted.
    Failing,
}

impl Stage {
    /// As Nova names it.
    pub(crate) fn task_state(self) -> &'static str {
        match self {
            Self::Asked => "image_snapshot_pending",
            Self::Copying | Self::Failing => "image_snapshot",
            Self::Copied => "image_pending_upload",
            Self::Sending => "image_uploading",
        }
    }
}

impl Snapshot {
    /// What the node shall copy and send.
    pub(crate) fn wanted_of_node(&self) -> Option<&ImageId> {
        matches!(self.stage, Stage::Copying | Stage::Copied | Stage::Sending).then_some(&self.image.id)
    }
}

/// Properties of an image that say something of this very data, or of a key that goes with it.
const NOT_INHERITED: [&str; 8] = [
    "cache_in_nova",
    "bittorrent",
    "img_signature",
    "img_signature_hash_method",
    "img_signature_key_type",
    "img_signature_certificate_uuid",
    "cinder_encryption_key_id",
    "cinder_encryption_key_deletion_policy",
];

/// What the snapshots of a server that this caller boots from this image will inherit.
pub(super) fn inherited(caller: &Caller, image: &ImageFacts) -> BTreeMap<String, String> {
    let mut properties = image.properties.clone();
    properties.retain(|name, _| !NOT_INHERITED.contains(&name.as_str()) && !name.starts_with("os_glance"));
    // The image that all began with, however many snapshots lie between.
    properties.entry("base_image_ref".to_owned()).or_insert_with(|| image.id.to_string());
    let roles: Vec<&str> = caller.roles.iter().map(|role| role.name.as_str()).collect();
    let mut set = |name: &str, value: String| properties.insert(name.to_owned(), value);
    set("boot_roles", roles.join(","));
    set("owner_user_name", caller.user.name.clone());
    if let TokenScope::Project(project) = &caller.scope {
        set("owner_project_name", project.name.clone());
    }
    properties
}
