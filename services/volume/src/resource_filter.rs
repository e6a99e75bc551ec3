// SPDX-License-Identifier: Apache-2.0
//! `/resource_filters`, from 3.33 on: by what lists can be filtered, for clients that offer it.

use std::sync::Arc;

use api::{Cx, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{BlockStorage, policy::ANY, versions::v};

access::policies! {
    LIST = "volume:resource_filters", ANY, "See by what lists can be filtered.";
}

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("resource_filter", routes);

/// Of each list the filters for everybody that it knows.
pub(crate) const FILTERS: &[(&str, &[&str])] = &[
    ("volume", &["name", "status", "metadata", "bootable", "availability_zone", "group_id", "size", "created_at", "updated_at"]),
    ("snapshot", &["name", "status", "volume_id", "metadata", "created_at", "updated_at"]),
    ("group", &["name"]),
    ("group_snapshot", &["name", "group_id"]),
    ("attachment", &["volume_id", "status", "instance_id", "attach_status"]),
    ("message", &["resource_uuid", "resource_type", "event_id", "request_id", "message_level"]),
    ("pool", &["name"]),
    ("volume_type", &["is_public", "extra_specs"]),
];

fn routes() -> Routes<BlockStorage> {
    Routes::new().get("/v3/resource_filters", &LIST, list).since(v(33))
}

async fn list(_room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let wanted = cx.query().get("resource");
    let shown = FILTERS.iter().filter(|(resource, _)| wanted.is_none_or(|wanted| wanted == *resource));
    let views: Vec<Value> = shown.map(|(resource, filters)| json!({"resource": resource, "filters": filters})).collect();
    api::json(StatusCode::OK, &json!({"resource_filters": views}))
}
