// SPDX-License-Identifier: Apache-2.0
//! The versions document. Octavia has no microversions that a client asks for: it reads here what there is.

use std::sync::Arc;

use api::{Access, Cx, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};

use crate::Balancers;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("version", routes);

/// When each version came, from 2.0 on.
const CAME: [&str; 31] = [
    "2016-12-11",
    "2018-04-20",
    "2018-07-31",
    "2018-08-04",
    "2018-11-12",
    "2019-01-21",
    "2019-01-25",
    "2018-08-09",
    "2019-02-12",
    "2019-03-05",
    "2019-03-04",
    "2019-06-24",
    "2019-09-11",
    "2019-09-13",
    "2019-11-10",
    "2020-03-10",
    "2020-03-15",
    "2020-04-29",
    "2020-04-30",
    "2020-05-12",
    "2020-08-02",
    "2020-08-03",
    "2020-09-04",
    "2020-10-15",
    "2020-10-21",
    "2021-10-02",
    "2022-08-29",
    "2023-05-16",
    "2025-01-15",
    "2025-02-20",
    "2025-07-01",
];

fn routes() -> Routes<Balancers> {
    Routes::new().get("/", Access::Public, versions)
}

async fn versions(_room: Arc<Balancers>, cx: Cx) -> Reply {
    let last = CAME.len() - 1;
    let version = |(minor, day): (usize, &&str)| {
        json!({
            "id": format!("v2.{minor}"),
            "status": if minor == last { "CURRENT" } else { "SUPPORTED" },
            "updated": format!("{day}T00:00:00Z"),
            "links": [{"href": cx.url("/v2"), "rel": "self"}],
        })
    };
    let versions: Vec<Value> = CAME.iter().enumerate().map(version).collect();
    api::json(StatusCode::OK, &json!({ "versions": versions }))
}
