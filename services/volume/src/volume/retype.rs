// SPDX-License-Identifier: Apache-2.0
//! `os-retype`: a volume becomes one of another type. All types lie on the same store, so nothing moves; what changes is what
//! the volume counts against.

use std::sync::Arc;

use api::{Cx, Reply};
use http::StatusCode;
use serde_json::json;

use crate::{
    BlockStorage,
    error::Error,
    group,
    host::frozen,
    input::{argument, wrong},
    quota::{self, Growth},
    snapshot, volume_type,
};

pub(super) async fn retype(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = argument(&mut cx, "os-retype").await?;
    let word = ask.name("new_type")?;
    let policy = ask.take_some("migration_policy").map(|value| ask.text_of("migration_policy", value, 0..=255)).transpose()?;
    ask.finish()?;
    // A volume need never move for it, so that both say the same.
    if let Some(other) = policy.filter(|policy| !["never", "on-demand"].contains(&policy.as_str())) {
        return Err(wrong("migration_policy", &json!(other), "It is not one of ['on-demand', 'never']."));
    }
    let (allowed, actor) = (cx.allowed()?.clone(), cx.actor());
    room.change(&cx, "volume.retype", move |tx, mut volume| {
        if !["available", "in-use"].contains(&volume.status.as_str()) {
            return Err(Error::invalid_volume(format!(
                "Volume {} status must be available or in-use to be of another type, but it is {}.",
                volume.id, volume.status
            )));
        }
        frozen::refuse(tx, volume.node_id.as_ref())?;
        let kind = volume_type::table::chosen(tx, &volume.project_id, &allowed, Some(&word))?;
        if kind.id == volume.type_id {
            return Err(Error::invalid(format!("New volume_type same as original: {}.", kind.name)));
        }
        if let Some(of) = &volume.group_id {
            group::table::admit_type(tx, of, &kind)?;
        }
        let snapshots = snapshot::table::of_volume(tx, &volume.id)?;
        let gigabytes = volume.wanted_size + snapshots.iter().map(|snapshot| snapshot.size).sum::<i64>();
        let count = i64::try_from(snapshots.len()).unwrap_or(i64::MAX);
        let growth = Growth { volumes: 1, snapshots: count, gigabytes, largest: 0 };
        quota::check_type(tx, &volume.project_id, &kind, &growth)?;
        for before in &snapshots {
            let after = snapshot::Snapshot { type_id: kind.id.clone(), ..before.clone() };
            snapshot::table::save(tx, &actor, "snapshot.retype", before, after)?;
        }
        volume.type_id = kind.id;
        Ok(volume)
    })
    .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}
