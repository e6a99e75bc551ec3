// SPDX-License-Identifier: Apache-2.0
//! `GET /loadbalancers/{id}/status`: a load balancer and all of it, as it is.

use serde_json::{Value, json};

use crate::{listener::Listener, pool::Pool, tree::Tree};

pub(super) fn view(tree: &Tree) -> Value {
    let balancer = &tree.balancer;
    json!({"statuses": {"loadbalancer": {
        "id": balancer.id,
        "name": balancer.name,
        "provisioning_status": balancer.provisioning_status,
        "operating_status": balancer.operating_status,
        "listeners": tree.listeners.iter().map(|listener| of_listener(tree, listener)).collect::<Vec<_>>(),
        "pools": tree.pools.iter().map(|pool| of_pool(tree, pool)).collect::<Vec<_>>(),
    }}})
}

fn of_listener(tree: &Tree, listener: &Listener) -> Value {
    let pools = tree.pools.iter().filter(|pool| listener.default_pool_id.as_ref() == Some(&pool.id));
    json!({
        "id": listener.id,
        "name": listener.name,
        "provisioning_status": listener.provisioning_status,
        "operating_status": listener.operating_status,
        "pools": pools.map(|pool| of_pool(tree, pool)).collect::<Vec<_>>(),
        "l7policies": [],
    })
}

fn of_pool(tree: &Tree, pool: &Pool) -> Value {
    let members = tree.members.iter().filter(|member| member.pool_id == pool.id).map(|member| {
        json!({
            "id": member.id,
            "name": member.name,
            "address": member.address,
            "protocol_port": member.protocol_port,
            "provisioning_status": member.provisioning_status,
            "operating_status": member.operating_status,
        })
    });
    let monitor = tree.monitors.iter().find(|monitor| monitor.pool_id == pool.id).map(|monitor| {
        json!({
            "id": monitor.id,
            "name": monitor.name,
            "type": monitor.r#type,
            "provisioning_status": monitor.provisioning_status,
            "operating_status": monitor.operating_status,
        })
    });
    json!({
        "id": pool.id,
        "name": pool.name,
        "provisioning_status": pool.provisioning_status,
        "operating_status": pool.operating_status,
        "health_monitor": monitor.clone().unwrap_or_else(|| json!({})),
        "healthmonitor": monitor.unwrap_or_else(|| json!({})),
        "members": members.collect::<Vec<_>>(),
    })
}
