// SPDX-License-Identifier: Apache-2.0
//! `/types/{id}/encryption`: no type says how its volumes are encrypted, for the cloud does not encrypt any. Who asks for it is
//! refused rather than left to believe that his data is safe from whoever takes a disk away.

use std::sync::Arc;

use api::{Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::json;

use crate::{BlockStorage, input::document, volume_type::policy};

const ALL: &str = "/v3/types/{id}/encryption";
const ONE: &str = "/v3/types/{id}/encryption/{encryption}";

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new()
        .get(ALL, &policy::ENCRYPTION, show)
        .post(ALL, &policy::ENCRYPTION_CREATE, create)
        .get(ONE, &policy::ENCRYPTION, missing)
        .put(ONE, &policy::ENCRYPTION_UPDATE, missing)
        .delete(ONE, &policy::ENCRYPTION_DELETE, missing)
}

async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    room.kind(&cx).await?;
    api::json(StatusCode::OK, &json!({}))
}

async fn create(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    document(&mut cx, "encryption").await?;
    room.kind(&cx).await?;
    Err(Fault::bad_request(
        "Volumes of this cloud are not encrypted by it, so no type can ask for it: encrypt within the guest, or the disks of the hosts.",
    ))
}

async fn missing(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let kind = room.kind(&cx).await?;
    Err(Fault::not_found(format!("Volume type encryption for type {} does not exist.", kind.id)))
}
