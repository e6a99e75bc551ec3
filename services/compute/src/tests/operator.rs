// SPDX-License-Identifier: Apache-2.0
//! What the operator sees: hosts, services, zones, quotas, limits.

use serde_json::json;

use super::{Cloud, far::node_id, server, server_with};

#[tokio::test]
async fn hosts_and_their_services() {
    let cloud = Cloud::with_hosts(&["h1", "h2"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    let admin = cloud.admin();
    cloud.member().get("/compute/v2.1/os-hypervisors").await.expect(403);
    let list = admin.get("/compute/v2.1/os-hypervisors?with_servers=true").await.expect(200);
    let servers: Vec<_> =
        list["hypervisors"].as_array().unwrap().iter().flat_map(|host| host["servers"].as_array().unwrap()).collect();
    assert_eq!((servers.len(), &servers[0]["uuid"]), (1, &json!(id)));
    let shown = admin.get(&format!("/compute/v2.1/os-hypervisors/{}", node_id("h1"))).await.expect(200);
    assert_eq!((&shown["hypervisor"]["state"], &shown["hypervisor"]["hypervisor_version"]), (&json!("up"), &json!(10_000_002)));
    let old = admin.version("compute 2.1");
    let detail = old.get("/compute/v2.1/os-hypervisors/detail").await.expect(200);
    assert_eq!(detail["hypervisors"][0]["memory_mb"], 8192);
    let number = detail["hypervisors"][0]["id"].as_u64().unwrap();
    old.get(&format!("/compute/v2.1/os-hypervisors/{number}")).await.expect(200);
    let sums = old.get("/compute/v2.1/os-hypervisors/statistics").await.expect(200);
    assert_eq!(
        (&sums["hypervisor_statistics"]["count"], &sums["hypervisor_statistics"]["memory_mb_used"]),
        (&json!(2), &json!(512))
    );
    admin.get("/compute/v2.1/os-hypervisors/statistics").await.expect(404);
    old.get("/compute/v2.1/os-hypervisors/h1/servers").await.expect(200);
    old.get("/compute/v2.1/os-hypervisors/zzz/search").await.expect(404);

    let services = admin.get("/compute/v2.1/os-services?host=h1").await.expect(200);
    assert_eq!((&services["services"][0]["binary"], &services["services"][0]["state"]), (&json!("nova-compute"), &json!("up")));
    let service = format!("/compute/v2.1/os-services/{}", node_id("h1"));
    let disabled = admin.put(&service, json!({"status": "disabled", "disabled_reason": "disks"})).await.expect(200);
    assert_eq!(disabled["service"]["disabled_reason"], "disks");
    admin.put(&service, json!({"status": "asleep"})).await.expect(400);
    admin.put(&service, json!({})).await.expect(400);
    admin.put("/compute/v2.1/os-services/nobody", json!({"status": "enabled"})).await.expect(400);
    old.put("/compute/v2.1/os-services/disable", json!({"host": "h2", "binary": "nova-compute"})).await.expect(200);
    let zones = cloud.member().get("/compute/v2.1/os-availability-zone").await.expect(200);
    assert_eq!(zones["availabilityZoneInfo"][0]["zoneState"]["available"], false);
    old.put("/compute/v2.1/os-services/enable", json!({"host": "h2", "binary": "nova-compute"})).await.expect(200);
    let zones = admin.get("/compute/v2.1/os-availability-zone/detail").await.expect(200);
    assert_eq!(zones["availabilityZoneInfo"][0]["hosts"]["h2"]["nova-compute"]["active"], true);
}

#[tokio::test]
async fn the_operator_chooses_a_host() {
    let cloud = Cloud::with_hosts(&["h1", "h2"]).await;
    let admin = cloud.admin();
    for body in [server_with("availability_zone", json!("nova:h2")), server_with("host", json!("h2"))] {
        let id = super::id_of(admin.post("/compute/v2.1/servers", body).await.expect(202));
        assert_eq!(cloud.until(&id, "ACTIVE").await["OS-EXT-SRV-ATTR:host"], "h2");
    }
    admin.post("/compute/v2.1/servers", server_with("host", json!("h9"))).await.expect(400);
}

/// Whatever the quota, one request makes so many servers, and no more are thought of before that is known.
#[tokio::test]
async fn a_request_for_two_billion_servers_is_refused() {
    let cloud = Cloud::asleep(&["h1"]).await;
    let (admin, member) = (cloud.admin(), cloud.member());
    let many = server_with("min_count", json!(i32::MAX));
    let said = member.post("/compute/v2.1/servers", many.clone()).await.expect(403);
    let told = said["forbidden"]["message"].as_str().unwrap();
    assert!(told.starts_with("Quota exceeded for instances, cores, ram: Requested 2147483647"), "{told}");
    let unlimited = json!({"quota_set": {"instances": -1, "cores": -1, "ram": -1}});
    admin.put("/compute/v2.1/os-quota-sets/p1", unlimited).await.expect(200);
    let said = member.post("/compute/v2.1/servers", many).await.expect(403);
    assert!(said["forbidden"]["message"].as_str().unwrap().contains("one request makes at most 500 instances"), "{said}");
    member.post("/compute/v2.1/servers", server_with("max_count", json!(i32::MAX))).await.expect(202);
    let made = cloud.admin().get("/compute/v2.1/servers?all_tenants=1&limit=1000").await.expect(200);
    assert_eq!(made["servers"].as_array().unwrap().len(), 500);
}

#[tokio::test]
async fn quotas_hold() {
    let cloud = Cloud::asleep(&["h1"]).await;
    let (admin, member) = (cloud.admin(), cloud.member());
    let set = "/compute/v2.1/os-quota-sets/p1";
    member.put(set, json!({"quota_set": {"instances": 99}})).await.expect(403);
    admin.put(set, json!({"quota_set": {"instances": 2}})).await.expect(200);
    member.post("/compute/v2.1/servers", server("a")).await.expect(202);
    let said = member.post("/compute/v2.1/servers", server_with("min_count", json!(2))).await.expect(403);
    assert_eq!(said["forbidden"]["message"], "Quota exceeded for instances: Requested 2, but already used 1 of 2 instances");
    // As many as fit, if that is enough.
    let mut body = server("b");
    body["server"]["max_count"] = json!(5);
    member.post("/compute/v2.1/servers", body).await.expect(202);
    assert_eq!(member.get("/compute/v2.1/servers").await.expect(200)["servers"].as_array().unwrap().len(), 2);
    let detail = member.get(&format!("{set}/detail")).await.expect(200);
    assert_eq!(detail["quota_set"]["instances"], json!({"in_use": 2, "limit": 2, "reserved": 0}));
    let limits = member.get("/compute/v2.1/limits").await.expect(200);
    let absolute = &limits["limits"]["absolute"];
    assert_eq!((&absolute["totalInstancesUsed"], &absolute["maxTotalInstances"]), (&json!(2), &json!(2)));
    assert_eq!((&absolute["totalRAMUsed"], absolute.get("maxImageMeta")), (&json!(1024), None));
    admin.put(set, json!({"quota_set": {"instances": 1}})).await.expect(400);
    admin.put(set, json!({"quota_set": {"instances": 1, "force": true}})).await.expect(200);
    admin.put(set, json!({"quota_set": {"instances": -2}})).await.expect(400);
    admin.put(set, json!({"quota_set": {"bananas": 1}})).await.expect(400);
    admin.delete(set).await.expect(202);
    assert_eq!(member.get(set).await.expect(200)["quota_set"]["instances"], 10);
    cloud.talk.as_("member@p2").get(set).await.expect(403);
    member.get("/compute/v2.1/limits?tenant_id=p2").await.expect(403);
    admin.get("/compute/v2.1/limits?tenant_id=p2").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_creates_stay_within_the_quota() {
    let cloud = Cloud::asleep(&["h1"]).await;
    let mut racers = Vec::new();
    for _ in 0..30 {
        let member = cloud.member();
        racers.push(tokio::spawn(async move { member.post("/compute/v2.1/servers", server("racer")).await.status.as_u16() }));
    }
    let mut accepted = 0;
    for racer in racers {
        match racer.await.unwrap() {
            202 => accepted += 1,
            status => assert_eq!(status, 403),
        }
    }
    assert_eq!(accepted, 10);
}

#[tokio::test]
async fn a_host_that_was_switched_off_a_moment_ago_gets_no_server() {
    let cloud = Cloud::with_hosts(&["h1", "h2"]).await;
    let host_of = async |name: &str| {
        let id = cloud.create(name).await;
        cloud.until(&id, "ACTIVE").await["OS-EXT-SRV-ATTR:host"].as_str().unwrap().to_owned()
    };
    // The first look at the hosts serves those who come at once after it: h2 would be the next one's choice.
    assert_eq!(host_of("first").await, "h1");
    let node = node_id("h2");
    contracts::nodes::Nodes::set_disabled(&*cloud.far, &node, Some("a new disk".to_owned()), true).await.unwrap();
    assert_eq!(host_of("second").await, "h1");
}

#[tokio::test]
async fn nobody_hears_that_there_is_no_room_where_some_was_given_back_a_moment_ago() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let whole = |name: &str| {
        let mut body = server(name);
        body["server"]["flavorRef"] = json!("m1.large");
        body
    };
    for name in ["first", "second", "third"] {
        let id = super::id_of(cloud.member().post("/compute/v2.1/servers", whole(name)).await.expect(202));
        cloud.until(&id, "ACTIVE").await;
        cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
        cloud.until_gone(&id).await;
    }
}
