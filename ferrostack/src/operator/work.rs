// SPDX-License-Identifier: Apache-2.0
//! `GET /operator/v1/work`: what the reconcilers are working on, what waits, and what fails and why. A controller that does not
//! lead has none and says who does.

use std::sync::Arc;

use ::work::{Pausing, Status, UnderWay};
use access::Policy;
use api::{Cx, Reply, Routes, json};
use http::StatusCode;
use serde_json::{Value, json};
use store::lead;

use super::{ADMIN, Drawer, Operator};

pub const DRAWER: Drawer = Drawer::new("work", routes);

static POLICY: Policy = Policy::new("operator:work", ADMIN, "See what reconcilers are working on and what fails");

fn routes() -> Routes<Operator> {
    Routes::new().get("/v1/work", &POLICY, show)
}

async fn show(operator: Arc<Operator>, _: Cx) -> Reply {
    let leader = operator.store.read(lead::leader).await?;
    let reconcilers: Vec<Value> = operator.board.read().iter().map(view).collect();
    json(
        StatusCode::OK,
        &json!({
            "leader": leader.map(|leader| leader.name),
            "reconcilers": reconcilers,
        }),
    )
}

fn view(status: &Status) -> Value {
    json!({
        "name": status.name,
        "blocked": status.blocked,
        "under_way": status.under_way_count,
        "ready": status.ready,
        "pausing": status.pausing_count,
        "failing": status.failing,
        "looked_at": status.looked_at.map(|at| at.zulu()),
        "look_error": status.look_error,
        "last_error": status.last_error.as_ref().map(|last| json!({"key": last.key, "at": last.at.zulu(), "error": last.error})),
        "longest_under_way": status.under_way.iter().map(under_way).collect::<Vec<_>>(),
        "most_tried": status.pausing.iter().map(pausing).collect::<Vec<_>>(),
    })
}

fn under_way(key: &UnderWay) -> Value {
    json!({"key": key.key, "since": key.since.zulu_micros(), "until": key.until.zulu(), "tries": key.tries})
}

fn pausing(key: &Pausing) -> Value {
    json!({"key": key.key, "next": key.next.zulu(), "tries": key.tries, "error": key.error})
}
