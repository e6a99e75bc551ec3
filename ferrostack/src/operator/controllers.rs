// SPDX-License-Identifier: Apache-2.0
//! `GET /operator/v1/controllers`: the controllers of this cloud, and which of them has the lead since when.

use std::sync::Arc;

use access::Policy;
use api::{Cx, Reply, Routes, json};
use http::StatusCode;
use serde_json::{Value, json};
use store::lead;

use super::{ADMIN, Drawer, Operator};

pub const DRAWER: Drawer = Drawer::new("controllers", routes);

static POLICY: Policy = Policy::new("operator:controllers", ADMIN, "List the controllers, and see which has the lead");

fn routes() -> Routes<Operator> {
    Routes::new().get("/v1/controllers", &POLICY, list)
}

async fn list(operator: Arc<Operator>, _: Cx) -> Reply {
    let known = operator.store.read(|tx| Ok::<_, store::Error>((lead::leader(tx)?, lead::controllers(tx)?))).await?;
    let (leader, controllers) = known;
    let controllers: Vec<Value> = controllers
        .into_iter()
        .map(|seen| {
            let lead = leader.as_ref().filter(|leader| leader.name == seen.controller.name);
            json!({
                "name": seen.controller.name,
                "addresses": seen.controller.addresses,
                "seen_at": seen.at.zulu(),
                "leads": lead.is_some(),
                "leads_since": lead.map(|lead| lead.since.zulu()),
                "lead": lead.map(|lead| lead.generation),
            })
        })
        .collect();
    json(StatusCode::OK, &json!({"controllers": controllers}))
}
