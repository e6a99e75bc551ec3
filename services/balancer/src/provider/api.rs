// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/lbaas/providers`.

use std::sync::Arc;

use api::{Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};

use super::{PROVIDERS, policy};
use crate::{Balancers, thing::listing::with_fields};

pub(super) fn routes() -> Routes<Balancers> {
    Routes::new()
        .get("/v2.0/lbaas/providers", &policy::LIST, list)
        .get("/v2.0/lbaas/providers/{provider}/flavor_capabilities", &policy::FLAVORS, flavors)
        .get("/v2.0/lbaas/providers/{provider}/availability_zone_capabilities", &policy::ZONES, zones)
}

async fn list(_room: Arc<Balancers>, cx: Cx) -> Reply {
    let view = |(name, description): &(&str, &str)| with_fields(&cx, json!({"name": name, "description": description}));
    let providers: Vec<Value> = PROVIDERS.iter().map(view).collect();
    api::json(StatusCode::OK, &json!({"providers": providers, "providers_links": []}))
}

/// No provider here has any.
async fn flavors(_room: Arc<Balancers>, cx: Cx) -> Reply {
    known(&cx)?;
    api::json(StatusCode::OK, &json!({"flavor_capabilities": []}))
}

async fn zones(_room: Arc<Balancers>, cx: Cx) -> Reply {
    known(&cx)?;
    api::json(StatusCode::OK, &json!({"availability_zone_capabilities": []}))
}

fn known(cx: &Cx) -> Result<(), Fault> {
    super::named(Some(cx.param("provider").to_owned())).map(drop)
}
