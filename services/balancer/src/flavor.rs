// SPDX-License-Identifier: Apache-2.0
//! Flavors and availability zones of load balancers: there are none, and lists of them say so.

use std::sync::Arc;

use api::{Cx, Reply, Routes};
use http::StatusCode;
use serde_json::json;

use crate::{Balancers, policy::READ};

access::policies! {
    FLAVOR_LIST = "os_load-balancer_api:flavor:get_all", READ, "List flavors of load balancers.";
    ZONE_LIST = "os_load-balancer_api:availability-zone:get_all", READ, "List availability zones of load balancers.";
}

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("flavor", routes);

fn routes() -> Routes<Balancers> {
    Routes::new().get("/v2.0/lbaas/flavors", &FLAVOR_LIST, flavors).get("/v2.0/lbaas/availabilityzones", &ZONE_LIST, zones)
}

async fn flavors(_room: Arc<Balancers>, _cx: Cx) -> Reply {
    api::json(StatusCode::OK, &json!({"flavors": [], "flavors_links": []}))
}

async fn zones(_room: Arc<Balancers>, _cx: Cx) -> Reply {
    api::json(StatusCode::OK, &json!({"availability_zones": [], "availability_zones_links": []}))
}
