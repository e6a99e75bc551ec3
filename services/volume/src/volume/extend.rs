// SPDX-License-Identifier: Apache-2.0
//! `os-extend`: a volume grows, also while a server has it.

use std::sync::Arc;

use access::Target;
use api::{Cx, Fault, Reply};
use http::StatusCode;

use super::{create::LARGEST, table};
use crate::{
    BlockStorage,
    error::Error,
    host::frozen,
    input::argument,
    quota::{self, Growth},
    versions::at_least,
    volume::policy,
    volume_type,
};

pub(super) async fn extend(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = argument(&mut cx, "os-extend").await?;
    let size = ask.whole("new_size", 1..=LARGEST)?;
    let size = ask.required("new_size", size)?;
    ask.finish()?;
    let volume = room.volume(&cx).await?;
    if volume.status == "in-use" {
        cx.check(&policy::EXTEND_ATTACHED, &Target::in_project(&volume.project_id))?;
    }
    let may_be_in_use = at_least(cx.version, 42);
    let room_there = match &volume.node_id {
        Some(node) => room.capacity(node).await?,
        None => None,
    };
    let changed = room.change(&cx, "volume.extend", move |tx, mut volume| {
        frozen::refuse(tx, volume.node_id.as_ref())?;
        if volume.status != "available" && !(may_be_in_use && volume.status == "in-use") {
            return Err(Error::invalid_volume(format!(
                "Volume {} status must be '{}' to extend, currently {}.",
                volume.id,
                if may_be_in_use { "available or in-use" } else { "available" },
                volume.status
            )));
        }
        if size <= volume.size {
            return Err(Error::invalid(format!(
                "Invalid input received: New size for extend must be greater than current size. (current: {}, extended: {size}).",
                volume.size
            )));
        }
        let kind = volume_type::table::find(tx, &volume.type_id)?.ok_or_else(|| volume_type::table::missing(&volume.type_id))?;
        let growth = Growth { gigabytes: size - volume.size, largest: size, ..Growth::default() };
        quota::check(tx, &volume.project_id, &kind, &growth)?;
        if let (Some(total), Some(node)) = (room_there, &volume.node_id) {
            let promised = table::promised_on(tx, node)?;
            if promised + size - volume.wanted_size > total {
                return Err(Error::invalid(format!(
                    "Invalid input received: the store of this volume has no room for it to grow: {promised}GB of {total}GB are promised."
                )));
            }
        }
        volume.wanted_size = size;
        (volume.fault, volume.forced_status) = (None, None);
        Ok(volume)
    });
    changed.await?;
    Ok::<_, Fault>(api::empty(StatusCode::ACCEPTED))
}
