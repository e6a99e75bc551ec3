// SPDX-License-Identifier: Apache-2.0
//! `/scheduler-stats/get_pools` and `/capabilities`: how much room there is, and what can be done with it.

use std::sync::Arc;

use api::{Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{BlockStorage, host::policy, life::Place};

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new().get("/v3/scheduler-stats/get_pools", &policy::POOLS, pools).get(
        "/v3/capabilities/{host}",
        &policy::CAPABILITIES,
        capabilities,
    )
}

async fn pools(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let is_detailed = cx.query().flag("detail")?.unwrap_or(false);
    let named = cx.query().get("name");
    let view = |place: &Place| {
        let mut view = json!({"name": place.name()});
        if is_detailed {
            view["capabilities"] = facts(place);
        }
        view
    };
    let places = room.places().await?;
    let shown = places.iter().filter(|place| named.is_none_or(|name| place.name() == name));
    api::json(StatusCode::OK, &json!({"pools": shown.map(view).collect::<Vec<Value>>()}))
}

fn facts(place: &Place) -> Value {
    let mut facts = place.abilities();
    facts["updated"] = json!(place.seen_at.naive_micros());
    facts["timestamp"] = json!(place.seen_at.naive_micros());
    facts["total_capacity_gb"] = json!(place.total);
    facts["free_capacity_gb"] = json!(place.free());
    facts["allocated_capacity_gb"] = json!(place.promised);
    facts["provisioned_capacity_gb"] = json!(place.promised);
    facts["max_over_subscription_ratio"] = json!("1.0");
    facts["reserved_percentage"] = json!(0);
    facts["backend_state"] = json!(if place.is_up { "up" } else { "down" });
    facts
}

async fn capabilities(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let host = cx.param("host");
    let places = room.places().await?;
    let known = |place: &&Place| place.name() == host || place.hostname == host || place.name().split('#').next() == Some(host);
    let place =
        places.iter().find(known).ok_or_else(|| Fault::not_found(format!("There is no store of volumes on host {host}.")))?;
    api::json(
        StatusCode::OK,
        &json!({
            "namespace": format!("OS::Storage::Capabilities::{}", place.name()),
            "vendor_name": "Ferrostack",
            "volume_backend_name": "disks",
            "pool_name": "disks",
            "driver_version": env!("CARGO_PKG_VERSION"),
            "storage_protocol": "NBD",
            "display_name": "Disks of the hosts",
            "description": "Disks of the hosts, as layers of qcow2.",
            "visibility": "public",
            "replication_targets": [],
            "properties": {},
        }),
    )
}
