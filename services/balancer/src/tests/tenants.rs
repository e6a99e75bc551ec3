// SPDX-License-Identifier: Apache-2.0
//! Who may do what: a reader reads, a member changes, and nobody does either with what is another's.

use serde_json::json;

use super::{Cloud, SUBNET, path};

#[tokio::test]
async fn another_tenant_is_told_that_he_may_not() {
    let cloud = Cloud::new().await;
    let (balancer, listener, pool) = cloud.balancer().await;
    let member = cloud.add(&pool, "192.0.2.11").await;
    let other = cloud.talk.as_("member@p2");
    let things = [
        format!("loadbalancers/{balancer}"),
        format!("listeners/{listener}"),
        format!("pools/{pool}"),
        format!("pools/{pool}/members/{member}"),
    ];
    for thing in &things {
        let one = if thing.contains("members") { "member" } else { thing.split('/').next().unwrap().trim_end_matches('s') };
        let said = other.get(&path(thing)).await.expect(403);
        assert_eq!(said["faultstring"], "Policy does not allow this request to be performed.", "{thing}");
        other.put(&path(thing), json!({ one: {"name": "mine"} })).await.expect(403);
        other.delete(&path(thing)).await.expect(403);
    }
    for list in ["loadbalancers", "listeners", "pools", "healthmonitors"] {
        assert_eq!(other.get(&path(list)).await.expect(200)[list], json!([]), "{list}");
    }
    other.get(&path(&format!("pools/{pool}/members"))).await.expect(403);
    let of = |ask| json!({"listener": ask});
    let ask = json!({"loadbalancer_id": balancer, "protocol": "TCP", "protocol_port": 81});
    other.post(&path("listeners"), of(ask)).await.expect(403);
    let ask = json!({"loadbalancer": {"vip_subnet_id": SUBNET, "project_id": "p1"}});
    other.post(&path("loadbalancers"), ask).await.expect(403);
    other.put(&path("quotas/p2"), json!({"quota": {"pool": -1}})).await.expect(403);
    other.get(&path("quotas/p1")).await.expect(403);
    // What is nobody's is not found, whoever asks.
    other.get(&path("loadbalancers/8f3e6d7a-0000-4000-8000-000000000000")).await.expect(404);
}

#[tokio::test]
async fn who_leads_from_his_own_to_anothers_is_refused() {
    let cloud = Cloud::new().await;
    let (_, _, theirs) = cloud.balancer().await;
    let other = cloud.talk.as_("member@p2");
    let made = other.post(&path("loadbalancers"), json!({"loadbalancer": {"vip_subnet_id": SUBNET}})).await.expect(201);
    let own = made["loadbalancer"]["id"].clone();
    let ask = json!({"listener": {"loadbalancer_id": own, "protocol": "TCP", "protocol_port": 80, "default_pool_id": theirs}});
    other.post(&path("listeners"), ask).await.expect(404);
    let ask = json!({"healthmonitor": {"pool_id": theirs, "type": "TCP", "delay": 1, "timeout": 1, "max_retries": 1}});
    other.post(&path("healthmonitors"), ask).await.expect(403);
}

#[tokio::test]
async fn a_reader_sees_and_changes_nothing() {
    let cloud = Cloud::new().await;
    let (balancer, _, pool) = cloud.balancer().await;
    let reader = cloud.talk.as_("reader@p1");
    for of in ["loadbalancers", "quotas/p1", "quotas/defaults", "providers", "flavors", "availabilityzones"] {
        reader.get(&path(of)).await.expect(200);
    }
    for of in [format!("loadbalancers/{balancer}/status"), format!("loadbalancers/{balancer}/stats"), format!("pools/{pool}")] {
        reader.get(&path(&of)).await.expect(200);
    }
    reader.delete(&path(&format!("pools/{pool}"))).await.expect(403);
    reader.post(&path("loadbalancers"), json!({"loadbalancer": {"vip_subnet_id": SUBNET}})).await.expect(403);
    // Octavia's own roles do the same.
    cloud.talk.as_("load-balancer_observer@p1").get(&path(&format!("pools/{pool}"))).await.expect(200);
    cloud.talk.as_("load-balancer_member@p1").delete(&path(&format!("pools/{pool}"))).await.expect(204);
    cloud.talk.as_("load-balancer_global_observer@p2").get(&path(&format!("loadbalancers/{balancer}"))).await.expect(200);
    cloud.talk.as_("nobody@p1").get(&path("loadbalancers")).await.expect(403);
}
