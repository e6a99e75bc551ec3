// SPDX-License-Identifier: Apache-2.0
//! `/operator/v1/nodes` and `/operator/v1/join-tokens`

use std::sync::Arc;

use access::Policy;
use api::{Cx, Fault, Reply, Routes, created, json, no_content};
use contracts::{Refusal, nodes::NodeFacts};
use http::StatusCode;
use serde_json::{Value, json};
use types::NodeId;

use super::{ADMIN, Drawer, Operator};

pub const DRAWER: Drawer = Drawer::new("nodes", routes);

static POLICY: Policy = Policy::new("operator:nodes", ADMIN, "List hosts, let them join, and remove them");

fn routes() -> Routes<Operator> {
    Routes::new().get("/v1/nodes", &POLICY, list).post("/v1/join-tokens", &POLICY, create_join_token).delete(
        "/v1/nodes/{id}",
        &POLICY,
        remove,
    )
}

async fn list(operator: Arc<Operator>, _: Cx) -> Reply {
    let nodes = operator.fleet.list_nodes().await.map_err(fault)?;
    json(StatusCode::OK, &json!({"nodes": nodes.iter().map(view).collect::<Vec<_>>()}))
}

async fn create_join_token(operator: Arc<Operator>, cx: Cx) -> Reply {
    let token = operator.fleet.create_join_token(cx.actor()).await.map_err(fault)?;
    created(&json!({"join_token": {"token": token.to_word(), "addresses": token.addresses}}))
}

async fn remove(operator: Arc<Operator>, cx: Cx) -> Reply {
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
        "lease_until": node.lease_until.zulu(), "lease_is_over": node.lease_is_over(),
        "strays": node.strays.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "protocol": node.hello.as_ref().map(|hello| hello.speaks.newest),
        "features": node.hello.as_ref().map(|hello| &hello.features),
        "version": node.hello.as_ref().map(|hello| &hello.version),
    })
}
