// SPDX-License-Identifier: Apache-2.0
//! `/volumes`: the table of its routes, and the plain reads.

use std::sync::Arc;

use api::{Cx, Reply, Routes};
use http::StatusCode;
use serde_json::json;
use types::VolumeId;

use super::{
    Volume, action, create, delete, extend, image, list, metadata, retype, summary, table, update,
    view::{Sight, View},
};
use crate::{BlockStorage, versions::v, volume::policy};

const VOLUMES: &str = "/v3/volumes";
const DETAIL: &str = "/v3/volumes/detail";
const SUMMARY: &str = "/v3/volumes/summary";
const VOLUME: &str = "/v3/volumes/{id}";
const ACTION: &str = "/v3/volumes/{id}/action";
const METADATA: &str = "/v3/volumes/{id}/metadata";
const ITEM: &str = "/v3/volumes/{id}/metadata/{key}";

pub(crate) fn routes() -> Routes<BlockStorage> {
    Routes::new()
        .get(VOLUMES, &policy::INDEX, list::list)
        .post(VOLUMES, &policy::CREATE, create::create)
        .asking(&[&policy::CREATE_FROM_IMAGE])
        .get(DETAIL, &policy::INDEX, list::list_detail)
        .get(SUMMARY, &policy::INDEX, summary::show)
        .since(v(12))
        .get(VOLUME, &policy::SHOW, show)
        .put(VOLUME, &policy::UPDATE, update::update)
        .delete(VOLUME, &policy::DELETE, delete::delete)
        .asking(&[&policy::FORCE_DELETE])
        .get(METADATA, &policy::METADATA_SHOW, metadata::list)
        .post(METADATA, &policy::METADATA_CREATE, metadata::add)
        .put(METADATA, &policy::METADATA_UPDATE, metadata::replace)
        .get(ITEM, &policy::METADATA_SHOW, metadata::show)
        .put(ITEM, &policy::METADATA_UPDATE, metadata::set)
        .delete(ITEM, &policy::METADATA_DELETE, metadata::delete)
        .action(ACTION, "os-extend", &policy::EXTEND, extend::extend)
        .asking(&[&policy::EXTEND_ATTACHED])
        .action(ACTION, "os-set_bootable", &policy::UPDATE, action::set_bootable)
        .action(ACTION, "os-update_readonly_flag", &policy::READONLY, action::set_read_only)
        .action(ACTION, "os-retype", &policy::RETYPE, retype::retype)
        .action(ACTION, "os-reset_status", &policy::RESET_STATUS, action::reset_status)
        .action(ACTION, "os-force_delete", &policy::ADMIN_FORCE_DELETE, delete::force)
        .action(ACTION, "os-volume_upload_image", &policy::UPLOAD, image::upload)
        .action(ACTION, "os-set_image_metadata", &policy::IMAGE_METADATA_SET, image::set_metadata)
        .action(ACTION, "os-unset_image_metadata", &policy::IMAGE_METADATA_REMOVE, image::unset_metadata)
        .action(ACTION, "os-show_image_metadata", &policy::IMAGE_METADATA_SHOW, image::show_metadata)
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
