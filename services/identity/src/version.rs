// SPDX-License-Identifier: Apache-2.0
//! The documents by which clients find their way, `/identity` and `/identity/v3`: the versions, or JSON Home.

use std::sync::Arc;

use api::{Access, Cx, Fault, Reply, Routes, json};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::{Identity, json_home};

pub fn routes(home: Value) -> Routes<Identity> {
    let root = Arc::new(json_home::below_version(&home));
    let home = Arc::new(home);
    Routes::new()
        .get("/", Access::Public, move |_, cx| list(cx, Arc::clone(&root)))
        .get("/v3", Access::Public, move |_, cx| show(cx, Arc::clone(&home)))
}

async fn list(cx: Cx, home: Arc<Value>) -> Reply {
    if json_home::is_preferred(&cx.headers) {
        return in_json_home(&home);
    }
    let document = json!({"versions": {"values": [version(&cx)]}});
    let mut response = json(StatusCode::MULTIPLE_CHOICES, &document)?;
    let location = HeaderValue::from_str(&cx.url("/v3/")).map_err(Fault::internal)?;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

async fn show(cx: Cx, home: Arc<Value>) -> Reply {
    if json_home::is_preferred(&cx.headers) {
        return in_json_home(&home);
    }
    json(StatusCode::OK, &json!({"version": version(&cx)}))
}

fn in_json_home(document: &Value) -> Reply {
    let mut response = json(StatusCode::OK, document)?;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(json_home::MEDIA_TYPE));
    Ok(response)
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
