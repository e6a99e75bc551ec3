// SPDX-License-Identifier: Apache-2.0
//! `PUT /volumes/{id}`: what a volume is called.

use std::sync::Arc;

use api::{Cx, Fault, Reply};
use http::StatusCode;

use super::api::render;
use crate::{BlockStorage, input::document};

pub(super) async fn update(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "volume").await?;
    let name = ask.label_or("name", "display_name")?;
    let description = ask.label_or("description", "display_description")?;
    let metadata = ask.texts("metadata")?;
    ask.finish()?;
    if name.is_none() && description.is_none() && metadata.is_none() {
        return Err(Fault::bad_request("Invalid input: a volume is updated in its name, description or metadata; none is said."));
    }
    let volume = room
        .change(&cx, "volume.update", move |_, mut volume| {
            if let Some(name) = &name {
                volume.name.clone_from(name);
            }
            if let Some(description) = &description {
                volume.description.clone_from(description);
            }
            if let Some(metadata) = &metadata {
                volume.metadata.clone_from(metadata);
            }
            Ok(volume)
        })
        .await?;
    render(&room, &cx, StatusCode::OK, &volume).await
}
