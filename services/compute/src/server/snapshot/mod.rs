// SPDX-License-Identifier: Apache-2.0
//! createImage: a server's disk, as it is at one moment, becomes an image.
//!
//! ```text
//!   POST          image made       node: copied      node sends         image has it
//!  ──────▶ Asked ───────────▶ Copying ───────▶ Copied ──────▶ Uploading ─────────────▶ done
//!            │                   │                │               │
//!            └───────────────────┴── refused, image deleted, ─────┴──▶ Failing ─▶ given up
//!                                    the node cannot                    image deleted
//! ```
//!
//! The order stands in the operation, and with it the image's id: whoever takes a step again takes the same one. The
//! node is asked by its desired state, copies the disk, and sends it over its own connection; it may send only what was
//! asked of it. A server that is deleted meanwhile takes its unfinished image with it.
//!
//! Invariant: a snapshot that was acknowledged ends in an active image or in none, whenever a process dies (test: `a_crash_while_a_snapshot_is_taken_leaves_nothing_behind`).

mod converge;
mod create;

use std::{collections::BTreeMap, time::Duration};

use contracts::{
    BoxFuture,
    caller::{Caller, TokenScope},
    images::ImageFacts,
    node::{Failure, MachineObserved, MachineState, SnapshotStep},
};
use types::NodeId;
use work::Step;

use super::{
    Server,
    operation::{Ask, Course, Heard, Left, Operation, Stage, Taken},
    state::UnderWay,
};
use crate::{Compute, Patience, error::Result};

pub(super) use create::create;

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

pub(crate) struct CreateImage;

impl Course for CreateImage {
    fn words(&self, operation: &Operation) -> UnderWay {
        let task_state = match operation.stage {
            Stage::ImageAsked => "image_snapshot_pending",
            Stage::Copied => "image_pending_upload",
            Stage::Uploading => "image_uploading",
            _ => "image_snapshot",
        };
        UnderWay { task_state: Some(task_state), vm_state: None }
    }

    fn patience(&self, stage: Stage, patience: &Patience) -> Option<Duration> {
        (stage != Stage::ImageFailing).then_some(patience.transfer)
    }

    fn heard(&self, operation: &Operation, _server: &Server, _node: &NodeId, report: &MachineObserved) -> Heard {
        let Some(image) = operation.told().image else { return Heard::Nothing };
        if let MachineState::Failed { transient: false, cause, how: Failure::Unmade } = &report.state {
            return Heard::Failed { cause: cause.clone() };
        }
        let step = report.snapshot.as_ref().filter(|observed| observed.image_id == image).map(|observed| &observed.step);
        match step {
            Some(SnapshotStep::Copied) if operation.stage == Stage::Copying => Heard::Stage(Stage::Copied),
            None | Some(SnapshotStep::Copying | SnapshotStep::Copied) => Heard::Nothing,
            // What counts is whether the image has it.
            Some(SnapshotStep::Sent) => Heard::Look,
            Some(SnapshotStep::Failed { cause }) => Heard::Failed { cause: cause.clone() },
        }
    }

    /// It cannot be had: the image is deleted next.
    fn give_up(&self, _operation: &Operation, _server: &mut Server, _cause: &str) -> Left {
        Left::Stage(Stage::ImageFailing)
    }

    fn step<'a>(&'a self, room: &'a Compute, taken: Taken<'a>) -> BoxFuture<'a, Result<Step>> {
        Box::pin(async move {
            match &taken.operation.ask {
                Ask::CreateImage(ask) => room.converge_image(taken.server, taken.operation, &ask.image).await,
                _ => Ok(Step::Settled),
            }
        })
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
