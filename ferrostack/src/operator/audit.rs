// SPDX-License-Identifier: Apache-2.0
//! `GET /operator/v1/audit`: every room compares what is with what should be. Nothing found is the only good answer.

use std::sync::Arc;

use api::{Cx, Reply, json};
use http::StatusCode;
use serde_json::json;

use super::Operator;

pub async fn run(operator: Arc<Operator>, _: Cx) -> Reply {
    let mut findings = Vec::new();
    for audit in &operator.audits {
        findings.extend(audit.audit().await?);
    }
    json(StatusCode::OK, &json!({"findings": findings}))
}
