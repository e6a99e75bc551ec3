// SPDX-License-Identifier: Apache-2.0
//! What the operator, or whoever makes snapshots elsewhere, says of one's state.

use std::sync::Arc;

use api::{Cx, Reply};
use http::StatusCode;
use serde_json::json;

use crate::{
    BlockStorage,
    error::Error,
    input::{argument, wrong},
};

const STATUSES: [&str; 5] = ["available", "creating", "deleting", "error", "error_deleting"];

pub(super) async fn reset_status(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = argument(&mut cx, "os-reset_status").await?;
    let status = ask.text("status", 1..=255)?;
    let status = ask.required("status", status)?.to_lowercase();
    ask.finish()?;
    if !STATUSES.contains(&status.as_str()) {
        return Err(wrong("status", &json!(status), &format!("It is not one of {STATUSES:?}.")));
    }
    room.change_snapshot(&cx, "snapshot.reset_status", move |mut snapshot| {
        snapshot.forced_status = None;
        let is_so = snapshot.word() == status;
        snapshot.forced_status = Some(status.clone()).filter(|_| !is_so);
        Ok(snapshot)
    })
    .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

/// Between the states in which a snapshot is made or goes, and how that ended. Compute says so of snapshots that a guest's
/// file system takes part in.
pub(super) async fn update_status(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = argument(&mut cx, "os-update_snapshot_status").await?;
    let status = ask.text("status", 1..=255)?;
    let status = ask.required("status", status)?;
    let progress = ask.text("progress", 1..=255)?;
    ask.finish()?;
    if let Some(progress) = &progress {
        let percent = progress.strip_suffix('%').and_then(|number| number.parse::<u8>().ok());
        if percent.is_none_or(|percent| percent > 100) {
            return Err(wrong("progress", &json!(progress), "It is not a percentage from 0% to 100%."));
        }
    }
    room.change_snapshot(&cx, "snapshot.update_status", move |mut snapshot| {
        let may = match snapshot.status.as_str() {
            "creating" => ["creating", "available", "error"].contains(&status.as_str()),
            "deleting" => ["deleting", "error_deleting"].contains(&status.as_str()),
            _ => false,
        };
        if !may {
            return Err(Error::invalid(format!(
                "Provided snapshot status {status} not allowed for snapshot with status {}.",
                snapshot.status
            )));
        }
        snapshot.forced_status = None;
        let is_so = snapshot.word() == status;
        snapshot.forced_status = Some(status.clone()).filter(|_| !is_so);
        snapshot.progress = progress.clone().or(snapshot.progress);
        Ok(snapshot)
    })
    .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}
