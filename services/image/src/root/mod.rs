// SPDX-License-Identifier: Apache-2.0
//! Version documents.

use std::sync::Arc;

use api::{Access, Cx, Reply, Routes, json};
use http::StatusCode;
use serde_json::json;

use crate::Image;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("root", routes);

pub fn routes() -> Routes<Image> {
    Routes::new().get("/", Access::Public, versions).get("/versions", Access::Public, versions_as_list)
}

/// The minor versions of Glance v2, the newest first.
const VERSIONS: &[&str] = &[
    "2.18", "2.17", "2.16", "2.15", "2.14", "2.13", "2.12", "2.11", "2.10", "2.9", "2.8", "2.7", "2.6", "2.5", "2.4", "2.3",
    "2.2", "2.1", "2.0",
];

async fn versions(_: Arc<Image>, cx: Cx) -> Reply {
    document(StatusCode::MULTIPLE_CHOICES, &cx)
}

async fn versions_as_list(_: Arc<Image>, cx: Cx) -> Reply {
    document(StatusCode::OK, &cx)
}

fn document(status: StatusCode, cx: &Cx) -> Reply {
    let version = |(place, version): (usize, &&str)| {
        json!({"id": format!("v{version}"), "status": if place == 0 { "CURRENT" } else { "SUPPORTED" },
            "links": [{"rel": "self", "href": cx.url("/v2/")}]})
    };
    let versions: Vec<_> = VERSIONS.iter().enumerate().map(version).collect();
    json(status, &json!({"versions": versions}))
}
