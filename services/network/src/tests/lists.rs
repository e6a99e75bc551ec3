// SPDX-License-Identifier: Apache-2.0
//! What those find who may see little or nothing, and paths as clients of old write them.

use serde_json::{Value, json};

use super::fixture::{Cloud, create, path, refused};

const LISTS: [(&str, &str); 14] = [
    ("address-groups", "address_groups"),
    ("networks", "networks"),
    ("subnets", "subnets"),
    ("subnetpools", "subnetpools"),
    ("ports", "ports"),
    ("routers", "routers"),
    ("floatingips", "floatingips"),
    ("security-groups", "security_groups"),
    ("security-group-rules", "security_group_rules"),
    ("agents", "agents"),
    ("network-ip-availabilities", "network_ip_availabilities"),
    ("availability_zones", "availability_zones"),
    ("floatingip_pools", "floatingip_pools"),
    ("service-providers", "service_providers"),
];

#[tokio::test]
async fn what_one_may_not_see_is_not_in_the_list_and_not_there() {
    let cloud = Cloud::live().await;
    cloud.add_chassis("hv1", "physnet1:br-ex");
    let (network, subnet) = cloud.network("10.0.0.0/24").await;
    cloud.external("172.24.4.0/24").await;
    let member = cloud.member();
    let router = create(&member, "routers", "router", json!({})).await["id"].clone();
    create(&member, "address-groups", "address_group", json!({})).await;
    create(&member, "subnetpools", "subnetpool", json!({"name": "p", "prefixes": ["10.0.0.0/8"]})).await;
    super::fixture::until("the host to be known", async || {
        cloud.admin().get(&path("agents")).await.expect(200)["agents"] != json!([])
    })
    .await;
    for (collection, key) in LISTS {
        // Without a role, and without a project.
        for nobody in ["nobody@p1", "nobody"] {
            let list = cloud.talk.as_(nobody).get(&path(collection)).await.expect(200);
            assert_eq!(list[key], json!([]), "{nobody} {collection}");
        }
        let seen = member.get(&path(collection)).await.expect(200);
        let for_admins = ["agents", "network-ip-availabilities"].contains(&collection);
        // Floating IPs there are none.
        assert_eq!(seen[key] == json!([]), for_admins || collection == "floatingips", "{collection}: {seen}");
        let wrong = cloud.talk.as_("nobody@p1").get(&path(&format!("{collection}?colour=blue"))).await;
        refused(wrong, 400, "HTTPBadRequest");
    }
    for one in [
        format!("networks/{network}"),
        format!("networks/{network}/tags"),
        format!("subnets/{subnet}"),
        format!("routers/{}", router.as_str().unwrap()),
        "agents/hv1".to_owned(),
        format!("network-ip-availabilities/{network}"),
        "quotas/p1".to_owned(),
    ] {
        cloud.talk.as_("nobody@p1").get(&path(&one)).await.expect(404);
        cloud.admin().get(&path(&one)).await.expect(200);
    }
    for one in ["agents/hv1".to_owned(), format!("network-ip-availabilities/{network}")] {
        member.get(&path(&one)).await.expect(404);
    }
    // What one sees and may not change is forbidden; what one does not see is not there, whatever one wants of it.
    for (who, status) in [("reader@p1", 403), ("reader@p2", 404), ("nobody@p1", 404)] {
        let talk = cloud.talk.as_(who);
        let thing = path(&format!("networks/{network}"));
        talk.put(&thing, json!({"network": {"name": "x"}})).await.expect(status);
        talk.delete(&thing).await.expect(status);
        talk.put(&format!("{thing}/tags/x"), Value::Null).await.expect(status);
        let interface = path(&format!("routers/{}/add_router_interface", router.as_str().unwrap()));
        talk.put(&interface, json!({"subnet_id": subnet})).await.expect(status);
    }
    refused(cloud.talk.as_("nobody@p1").post(&path("networks"), json!({"network": {}})).await, 403, "PolicyNotAuthorized");
}

#[tokio::test]
async fn quotas_of_others_are_not_there() {
    let cloud = Cloud::quiet().await;
    let (member, admin) = (cloud.member(), cloud.admin());
    let quota = json!({"quota": {"port": 9}});
    for (talk, status) in [(&member, 403), (&cloud.other(), 404), (&cloud.talk.as_("nobody@p1"), 404)] {
        talk.put(&path("quotas/p1"), quota.clone()).await.expect(status);
        talk.delete(&path("quotas/p1")).await.expect(status);
    }
    cloud.other().get(&path("quotas/p1")).await.expect(404);
    member.get(&path("quotas")).await.expect(403);
    for bad in [json!(null), json!("many"), json!(-2), json!(i64::MAX), json!([])] {
        refused(admin.put(&path("quotas/p1"), json!({"quota": {"port": bad}})).await, 400, "HTTPBadRequest");
    }
    assert_eq!(member.get(&path("quotas/p1")).await.expect(200)["quota"]["port"], 500);
}

#[tokio::test]
async fn json_at_the_end_of_a_path_changes_nothing() {
    let cloud = Cloud::quiet().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let (member, admin) = (cloud.member(), cloud.admin());
    for (collection, _) in LISTS {
        let plain = admin.get(&path(collection)).await.expect(200);
        assert_eq!(admin.get(&path(&format!("{collection}.json"))).await.expect(200), plain, "{collection}");
    }
    assert_eq!(member.get(&path(&format!("networks/{network}.json"))).await.expect(200)["network"]["id"], json!(network));
    let made = member.post(&path("networks.json"), json!({"network": {"name": "old"}})).await.expect(201);
    let made = path(&format!("networks/{}.json", made["network"]["id"].as_str().unwrap()));
    member.put(&made, json!({"network": {"name": "new"}})).await.expect(200);
    member.delete(&made).await.expect(204);
    admin.put(&path("quotas/p1.json"), json!({"quota": {"router": 7}})).await.expect(200);
    assert_eq!(member.get(&path("quotas/p1")).await.expect(200)["quota"]["router"], 7);
    assert_eq!(admin.get(&path("quotas.json")).await.expect(200)["quotas"][0]["project_id"], "p1");
    admin.delete(&path("quotas/p1.json")).await.expect(204);
    assert_eq!(member.get(&path("quotas/p1/details.json")).await.expect(200)["quota"]["router"]["limit"], 10);
    // Pages lead on as they began.
    for name in ["a", "b", "c"] {
        create(&member, "networks", "network", json!({ "name": name })).await;
    }
    let page = member.get(&path("networks.json?limit=2")).await.expect(200);
    let next = page["networks_links"][0]["href"].as_str().unwrap().strip_prefix("http://cloud.test").unwrap();
    assert!(next.starts_with(&path("networks.json?")), "{next}");
    assert_eq!(member.get(next).await.expect(200)["networks"].as_array().unwrap().len(), 2);
}
