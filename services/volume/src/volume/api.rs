// SPDX-License-Identifier: Apache-2.0
//! `/volumes`: the table of its routes, and the plain reads.

use std::sync::Arc;

use api::{Cx, Reply, Routes};
use http::StatusCode;
use serde_json::json;
use types::VolumeId;

use super::{
    Volume, action, create, delete, extend, image, list, metadata, summary, table, update,
    view::{Sight, View},
};
use crate::{BlockStorage, policy, versions::v};

const VOLUMES: &str = "/v3/volumes";
const DETAIL: &str = "/v3/volumes/detail";
const SUMMARY: &str = "/v3/volumes/summary";
const VOLUME: &str = "/v3/volumes/{id}";
const ACTION: &str = "/v3/volumes/{id}/action";
const METADATA: &str = "/v3/volumes/{id}/metadata";
const ITEM: &str = "/v3/volumes/{id}/metadata/{key}";

pub(crate) fn routes() -> Routes<BlockStorage> {
    Routes::new()
        .get(VOLUMES, &policy::VOLUME_INDEX, list::list)
        .post(VOLUMES, &policy::VOLUME_CREATE, create::create)
        .asking(&[&policy::VOLUME_CREATE_FROM_IMAGE])
        .get(DETAIL, &policy::VOLUME_INDEX, list::list_detail)
        .get(SUMMARY, &policy::VOLUME_INDEX, summary::show)
        .since(v(12))
        .get(VOLUME, &policy::VOLUME_SHOW, show)
        .put(VOLUME, &policy::VOLUME_UPDATE, update::update)
        .delete(VOLUME, &policy::VOLUME_DELETE, delete::delete)
        .asking(&[&policy::VOLUME_FORCE_DELETE])
        .get(METADATA, &policy::VOLUME_METADATA_SHOW, metadata::list)
        .post(METADATA, &policy::VOLUME_METADATA_CREATE, metadata::add)
        .put(METADATA, &policy::VOLUME_METADATA_UPDATE, metadata::replace)
        .get(ITEM, &policy::VOLUME_METADATA_SHOW, metadata::show)
        .put(ITEM, &policy::VOLUME_METADATA_UPDATE, metadata::set)
        .delete(ITEM, &policy::VOLUME_METADATA_DELETE, metadata::delete)
        .action(ACTION, "os-extend", &policy::VOLUME_EXTEND, extend::extend)
        .asking(&[&policy::VOLUME_EXTEND_ATTACHED])
        .action(ACTION, "os-set_bootable", &policy::VOLUME_UPDATE, action::set_bootable)
        .action(ACTION, "os-update_readonly_flag", &policy::VOLUME_READONLY, action::set_read_only)
        .action(ACTION, "os-reset_status", &policy::VOLUME_RESET_STATUS, action::reset_status)
        .action(ACTION, "os-force_delete", &policy::VOLUME_ADMIN_FORCE_DELETE, delete::force)
        .action(ACTION, "os-volume_upload_image", &policy::VOLUME_UPLOAD, image::upload)
        .action(ACTION, "os-set_image_metadata", &policy::VOLUME_IMAGE_METADATA_SET, image::set_metadata)
        .action(ACTION, "os-unset_image_metadata", &policy::VOLUME_IMAGE_METADATA_REMOVE, image::unset_metadata)
        .action(ACTION, "os-show_image_metadata", &policy::VOLUME_IMAGE_METADATA_SHOW, image::show_metadata)
        .each_asking(&Sight::ASKS)
}

async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), VolumeId::new(cx.param("id")));
    let volume = room.store.read(move |tx| table::get(tx, &allowed, &id)).await?;
    let sight = Sight::of(&room, std::slice::from_ref(&volume)).await?;
    let view = View { cx: &cx, sight: &sight, volume: &volume, is_brief: false, is_looked_at: true };
    api::json(StatusCode::OK, &json!({"volume": view}))
}

/// The answer to a change.
pub(super) async fn render(room: &BlockStorage, cx: &Cx, status: StatusCode, volume: &Volume) -> Reply {
    let sight = Sight::of(room, std::slice::from_ref(volume)).await?;
    api::json(status, &json!({"volume": View { cx, sight: &sight, volume, is_brief: false, is_looked_at: false }}))
}
