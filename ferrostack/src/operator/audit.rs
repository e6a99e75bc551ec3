// SPDX-License-Identifier: Apache-2.0
//! `GET /operator/v1/audit`: every room compares what is with what should be. Nothing found is the only good answer.

use std::sync::Arc;

use access::Policy;
use api::{Cx, Reply, Routes, json};
use http::StatusCode;
use serde_json::json;

use super::{ADMIN, Drawer, Operator};

pub const DRAWER: Drawer = Drawer::new("audit", routes);

static POLICY: Policy = Policy::new("operator:audit", ADMIN, "Compare what is with what should be");

fn routes() -> Routes<Operator> {
    Routes::new().get("/v1/audit", &POLICY, run)
}

async fn run(operator: Arc<Operator>, _: Cx) -> Reply {
    let mut findings = Vec::new();
    for audit in &operator.audits {
        findings.extend(audit.audit().await?);
    }
    json(StatusCode::OK, &json!({"findings": findings}))
}
