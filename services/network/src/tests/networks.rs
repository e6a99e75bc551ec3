// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/networks` and `/v2.0/subnets`.

use serde_json::json;

use super::fixture::{Cloud, create, id, ids, path, refused, show, update};

#[tokio::test]
async fn a_tenants_network() {
    let cloud = Cloud::quiet().await;
    let member = cloud.member();
    let made = create(&member, "networks", "network", json!({"name": "blue"})).await;
    assert_eq!(made["name"], "blue");
    assert_eq!(made["project_id"], "p1");
    assert_eq!(made["tenant_id"], "p1");
    assert_eq!(made["mtu"], 1442);
    assert_eq!(made["status"], "ACTIVE");
    assert_eq!(made["revision_number"], 1);
    assert_eq!(made["subnets"], json!([]));
    assert_eq!(made["router:external"], false);
    assert!(made.get("provider:network_type").is_none());
    let network = id(&made);
    let seen = show(&cloud.admin(), "networks", "network", &network).await;
    assert_eq!(seen["provider:network_type"], "geneve");
    assert!(seen["provider:segmentation_id"].as_i64().unwrap() > 0);

    let subnet = json!({"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"});
    let subnet = create(&member, "subnets", "subnet", subnet).await;
    assert_eq!(subnet["gateway_ip"], "10.0.0.1");
    assert_eq!(subnet["allocation_pools"], json!([{"start": "10.0.0.2", "end": "10.0.0.254"}]));
    assert_eq!(show(&member, "networks", "network", &network).await["subnets"], json!([subnet["id"]]));

    let renamed = update(&member, "networks", "network", &network, json!({"name": "red", "mtu": 1400})).await;
    assert_eq!((renamed["name"].clone(), renamed["mtu"].clone()), (json!("red"), json!(1400)));
    assert_eq!(renamed["revision_number"], 2);

    let member_again = member.header("if-match", "revision_number=1");
    let said = member_again.put(&path(&format!("networks/{network}")), json!({"network": {"name": "x"}})).await;
    refused(said, 412, "RevisionNumberConstraintFailed");

    member.delete(&path(&format!("networks/{network}"))).await.expect(204);
    refused(member.get(&path(&format!("networks/{network}"))).await, 404, "NetworkNotFound");
    refused(member.get(&path(&format!("subnets/{}", id(&subnet)))).await, 404, "SubnetNotFound");
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged_at_constant_cost() {
    let cloud = Cloud::quiet().await;
    let member = cloud.member();
    let ask: Vec<_> = (0..5).map(|i| json!({"name": format!("n{i}"), "admin_state_up": i % 2 == 0})).collect();
    let made = member.post(&path("networks"), json!({ "networks": ask })).await.expect(201);
    assert_eq!(made["networks"].as_array().unwrap().len(), 5);

    assert_eq!(ids(&member, "networks", "networks", "?name=n1&name=n3").await.len(), 2);
    assert_eq!(ids(&member, "networks", "networks", "?admin_state_up=False").await.len(), 2);
    assert_eq!(ids(&member, "networks", "networks", "?name=n1%27%20OR%201=1").await.len(), 0);
    refused(member.get(&path("networks?colour=blue")).await, 400, "HTTPBadRequest");
    refused(member.get(&path("networks?sort_key=colour&sort_dir=asc")).await, 400, "HTTPBadRequest");
    refused(member.get(&path("networks?limit=2&marker=nothing")).await, 400, "HTTPBadRequest");

    let named = member.get(&path("networks?fields=name&sort_key=name&sort_dir=desc")).await.expect(200);
    assert_eq!(named["networks"][0], json!({"name": "n4"}));

    // Forward through the pages, then back.
    let first = member.get(&path("networks?limit=2&sort_key=name&sort_dir=asc")).await.expect(200);
    let next = first["networks_links"][0]["href"].as_str().unwrap().strip_prefix("http://cloud.test").unwrap().to_owned();
    let second = member.get(&next).await.expect(200);
    assert_eq!(second["networks"][0]["name"], "n2");
    let links = second["networks_links"].as_array().unwrap();
    let back = links.iter().find(|link| link["rel"] == "previous").unwrap()["href"].as_str().unwrap();
    let again = member.get(back.strip_prefix("http://cloud.test").unwrap()).await.expect(200);
    assert_eq!(again["networks"], first["networks"]);

    let count = async |query: &str| {
        let before = cloud.world.store.statements();
        member.get(&path(&format!("networks{query}"))).await.expect(200);
        cloud.world.store.statements() - before
    };
    assert_eq!(count("?limit=1").await, count("").await);
}

#[tokio::test]
async fn tenants_do_not_see_each_other() {
    let cloud = Cloud::quiet().await;
    let (network, subnet) = cloud.network("10.0.0.0/24").await;
    let (member, other) = (cloud.member(), cloud.other());
    assert_eq!(ids(&other, "networks", "networks", "").await.len(), 0);
    let network_path = path(&format!("networks/{network}"));
    let subnet_path = path(&format!("subnets/{subnet}"));
    refused(other.get(&network_path).await, 404, "NetworkNotFound");
    refused(other.put(&network_path, json!({"network": {"name": "x"}})).await, 404, "NetworkNotFound");
    refused(other.delete(&network_path).await, 404, "NetworkNotFound");
    refused(other.get(&subnet_path).await, 404, "SubnetNotFound");
    refused(other.delete(&subnet_path).await, 404, "SubnetNotFound");
    let theirs = json!({"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.1.0.0/24"}});
    refused(other.post(&path("subnets"), theirs).await, 404, "NetworkNotFound");
    refused(other.post(&path("ports"), json!({"port": {"network_id": network}})).await, 404, "NetworkNotFound");

    // Shared: seen by all, changed by its owner only.
    refused(member.put(&network_path, json!({"network": {"shared": true}})).await, 403, "PolicyNotAuthorized");
    update(&cloud.admin(), "networks", "network", &network, json!({"shared": true})).await;
    assert_eq!(ids(&other, "networks", "networks", "").await, std::slice::from_ref(&network));
    other.get(&subnet_path).await.expect(200);
    refused(other.put(&network_path, json!({"network": {"name": "x"}})).await, 403, "PolicyNotAuthorized");
    refused(other.delete(&network_path).await, 403, "PolicyNotAuthorized");
    let port = create(&other, "ports", "port", json!({"network_id": network})).await;
    refused(cloud.admin().put(&network_path, json!({"network": {"shared": false}})).await, 409, "InvalidSharedSetting");
    // The network's owner sees and may remove what others have on it.
    refused(member.delete(&network_path).await, 409, "NetworkInUse");
    other.delete(&path(&format!("ports/{}", id(&port)))).await.expect(204);

    refused(cloud.talk.as_("reader@p1").post(&path("networks"), json!({"network": {}})).await, 403, "PolicyNotAuthorized");
    cloud.talk.get(&path("networks")).await.expect(401);
}

#[tokio::test]
async fn what_carries_a_network_is_the_operators_choice() {
    let cloud = Cloud::quiet().await;
    let (member, admin) = (cloud.member(), cloud.admin());
    let vlan = |id: i64| {
        json!({"network": {"provider:network_type": "vlan", "provider:physical_network": "physnet1",
            "provider:segmentation_id": id}})
    };
    refused(member.post(&path("networks"), vlan(7)).await, 403, "PolicyNotAuthorized");
    let made = admin.post(&path("networks"), vlan(7)).await.expect(201);
    assert_eq!(made["network"]["mtu"], 1500);
    refused(admin.post(&path("networks"), vlan(7)).await, 409, "VlanIdInUse");
    refused(admin.post(&path("networks"), vlan(4095)).await, 400, "InvalidInput");
    let flat = |physical: &str| json!({"network": {"provider:network_type": "flat", "provider:physical_network": physical}});
    admin.post(&path("networks"), flat("physnet1")).await.expect(201);
    refused(admin.post(&path("networks"), flat("physnet1")).await, 409, "FlatNetworkInUse");
    refused(admin.post(&path("networks"), flat("nowhere")).await, 400, "InvalidInput");
}

#[tokio::test]
async fn how_full_a_network_is() {
    let cloud = Cloud::quiet().await;
    let (network, subnet) = cloud.network("10.0.0.0/24").await;
    let shown = show(&cloud.admin(), "network-ip-availabilities", "network_ip_availability", &network).await;
    assert_eq!((shown["total_ips"].clone(), shown["used_ips"].clone()), (json!(253), json!(1)));
    assert_eq!(shown["subnet_ip_availability"][0]["subnet_id"], json!(subnet));
    let query = path(&format!("network-ip-availabilities?network_id={network}&ip_version=6"));
    let none = cloud.admin().get(&query).await.expect(200);
    assert_eq!(none["network_ip_availabilities"], json!([]));
    cloud.external("172.24.4.0/24").await;
    let pools = cloud.member().get(&path("floatingip_pools")).await.expect(200);
    assert_eq!(pools["floatingip_pools"][0]["cidr"], "172.24.4.0/24");
}

#[tokio::test]
async fn subnets_are_cut_from_pools() {
    let cloud = Cloud::quiet().await;
    let (member, other) = (cloud.member(), cloud.other());
    let network = id(&create(&member, "networks", "network", json!({})).await);
    let ask = json!({"name": "pool", "prefixes": ["10.20.0.0/22"], "default_prefixlen": 24, "min_prefixlen": 23});
    let pool = id(&create(&member, "subnetpools", "subnetpool", ask).await);
    let cut = async |extra: serde_json::Value| {
        let mut ask = json!({"network_id": network, "subnetpool_id": pool});
        for (key, value) in extra.as_object().unwrap() {
            ask[key] = value.clone();
        }
        member.post(&path("subnets"), json!({ "subnet": ask })).await
    };
    let first = cut(json!({})).await.expect(201)["subnet"].clone();
    assert_eq!((first["cidr"].clone(), first["gateway_ip"].clone()), (json!("10.20.0.0/24"), json!("10.20.0.1")));
    assert_eq!(first["subnetpool_id"], json!(pool));
    assert_eq!(cut(json!({"prefixlen": 23})).await.expect(201)["subnet"]["cidr"], "10.20.2.0/23");
    refused(cut(json!({"prefixlen": 22})).await, 400, "MinPrefixSubnetAllocationError");
    refused(cut(json!({"prefixlen": 23})).await, 409, "SubnetAllocationError");
    refused(cut(json!({"cidr": "10.20.0.0/25"})).await, 409, "SubnetAllocationError");
    refused(cut(json!({"cidr": "10.99.0.0/24"})).await, 409, "SubnetAllocationError");
    assert_eq!(cut(json!({"cidr": "10.20.1.0/25"})).await.expect(201)["subnet"]["cidr"], "10.20.1.0/25");

    let pool_path = path(&format!("subnetpools/{pool}"));
    refused(member.delete(&pool_path).await, 400, "SubnetPoolDeleteError");
    let more = member.put(&format!("{pool_path}/add_prefixes"), json!({"prefixes": ["10.30.0.0/24"]})).await.expect(200);
    assert_eq!(more["prefixes"], json!(["10.20.0.0/22", "10.30.0.0/24"]));
    let used = json!({"prefixes": ["10.20.0.0/22"]});
    refused(member.put(&format!("{pool_path}/remove_prefixes"), used).await, 400, "IllegalSubnetPoolPrefixUpdate");
    member.put(&format!("{pool_path}/remove_prefixes"), json!({"prefixes": ["10.30.0.0/24"]})).await.expect(200);

    refused(other.get(&pool_path).await, 404, "SubnetPoolNotFound");
    let theirs = id(&create(&other, "networks", "network", json!({})).await);
    let ask = json!({"subnet": {"network_id": theirs, "subnetpool_id": pool}});
    refused(other.post(&path("subnets"), ask).await, 404, "SubnetPoolNotFound");
    let shared = json!({"subnetpool": {"name": "s", "prefixes": ["10.40.0.0/16"], "is_default": true, "default_prefixlen": 26}});
    refused(member.post(&path("subnetpools"), shared.clone()).await, 403, "PolicyNotAuthorized");
    cloud.admin().post(&path("subnetpools"), shared).await.expect(201);
    let ask = json!({"subnet": {"network_id": theirs, "use_default_subnetpool": true, "ip_version": 4}});
    assert_eq!(other.post(&path("subnets"), ask).await.expect(201)["subnet"]["cidr"], "10.40.0.0/26");
    for bad in [
        json!({"name": "x", "prefixes": []}),
        json!({"name": "x", "prefixes": ["10.0.0.0/8", "2001:db8::/32"]}),
        json!({"name": "x", "prefixes": ["10.0.0.1/8"]}),
        json!({"prefixes": ["10.0.0.0/8"]}),
    ] {
        refused(member.post(&path("subnetpools"), json!({ "subnetpool": bad })).await, 400, "HTTPBadRequest");
    }
    let bounds = json!({"subnetpool": {"name": "x", "prefixes": ["10.0.0.0/8"], "min_prefixlen": 26, "max_prefixlen": 24}});
    refused(member.post(&path("subnetpools"), bounds).await, 400, "IllegalSubnetPoolPrefixBounds");
}
