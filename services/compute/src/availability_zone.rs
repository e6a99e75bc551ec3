// SPDX-License-Identifier: Apache-2.0
//! `/os-availability-zone`. There is one zone, Nova's default; every host is in it.

use std::sync::Arc;

use api::{Cx, Reply, Routes};
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::Compute;
use crate::policy::{ADMIN, ANY};

access::policies! {
    LIST = "os_compute_api:os-availability-zone:list", ANY, "List availability zones.";
    DETAIL = "os_compute_api:os-availability-zone:detail", ADMIN, "List availability zones with their hosts.";
}

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("availability_zone", routes);

pub(crate) const ZONE: &str = "nova";

pub(crate) fn routes() -> Routes<Compute> {
    Routes::new().get("/v2.1/os-availability-zone", &LIST, list).get("/v2.1/os-availability-zone/detail", &DETAIL, detail)
}

async fn list(room: Arc<Compute>, _cx: Cx) -> Reply {
    let nodes = room.nodes.list().await?;
    let available = nodes.iter().any(|node| !node.disabled);
    render(available, Value::Null)
}

async fn detail(room: Arc<Compute>, _cx: Cx) -> Reply {
    let nodes = room.nodes.list().await?;
    let hosts: Map<String, Value> = nodes
        .iter()
        .map(|node| {
            let service = json!({"active": !node.disabled, "available": node.up, "updated_at": node.seen_at.naive_micros()});
            (node.hostname.clone(), json!({"nova-compute": service}))
        })
        .collect();
    render(nodes.iter().any(|node| !node.disabled), Value::Object(hosts))
}

fn render(available: bool, hosts: Value) -> Reply {
    let zone = json!({"zoneName": ZONE, "zoneState": {"available": available}, "hosts": hosts});
    api::json(StatusCode::OK, &json!({"availabilityZoneInfo": [zone]}))
}
