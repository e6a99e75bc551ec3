// SPDX-License-Identifier: Apache-2.0
//! `/operator/v1/nodes` and `/operator/v1/join-tokens`

use std::sync::Arc;

use api::{Cx, Fault, Reply, created, json, no_content};
use contracts::{Refusal, nodes::NodeFacts};
use http::StatusCode;
use serde_json::{Value, json};
use types::NodeId;

use super::Operator;

pub async fn list(operator: Arc<Operator>, _: Cx) -> Reply {
    let nodes = operator.fleet.list_nodes().await.map_err(fault)?;
    json(StatusCode::OK, &json!({"nodes": nodes.iter().map(view).collect::<Vec<_>>()}))
}

pub async fn create_join_token(operator: Arc<Operator>, cx: Cx) -> Reply {
    let token = operator.fleet.create_join_token(cx.actor()).await.map_err(fault)?;
    created(&json!({"join_token": {"token": token.to_word(), "addresses": token.addresses}}))
}

pub async fn remove(operator: Arc<Operator>, cx: Cx) -> Reply {
    operator.fleet.remove_node(&NodeId::new(cx.param("id")), cx.actor()).await.map_err(fault)?;
    no_content()
}

fn fault(error: fleet::Error) -> Fault {
    Refusal::from(error).into()
}

fn view(node: &NodeFacts) -> Value {
    json!({
        "id": node.id, "hostname": node.hostname, "up": node.up, "disabled": node.disabled, "disabled_reason": node.disabled_reason,
        "joined_at": node.joined_at.zulu(), "seen_at": node.seen_at.zulu(),
        "accelerator": node.hello.as_ref().map(|hello| &hello.accelerator), "datapath": node.hello.as_ref().map(|hello| &hello.datapath),
        "version": node.hello.as_ref().map(|hello| &hello.version),
    })
}
