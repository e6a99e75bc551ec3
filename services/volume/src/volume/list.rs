// SPDX-License-Identifier: Apache-2.0
//! `GET /volumes` and `/volumes/detail`: whose volumes, which of them, in which order, in pages.

use std::sync::Arc;

use api::{Cx, Reply};
use http::StatusCode;
use serde_json::json;
use store::Select;

use super::{
    Volume, row, table,
    view::{Sight, View},
};
use crate::{
    BlockStorage,
    error::Result,
    filter::{self, Filter},
    input::Read,
    links,
    query::{self, Page},
    versions::at_least,
};

const NULLABLE: &[&str] = &["name", "description", "updated_at", "host"];

pub(super) async fn list(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    render(&room, &cx, true).await
}

pub(super) async fn list_detail(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    render(&room, &cx, false).await
}

async fn render(room: &BlockStorage, cx: &Cx, is_brief: bool) -> Reply {
    let page = Page::read(cx)?;
    let (volumes, count) = match query::reach(cx, cx.allowed()?)? {
        None => (Vec::new(), 0),
        Some(allowed) => {
            let select = select(cx, query::within(Select::new("volumes", row::COLUMNS), &allowed))?;
            let select = page.of(select, column, NULLABLE)?;
            let is_counted = at_least(cx.version, 45) && cx.query().flag("with_count")?.unwrap_or(false);
            let read = room.store.list(move |tx| -> Result<_> {
                let count = if is_counted { select.count(tx)? } else { 0 };
                Ok((table::rows(tx, &select)?, count))
            });
            read.await?
        }
    };
    let volumes = page.cut(volumes);
    let sight = if is_brief { Sight::default() } else { Sight::of(room, &volumes).await? };
    let views: Vec<View<'_>> =
        volumes.iter().map(|volume| View { cx, sight: &sight, volume, is_brief, is_looked_at: true }).collect();
    let mut document = json!({"volumes": views});
    if let Some(next) = links::next(cx, &page.paging, volumes.len(), volumes.last().map(|volume: &Volume| volume.id.as_str())) {
        document["volumes_links"] = json!(next);
    }
    if at_least(cx.version, 45) && cx.query().flag("with_count")?.unwrap_or(false) {
        document["count"] = json!(count);
    }
    api::json(StatusCode::OK, &document)
}

/// The filters that everybody may use; others are passed over, as Cinder does.
fn select(cx: &Cx, mut select: Select) -> Read<Select> {
    let is_admin = cx.allowed()?.scope().is_all();
    for (name, value) in cx.query().pairs() {
        let (name, is_part) = match query::like(at_least(cx.version, 34), name) {
            Some(name) => (name, true),
            None => (name, false),
        };
        let text = |column, condition| Filter { column, condition, is_part };
        select = match name {
            "name" | "display_name" => text("name", "name = ").keep(select, value),
            "description" | "display_description" => text("description", "description = ").keep(select, value),
            "status" => text("status", "status = ").keep(select, value),
            "availability_zone" => text("zone", "zone = ").keep(select, value),
            "id" => select.filter("id = ", value),
            "bootable" => match words::flag::oslo(value) {
                Some(flag) => select.filter("bootable = ", flag),
                None => select.condition("1 = 0"),
            },
            "size" => match value.parse::<i64>() {
                Ok(size) => select.filter("size = ", size),
                Err(_) => select.condition("1 = 0"),
            },
            "multiattach" | "encrypted" if words::flag::oslo(value) == Some(true) => select.condition("1 = 0"),
            "volume_type_id" => select.filter("type_id = ", value),
            "user_id" => select.filter("user_id = ", value),
            "snapshot_id" => select.filter("snapshot_id = ", value),
            "source_volid" => select.filter("source_volume_id = ", value),
            "group_id" => select.filter("group_id = ", value),
            "consistencygroup_id" => select.condition("1 = 0"),
            "project_id" | "tenant_id" if is_admin => select.filter("project_id = ", value),
            "host" if is_admin => text("host", "host = ").keep(select, value),
            "metadata" => filter::items(select, "metadata", value)?,
            "glance_metadata" if at_least(cx.version, 4) => filter::items(select, "image_metadata", value)?,
            "created_at" if at_least(cx.version, 60) => filter::times(select, &filter::CREATED, value)?,
            "updated_at" if at_least(cx.version, 60) => filter::times(select, &filter::UPDATED, value)?,
            _ => select,
        };
    }
    Ok(select)
}

fn column(key: &str) -> Option<&'static str> {
    Some(match key {
        "id" => "id",
        "created_at" => "created_at",
        "updated_at" => "updated_at",
        "name" | "display_name" => "name",
        "display_description" | "description" => "description",
        "size" => "size",
        "status" => "status",
        "availability_zone" => "zone",
        "bootable" => "bootable",
        "host" => "host",
        "project_id" => "project_id",
        "user_id" => "user_id",
        "volume_type_id" => "type_id",
        // The same for all of ours.
        "attach_status" | "launched_at" | "terminated_at" => "id",
        _ => return None,
    })
}
