// SPDX-License-Identifier: Apache-2.0
//! `/os-availability-zone`. There is one zone, as compute has it; every host is in it.

use std::sync::Arc;

use api::{Cx, Reply, Routes};
use http::StatusCode;
use serde_json::json;

use crate::BlockStorage;
use crate::policy::ANY;

access::policies! {
    ZONES = "volume:availability_zone_list", ANY, "List availability zones.";
}

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("zone", routes);

pub(crate) const ZONE: &str = "nova";

fn routes() -> Routes<BlockStorage> {
    Routes::new().get("/v3/os-availability-zone", &ZONES, list)
}

async fn list(room: Arc<BlockStorage>, _cx: Cx) -> Reply {
    let is_available = room.places().await?.iter().any(|place| place.is_up && !place.is_disabled);
    let zone = json!({"zoneName": ZONE, "zoneState": {"available": is_available}});
    api::json(StatusCode::OK, &json!({"availabilityZoneInfo": [zone]}))
}
