// SPDX-License-Identifier: Apache-2.0
//! What is refused, with a sentence: values that cannot be, addresses of hosts, what would end a line, and what OVN cannot do.

use serde_json::{Value, json};

use super::{Cloud, SUBNET, path};

#[track_caller]
fn says(said: world::Said, status: u16, part: &str) {
    let body = said.expect(status);
    assert!(body["faultstring"].as_str().unwrap().contains(part), "{part} is not in {body}");
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_a_sentence() {
    let cloud = Cloud::asleep().await;
    let (balancer, listener, pool) = cloud.balancer().await;
    let post = async |many: &str, one: &str, ask: Value| cloud.member().post(&path(many), json!({ one: ask })).await;
    for (ask, part) in [
        (json!({}), "VIP must contain one of"),
        (json!({"vip_subnet_id": "x"}), "UUID"),
        (json!({"vip_subnet_id": SUBNET, "vip_address": "here"}), "vip_address"),
        (json!({"vip_subnet_id": SUBNET, "provider": "amphora"}), "Provider 'amphora' is not enabled"),
        (json!({"vip_subnet_id": SUBNET, "flavor_id": SUBNET}), "There are no flavors"),
        (json!({"vip_subnet_id": SUBNET, "name": "n".repeat(256)}), "255"),
        (json!({"vip_subnet_id": SUBNET, "colour": "red"}), "Unknown attribute: colour"),
        (json!({"vip_subnet_id": SUBNET, "admin_state_up": "perhaps"}), "boolean"),
    ] {
        says(post("loadbalancers", "loadbalancer", ask).await, 400, part);
    }
    for (ask, status, part) in [
        (json!({"loadbalancer_id": balancer, "protocol": "TCP", "protocol_port": 80}), 409, "already using protocol_port 80"),
        (json!({"loadbalancer_id": balancer, "protocol": "tcp", "protocol_port": 81}), 400, "should be one of"),
        (json!({"loadbalancer_id": balancer, "protocol": "TCP", "protocol_port": 0}), 400, "from 1 to 65535"),
        (json!({"loadbalancer_id": balancer, "protocol_port": 81}), 400, "Mandatory field missing"),
        (
            json!({"loadbalancer_id": balancer, "protocol": "HTTP", "protocol_port": 81}),
            501,
            "does not support a requested option",
        ),
        (
            json!({"loadbalancer_id": balancer, "protocol": "TCP", "protocol_port": 81, "allowed_cidrs": ["10.0.0.0/8"]}),
            501,
            "allowed_cidrs",
        ),
        (
            json!({"loadbalancer_id": balancer, "protocol": "UDP", "protocol_port": 81, "default_pool_id": pool}),
            400,
            "is invalid while",
        ),
        (
            json!({"loadbalancer_id": balancer, "protocol": "TERMINATED_HTTPS", "protocol_port": 81, "default_tls_container_ref": "http://x"}),
            400,
            "keeps no certificates",
        ),
    ] {
        says(post("listeners", "listener", ask).await, status, part);
    }
    for (ask, status, part) in [
        (
            json!({"listener_id": listener, "protocol": "TCP", "lb_algorithm": "SOURCE_IP_PORT"}),
            409,
            "already has a default pool",
        ),
        (json!({"loadbalancer_id": balancer, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"}), 501, "ROUND_ROBIN"),
        (json!({"protocol": "TCP", "lb_algorithm": "SOURCE_IP_PORT"}), 400, "loadbalancer_id or listener_id"),
        (
            json!({"loadbalancer_id": balancer, "protocol": "TCP", "lb_algorithm": "SOURCE_IP_PORT", "session_persistence": {"type": "APP_COOKIE", "cookie_name": "a\r\nb"}}),
            400,
            "valid cookie name",
        ),
    ] {
        says(post("pools", "pool", ask).await, status, part);
    }
    let members = format!("pools/{pool}/members");
    for address in ["127.0.0.1", "169.254.169.254", "0.0.0.0", "::1", "ff02::1"] {
        says(post(&members, "member", json!({"address": address, "protocol_port": 80})).await, 400, "address of a machine");
    }
    cloud.add(&pool, "192.0.2.11").await;
    for (ask, status, part) in [
        (json!({"address": "192.0.2.11", "protocol_port": 80}), 409, "already using ip 192.0.2.11"),
        (json!({"address": "192.0.2.12", "protocol_port": 80, "weight": 257}), 400, "from 0 to 256"),
        (json!({"address": "192.0.2.12", "protocol_port": 80, "weight": 5}), 501, "weights"),
        (json!({"address": "192.0.2.12", "protocol_port": 80, "backup": true}), 501, "backup"),
        (
            json!({"address": "192.0.2.12", "protocol_port": 80, "subnet_id": "ffffffff-0000-4000-8000-000000000000"}),
            404,
            "not found",
        ),
        (json!({"address": "2001:db8::1", "protocol_port": 80}), 501, "another IP version"),
    ] {
        says(post(&members, "member", ask).await, status, part);
    }
    let monitor = |more: Value| {
        let mut ask = json!({"pool_id": pool, "type": "TCP", "delay": 2, "timeout": 1, "max_retries": 1});
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask
    };
    for (more, status, part) in [
        (json!({"timeout": 3}), 400, "delay"),
        (json!({"max_retries": 11}), 400, "from 1 to 10"),
        (json!({"type": "HTTP"}), 501, "TCP"),
        (json!({"url_path": "/"}), 400, "of type HTTP"),
        (json!({"type": "HTTP", "url_path": "/\r\nHost: other"}), 400, "url_path"),
        (json!({"type": "HTTP", "expected_codes": "200 or so"}), 400, "expected_codes"),
        (json!({"type": "HTTP", "domain_name": "a b"}), 400, "domain_name"),
    ] {
        says(post("healthmonitors", "healthmonitor", monitor(more)).await, status, part);
    }
    post("healthmonitors", "healthmonitor", monitor(json!({}))).await.expect(201);
    says(post("healthmonitors", "healthmonitor", monitor(json!({}))).await, 409, "already has a health monitor");
    // None of what was refused left anything.
    assert_eq!(cloud.member().get(&path("listeners")).await.expect(200)["listeners"].as_array().unwrap().len(), 1);
    assert_eq!(cloud.member().get(&path("pools")).await.expect(200)["pools"].as_array().unwrap().len(), 1);
}
