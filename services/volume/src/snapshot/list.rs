// SPDX-License-Identifier: Apache-2.0
//! `GET /snapshots` and `/snapshots/detail`.

use std::sync::Arc;

use api::{Cx, Reply};
use http::StatusCode;
use serde_json::json;
use store::Select;

use super::{Snapshot, table, view::View};
use crate::{
    BlockStorage,
    error::Result,
    filter::{self, Filter},
    input::Read,
    links,
    query::{self, Page},
    versions::at_least,
};

const NULLABLE: &[&str] = &["name", "description", "updated_at"];

pub(super) async fn list(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    render(&room, &cx, true).await
}

pub(super) async fn list_detail(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    render(&room, &cx, false).await
}

async fn render(room: &BlockStorage, cx: &Cx, is_brief: bool) -> Reply {
    let page = Page::read(cx)?;
    let is_counted = at_least(cx.version, 45) && cx.query().flag("with_count")?.unwrap_or(false);
    let (snapshots, count) = match query::reach(cx, cx.allowed()?)? {
        None => (Vec::new(), 0),
        Some(allowed) => {
            let select = select(cx, query::within(Select::new("volume_snapshots", table::COLUMNS), &allowed))?;
            let select = page.of(select, column, NULLABLE)?;
            let read = room.store.list(move |tx| -> Result<_> {
                let count = if is_counted { select.count(tx)? } else { 0 };
                Ok((table::rows(tx, &select)?, count))
            });
            read.await?
        }
    };
    let snapshots = page.cut(snapshots);
    let views: Vec<View<'_>> = snapshots.iter().map(|snapshot| View { cx, snapshot, is_brief, is_looked_at: true }).collect();
    let mut document = json!({"snapshots": views});
    let last = snapshots.last().map(|snapshot: &Snapshot| snapshot.id.as_str());
    if let Some(next) = links::next(cx, &page.paging, snapshots.len(), last) {
        document["snapshots_links"] = json!(next);
    }
    if is_counted {
        document["count"] = json!(count);
    }
    api::json(StatusCode::OK, &document)
}

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
            "description" => text("description", "description = ").keep(select, value),
            "status" => text("status", "status = ").keep(select, value),
            "id" => select.filter("id = ", value),
            "volume_id" => select.filter("volume_id = ", value),
            "user_id" => select.filter("user_id = ", value),
            "project_id" | "tenant_id" if is_admin => select.filter("project_id = ", value),
            "metadata" if at_least(cx.version, 22) => filter::items(select, "metadata", value)?,
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
        "description" | "display_description" => "description",
        "size" | "volume_size" => "size",
        "status" => "status",
        "volume_id" => "volume_id",
        "project_id" => "project_id",
        "user_id" => "user_id",
        _ => return None,
    })
}
