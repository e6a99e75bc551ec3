// SPDX-License-Identifier: Apache-2.0
//! The version documents.

use std::sync::Arc;

use api::{Access, Cx, Reply, Routes, json};
use http::StatusCode;
use serde_json::{Value, json};

use crate::Room;

pub(crate) const DRAWER: crate::Drawer = api::Drawer::new("version", routes).with(crate::Own::NOTHING);

pub fn routes() -> Routes<Room> {
    Routes::new().get("/", Access::Public, versions).get("/v2.0", Access::Public, resources)
}

async fn versions(_room: Arc<Room>, cx: Cx) -> Reply {
    let link = json!({"rel": "self", "href": cx.url("/v2.0/")});
    json(StatusCode::OK, &json!({"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]}))
}

/// What there is in v2.0.
async fn resources(_room: Arc<Room>, cx: Cx) -> Reply {
    const RESOURCES: [(&str, &str, &str); 10] = [
        ("network", "networks", "networks"),
        ("subnet", "subnets", "subnets"),
        ("subnetpool", "subnetpools", "subnetpools"),
        ("port", "ports", "ports"),
        ("router", "routers", "routers"),
        ("floatingip", "floatingips", "floatingips"),
        ("security_group", "security_groups", "security-groups"),
        ("security_group_rule", "security_group_rules", "security-group-rules"),
        ("quota", "quotas", "quotas"),
        ("agent", "agents", "agents"),
    ];
    let resource = |(name, collection, path): (&str, &str, &str)| {
        let link = json!({"rel": "self", "href": cx.url(&format!("/v2.0/{path}"))});
        json!({"name": name, "collection": collection, "links": [link]})
    };
    let resources: Vec<Value> = RESOURCES.into_iter().map(resource).collect();
    json(StatusCode::OK, &json!({ "resources": resources }))
}
