// SPDX-License-Identifier: Apache-2.0
//! The version documents by which clients find their way: `/identity` and `/identity/v3`.

use std::sync::Arc;

use api::{Access, Cx, Fault, Reply, Routes, json};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::Identity;

pub fn routes(room: Arc<Identity>) -> Routes<Identity> {
    Routes::new(room).get("/", Access::Public, list).get("/v3", Access::Public, show)
}

async fn list(_: Arc<Identity>, cx: Cx) -> Reply {
    let document = json!({"versions": {"values": [version(&cx)]}});
    let mut response = json(StatusCode::MULTIPLE_CHOICES, &document)?;
    let location = HeaderValue::from_str(&cx.url("/v3/")).map_err(Fault::internal)?;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

async fn show(_: Arc<Identity>, cx: Cx) -> Reply {
    json(StatusCode::OK, &json!({"version": version(&cx)}))
}

fn version(cx: &Cx) -> Value {
    json!({
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": cx.url("/v3/")}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    })
}
