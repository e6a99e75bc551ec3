// SPDX-License-Identifier: Apache-2.0
//! The version document.

use std::sync::Arc;

use api::{Access, Cx, Reply, Routes, json};
use http::StatusCode;
use serde_json::json;

use crate::Placement;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("root", routes);

pub fn routes() -> Routes<Placement> {
    Routes::new().get("/", Access::Public, show)
}

async fn show(_: Arc<Placement>, _: Cx) -> Reply {
    let version = json!({"id": "v1.0", "max_version": "1.39", "min_version": "1.0", "status": "CURRENT",
        "links": [{"rel": "self", "href": ""}]});
    json(StatusCode::OK, &json!({"versions": [version]}))
}
