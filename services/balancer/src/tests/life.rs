// SPDX-License-Identifier: Apache-2.0
//! Load balancers come, change and go.

use serde_json::json;

use super::{Cloud, id, path};

/// No check of this member is answered any more.
fn kill(cloud: &Cloud, address: &str) {
    cloud.far.change(|kept| {
        kept.dead.insert(address.to_owned());
    });
}

#[tokio::test]
async fn a_load_balancer_comes_with_all_of_it_and_goes() {
    let cloud = Cloud::new().await;
    let (balancer, listener, pool) = cloud.balancer().await;
    let members = [cloud.add(&pool, "192.0.2.11").await, cloud.add(&pool, "192.0.2.12").await];
    let shown = cloud.until_active(&balancer).await;
    assert_eq!(shown["operating_status"], "ONLINE");
    assert_eq!(shown["vip_address"], "192.0.2.50");
    assert_eq!((&shown["listeners"], &shown["pools"]), (&json!([{"id": listener}]), &json!([{"id": pool}])));
    for thing in [format!("listeners/{listener}"), format!("pools/{pool}")] {
        let one = if thing.starts_with('l') { "listener" } else { "pool" };
        assert_eq!(cloud.show(&thing, one).await["provisioning_status"], "ACTIVE", "{thing}");
    }
    let spread = cloud.far.look().spreads[&balancer].clone();
    let backends: Vec<String> = spread.services[0].backends.iter().map(|backend| backend.address.to_string()).collect();
    assert_eq!(backends, ["192.0.2.11", "192.0.2.12"]);

    cloud.member().delete(&path(&format!("pools/{pool}/members/{}", members[0]))).await.expect(204);
    cloud.until_active(&balancer).await;
    assert_eq!(cloud.far.look().spreads[&balancer].services[0].backends.len(), 1);

    let said = cloud.member().delete(&path(&format!("loadbalancers/{balancer}"))).await;
    assert!(said.expect(400)["faultstring"].as_str().unwrap().contains("has children"));
    cloud.member().delete(&path(&format!("loadbalancers/{balancer}?cascade=true"))).await.expect(204);
    cloud.until(&format!("loadbalancers/{balancer}"), "loadbalancer", "id", "gone").await;
    let left = cloud.far.look();
    assert!(left.ports.is_empty() && left.spreads.is_empty());
    cloud.member().get(&path(&format!("pools/{pool}"))).await.expect(404);
    assert_eq!(cloud.member().get(&path("listeners")).await.expect(200)["listeners"], json!([]));
}

#[tokio::test]
async fn a_change_while_another_is_under_way_is_made_and_not_refused() {
    let mut cloud = Cloud::asleep().await;
    // Nothing is brought out, so that all of these are under way at once.
    let (balancer, listener, pool) = cloud.balancer().await;
    let member = cloud.add(&pool, "192.0.2.11").await;
    assert_eq!(cloud.show(&format!("loadbalancers/{balancer}"), "loadbalancer").await["provisioning_status"], "PENDING_CREATE");
    let put = async |of: &str, one: &str, ask| cloud.member().put(&path(of), json!({ one: ask })).await.expect(200)[one].clone();
    put(&format!("loadbalancers/{balancer}"), "loadbalancer", json!({"name": "other"})).await;
    put(&format!("listeners/{listener}"), "listener", json!({"name": "other"})).await;
    let shown = put(&format!("pools/{pool}/members/{member}"), "member", json!({"weight": 0})).await;
    assert_eq!((&shown["provisioning_status"], &shown["operating_status"]), (&json!("PENDING_CREATE"), &json!("DRAINING")));
    cloud.wake();
    let shown = cloud.until_active(&balancer).await;
    assert_eq!(shown["name"], "other");
    assert_eq!(cloud.far.look().spreads[&balancer].services[0].backends, [], "one that is drained gets nothing new");
}

#[tokio::test]
async fn what_a_check_says_of_a_member_shows_all_the_way_up() {
    let cloud = Cloud::new().await;
    let (balancer, listener, pool) = cloud.balancer().await;
    let member = cloud.add(&pool, "192.0.2.11").await;
    cloud.add(&pool, "192.0.2.12").await;
    let ask = json!({"pool_id": pool, "type": "TCP", "delay": 2, "timeout": 1, "max_retries": 3});
    let monitor = cloud.make("healthmonitors", "healthmonitor", ask).await;
    assert_eq!(monitor["max_retries_down"], 3);
    let (of_balancer, of_member) = (format!("loadbalancers/{balancer}"), format!("pools/{pool}/members/{member}"));
    cloud.until(&of_member, "member", "operating_status", "ONLINE").await;
    kill(&cloud, "192.0.2.11");
    cloud.until(&of_balancer, "loadbalancer", "operating_status", "DEGRADED").await;
    assert_eq!(cloud.show(&of_member, "member").await["operating_status"], "ERROR");
    assert_eq!(cloud.show(&format!("listeners/{listener}"), "listener").await["operating_status"], "DEGRADED");
    let tree = cloud.member().get(&path(&format!("{of_balancer}/status"))).await.expect(200);
    let pools = &tree["statuses"]["loadbalancer"]["listeners"][0]["pools"][0];
    assert_eq!((&pools["operating_status"], &pools["healthmonitor"]["id"]), (&json!("DEGRADED"), &monitor["id"]));
    kill(&cloud, "192.0.2.12");
    cloud.until(&of_balancer, "loadbalancer", "operating_status", "ERROR").await;
    cloud.far.change(|kept| kept.dead.clear());
    cloud.until(&of_balancer, "loadbalancer", "operating_status", "ONLINE").await;
    // Whoever nobody asks about is taken as he is.
    cloud.member().delete(&path(&format!("healthmonitors/{}", id(&monitor)))).await.expect(204);
    cloud.until(&of_member, "member", "operating_status", "NO_MONITOR").await;
}

#[tokio::test]
async fn what_cannot_be_had_now_is_made_later_and_what_is_refused_says_so() {
    let cloud = Cloud::new().await;
    cloud.far.change(|kept| kept.is_away = true);
    let (balancer, ..) = cloud.balancer().await;
    assert_eq!(cloud.show(&format!("loadbalancers/{balancer}"), "loadbalancer").await["provisioning_status"], "PENDING_CREATE");
    cloud.far.change(|kept| kept.is_away = false);
    cloud.until_active(&balancer).await;
    // A port that is taken meanwhile.
    cloud.far.change(|kept| kept.refuses = true);
    let said = cloud.member().post(&path("loadbalancers"), json!({"loadbalancer": {"vip_subnet_id": super::SUBNET}})).await;
    assert_eq!(said.expect(409)["faultstring"], "Port p is in use.");
    let of = format!("loadbalancers/{balancer}");
    cloud.member().put(&path(&of), json!({"loadbalancer": {"admin_state_up": false}})).await.expect(200);
    let shown = cloud.until(&of, "loadbalancer", "provisioning_status", "ERROR").await;
    assert_eq!(shown["operating_status"], "OFFLINE");
    // One in error is deleted as any other.
    cloud.member().delete(&path(&format!("{of}?cascade=true"))).await.expect(204);
    cloud.until(&of, "loadbalancer", "id", "gone").await;
}

#[tokio::test]
async fn all_members_of_a_pool_are_set_at_once() {
    let cloud = Cloud::new().await;
    let (balancer, _, pool) = cloud.balancer().await;
    let stays = cloud.add(&pool, "192.0.2.11").await;
    cloud.add(&pool, "192.0.2.12").await;
    let of = path(&format!("pools/{pool}/members"));
    let member = |address: &str| json!({"address": address, "protocol_port": 80, "name": format!("at {address}")});
    cloud.member().put(&of, json!({"members": [member("192.0.2.11"), member("192.0.2.13")]})).await.expect(202);
    let list = cloud.member().get(&of).await.expect(200)["members"].clone();
    let of_list: Vec<_> =
        list.as_array().unwrap().iter().map(|member| (member["address"].clone(), member["name"].clone())).collect();
    assert_eq!(of_list, [(json!("192.0.2.11"), json!("at 192.0.2.11")), (json!("192.0.2.13"), json!("at 192.0.2.13"))]);
    assert_eq!(list[0]["id"], stays, "who is named again is the same");
    cloud.member().put(&format!("{of}?additive_only=true"), json!({"members": [member("192.0.2.14")]})).await.expect(202);
    assert_eq!(cloud.member().get(&of).await.expect(200)["members"].as_array().unwrap().len(), 3);
    let twice = json!({"members": [member("192.0.2.15"), member("192.0.2.15")]});
    assert!(cloud.member().put(&of, twice).await.expect(400)["faultstring"].as_str().unwrap().contains("named twice"));
    cloud.until_active(&balancer).await;
    assert_eq!(cloud.far.look().spreads[&balancer].services[0].backends.len(), 3);
}
