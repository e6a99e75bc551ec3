// SPDX-License-Identifier: Apache-2.0
//! The order in the server's row, from stage to stage.

use contracts::node::{Failure, MachineObserved, MachineState, SnapshotStep};
use serde_json::json;
use store::{Actor, Tx, params};

use super::{Snapshot, Stage};
use crate::{
    error::Result,
    instance_action::{self, Action},
    server::{Server, store as table},
};

/// Writes the order anew, if nobody else did since the server was read.
pub(super) fn set(tx: &mut Tx, server: &Server, snapshot: Option<&Snapshot>) -> Result<()> {
    let text = |snapshot: &Snapshot| json!(snapshot).to_string();
    let before = server.snapshot.as_ref().map(text).unwrap_or_default();
    Ok(tx.execute_cas(
        "UPDATE servers SET snapshot = $1 WHERE id = $2 AND coalesce(snapshot, '') = $3",
        &params![snapshot.map(text), &server.id, before],
    )?)
}

pub(super) fn set_stage(tx: &mut Tx, server: &Server, stage: Stage) -> Result<()> {
    match &server.snapshot {
        Some(snapshot) if snapshot.stage != stage => set(tx, server, Some(&Snapshot { stage, ..snapshot.clone() })),
        _ => Ok(()),
    }
}

/// It cannot be had: the image is deleted next.
pub(super) fn fail(tx: &mut Tx, server: &Server, cause: &str) -> Result<()> {
    let Some(snapshot) = server.snapshot.as_ref().filter(|snapshot| snapshot.stage != Stage::Failing) else { return Ok(()) };
    set_stage(tx, server, Stage::Failing)?;
    instance_action::fail(tx, &server.id, Action::CreateImage, cause)?;
    let after = json!({"image_id": snapshot.image.id, "cause": cause});
    table::record(tx, &Actor::system("compute"), "server.create_image.fail", server, None, after)
}

/// The image has its data.
pub(super) fn finish(tx: &mut Tx, server: &Server) -> Result<()> {
    let Some(snapshot) = &server.snapshot else { return Ok(()) };
    set(tx, server, None)?;
    instance_action::finish(tx, &server.id, Action::CreateImage)?;
    let after = json!({"image_id": snapshot.image.id});
    table::record(tx, &Actor::system("compute"), "server.create_image.done", server, None, after)
}

/// Takes in how far the node is. True if there is something to converge.
pub(crate) fn take_step(tx: &mut Tx, server: &Server, report: &MachineObserved) -> Result<bool> {
    let Some(snapshot) = server.snapshot.as_ref().filter(|snapshot| snapshot.wanted_of_node().is_some()) else {
        return Ok(false);
    };
    if let MachineState::Failed { transient: false, cause, how: Failure::Unmade } = &report.state {
        fail(tx, server, cause)?;
        return Ok(true);
    }
    let step = report.snapshot.as_ref().filter(|observed| observed.image_id == snapshot.image.id).map(|observed| &observed.step);
    match step {
        None | Some(SnapshotStep::Copying) => Ok(false),
        Some(SnapshotStep::Copied) => {
            if snapshot.stage == Stage::Copying {
                set_stage(tx, server, Stage::Copied)?;
            }
            Ok(false)
        }
        // What counts is whether the image has it.
        Some(SnapshotStep::Sent) => Ok(true),
        Some(SnapshotStep::Failed { cause }) => {
            fail(tx, server, cause)?;
            Ok(true)
        }
    }
}
