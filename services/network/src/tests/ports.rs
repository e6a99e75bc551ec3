// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/ports` and the addresses they hold.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::fixture::{Cloud, create, id, ids, path, refused, show, update};

#[tokio::test]
async fn a_tenants_port() {
    let cloud = Cloud::quiet().await;
    let (network, subnet) = cloud.network("10.0.0.0/24").await;
    let member = cloud.member();
    let port = create(&member, "ports", "port", json!({"network_id": network, "name": "p"})).await;
    assert_eq!(port["status"], "DOWN");
    assert_eq!(port["fixed_ips"][0]["subnet_id"], json!(subnet));
    assert_eq!(port["port_security_enabled"], true);
    let groups = member.get(&path("security-groups")).await.expect(200);
    assert_eq!(port["security_groups"], json!([groups["security_groups"][0]["id"]]));
    assert_eq!(groups["security_groups"][0]["security_group_rules"].as_array().unwrap().len(), 4);
    assert!(port.get("binding:host_id").is_none());
    let seen = show(&cloud.admin(), "ports", "port", &id(&port)).await;
    assert_eq!(seen["binding:vif_type"], "unbound");

    let address = port["fixed_ips"][0]["ip_address"].as_str().unwrap();
    let filter = format!("?fixed_ips=ip_address%3D{address}");
    assert_eq!(ids(&member, "ports", "ports", &filter).await, [id(&port)]);
    assert_eq!(ids(&member, "ports", "ports", "?device_owner=network:distributed").await.len(), 1);
    assert_eq!(ids(&member, "ports", "ports", "?status=DOWN&name=p").await.len(), 1);

    let chosen = json!({"network_id": network, "fixed_ips": [{"ip_address": "10.0.0.177"}], "mac_address": "fa:16:3e:00:00:77"});
    let twin = create(&member, "ports", "port", chosen.clone()).await;
    assert_eq!(twin["mac_address"], "fa:16:3e:00:00:77");
    refused(member.post(&path("ports"), json!({ "port": chosen })).await, 409, "MacAddressInUse");
    let same_address = json!({"network_id": network, "fixed_ips": [{"ip_address": "10.0.0.177"}]});
    let said = member.post(&path("ports"), json!({ "port": same_address })).await.expect(409);
    assert_eq!(said["NeutronError"]["type"], "IpAddressAlreadyAllocated");
    assert!(said["NeutronError"]["message"].as_str().unwrap().contains(&id(&twin)));

    let moved = json!({"fixed_ips": [{"ip_address": "10.0.0.178"}, {"ip_address": "10.0.0.177"}]});
    let moved = update(&member, "ports", "port", &id(&twin), moved).await;
    assert_eq!(moved["fixed_ips"].as_array().unwrap().len(), 2);

    refused(member.delete(&path(&format!("subnets/{subnet}"))).await, 409, "SubnetInUse");
    refused(member.delete(&path(&format!("networks/{network}"))).await, 409, "NetworkInUse");
    for port in [id(&port), id(&twin)] {
        member.delete(&path(&format!("ports/{port}"))).await.expect(204);
    }
    member.delete(&path(&format!("subnets/{subnet}"))).await.expect(204);
    member.delete(&path(&format!("networks/{network}"))).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_creates_never_share_an_address() {
    let cloud = Cloud::quiet().await;
    // 61 addresses beside the gateway; one is the metadata port's, so 60 are left for 64.
    let (network, _) = cloud.network("10.0.0.0/26").await;
    let attempts: Vec<_> = (0..64)
        .map(|_| {
            let (member, network) = (cloud.member(), network.clone());
            tokio::spawn(async move { member.post(&path("ports"), json!({"port": {"network_id": network}})).await })
        })
        .collect();
    let mut addresses = Vec::new();
    let mut refusals = 0;
    for attempt in attempts {
        let said = attempt.await.unwrap();
        match said.status.as_u16() {
            201 => addresses.push(said.body["port"]["fixed_ips"][0]["ip_address"].as_str().unwrap().to_owned()),
            _ => {
                refused(said, 409, "IpAddressGenerationFailure");
                refusals += 1;
            }
        }
    }
    let different: HashSet<&String> = addresses.iter().collect();
    assert_eq!(different.len(), addresses.len());
    assert_eq!((addresses.len(), refusals), (60, 4));
}

#[tokio::test]
async fn the_clouds_own_port_is_out_of_the_way_of_those_who_choose() {
    let cloud = Cloud::quiet().await;
    let (network, _) = cloud.network("10.0.0.0/28").await;
    let member = cloud.member();
    let own = async || {
        let ports = member.get(&path("ports?device_owner=network:distributed")).await.expect(200);
        ports["ports"][0]["fixed_ips"].as_array().unwrap().iter().map(|fixed| fixed["ip_address"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(own().await, ["10.0.0.14"]);
    for last in 2..14 {
        let ask = json!({"network_id": network, "fixed_ips": [{"ip_address": format!("10.0.0.{last}")}]});
        create(&member, "ports", "port", ask).await;
    }
    // It keeps what it has when more comes, and takes what is left when somebody was first.
    let pool = json!([{"start": "10.1.0.2", "end": "10.1.0.9"}]);
    let second =
        json!({"network_id": network, "ip_version": 4, "cidr": "10.1.0.0/24", "allocation_pools": pool, "enable_dhcp": false});
    let second = id(&create(&member, "subnets", "subnet", second).await);
    for address in ["10.1.0.9", "10.1.0.8", "10.1.0.6"] {
        create(&member, "ports", "port", json!({"network_id": network, "fixed_ips": [{"ip_address": address}]})).await;
    }
    update(&member, "subnets", "subnet", &second, json!({"enable_dhcp": true})).await;
    assert_eq!(own().await, ["10.0.0.14", "10.1.0.7"]);
}

#[tokio::test]
async fn tenants_cannot_take_network_owners() {
    let cloud = Cloud::quiet().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let member = cloud.member();
    for owner in ["network:dhcp", "network:router_interface", "network:floatingip"] {
        let ask = json!({"port": {"network_id": network, "device_owner": owner}});
        refused(member.post(&path("ports"), ask).await, 403, "PolicyNotAuthorized");
    }
    let port = id(&create(&member, "ports", "port", json!({"network_id": network})).await);
    let port_path = path(&format!("ports/{port}"));
    refused(member.put(&port_path, json!({"port": {"device_owner": "network:dhcp"}})).await, 403, "PolicyNotAuthorized");
    refused(member.put(&port_path, json!({"port": {"binding:host_id": "h"}})).await, 403, "PolicyNotAuthorized");
    let door = ids(&member, "ports", "ports", "?device_owner=network:distributed").await.remove(0);
    let said = member.put(&path(&format!("ports/{door}")), json!({"port": {"device_id": "mine"}})).await;
    refused(said, 403, "PolicyNotAuthorized");
}

#[tokio::test]
async fn guests_of_a_shared_network_choose_less() {
    let cloud = Cloud::quiet().await;
    let (network, subnet) = cloud.network("10.0.0.0/24").await;
    update(&cloud.admin(), "networks", "network", &network, json!({"shared": true})).await;
    let other = cloud.other();
    for choice in [
        json!({"mac_address": "fa:16:3e:00:00:01"}),
        json!({"fixed_ips": [{"ip_address": "10.0.0.109"}]}),
        json!({"port_security_enabled": false}),
        json!({"allowed_address_pairs": [{"ip_address": "10.0.0.1"}]}),
    ] {
        let mut ask = choice;
        ask["network_id"] = json!(network);
        refused(other.post(&path("ports"), json!({ "port": ask })).await, 403, "PolicyNotAuthorized");
    }
    let ask = json!({"network_id": network, "fixed_ips": [{"subnet_id": subnet}]});
    create(&other, "ports", "port", ask).await;
}

#[tokio::test]
async fn port_security_and_groups_go_together() {
    let cloud = Cloud::quiet().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let member = cloud.member();
    let group = id(&create(&member, "security-groups", "security_group", json!({"name": "g"})).await);
    let ask = json!({"port": {"network_id": network, "port_security_enabled": false, "security_groups": [group]}});
    refused(member.post(&path("ports"), ask).await, 400, "PortSecurityAndIPRequiredForSecurityGroups");
    let ask = json!({"port": {"network_id": network, "port_security_enabled": false,
        "allowed_address_pairs": [{"ip_address": "10.0.0.109"}]}});
    refused(member.post(&path("ports"), ask).await, 409, "AddressPairAndPortSecurityRequired");
    let port = id(&create(&member, "ports", "port", json!({"network_id": network, "security_groups": [group]})).await);
    let port_path = path(&format!("ports/{port}"));
    let off = json!({"port": {"port_security_enabled": false}});
    refused(member.put(&port_path, off).await, 409, "PortSecurityPortHasSecurityGroup");
    let off = json!({"port_security_enabled": false, "security_groups": []});
    assert_eq!(update(&member, "ports", "port", &port, off).await["security_groups"], json!([]));
    let theirs = id(&create(&cloud.other(), "security-groups", "security_group", json!({"name": "g"})).await);
    let ask = json!({"port": {"network_id": network, "security_groups": [theirs]}});
    refused(member.post(&path("ports"), ask).await, 404, "SecurityGroupNotFound");
}

#[tokio::test]
async fn guests_derive_addresses_where_a_subnet_says_so() {
    let cloud = Cloud::quiet().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let member = cloud.member();
    let early = id(&create(&member, "ports", "port", json!({"network_id": network})).await);
    let slaac = json!({"network_id": network, "ip_version": 6, "cidr": "2001:db8::/64",
        "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"});
    let subnet = id(&create(&member, "subnets", "subnet", slaac).await);
    let late = create(&member, "ports", "port", json!({"network_id": network, "mac_address": "fa:16:3e:00:00:01"})).await;
    let has =
        |port: &Value, address: &str| port["fixed_ips"].as_array().unwrap().iter().any(|fixed| fixed["ip_address"] == address);
    assert!(has(&late, "2001:db8::f816:3eff:fe00:1"));
    assert_eq!(show(&member, "ports", "port", &early).await["fixed_ips"].as_array().unwrap().len(), 2);
    let chosen = json!({"port": {"network_id": network, "fixed_ips": [{"ip_address": "2001:db8::7"}]}});
    refused(member.post(&path("ports"), chosen).await, 400, "AllocationOnAutoAddressSubnet");
    // Such addresses do not keep the subnet from going.
    member.delete(&path(&format!("subnets/{subnet}"))).await.expect(204);
    assert_eq!(show(&member, "ports", "port", &early).await["fixed_ips"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_quota_counts_in_the_same_transaction() {
    let cloud = Cloud::quiet().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let (member, admin) = (cloud.member(), cloud.admin());
    refused(member.put(&path("quotas/p1"), json!({"quota": {"port": 9}})).await, 403, "PolicyNotAuthorized");
    admin.put(&path("quotas/p1"), json!({"quota": {"port": 3}})).await.expect(200);
    assert_eq!(member.get(&path("quotas/p1")).await.expect(200)["quota"]["port"], 3);
    let ask = json!({"ports": [{"network_id": network}, {"network_id": network}, {"network_id": network}]});
    refused(member.post(&path("ports"), ask).await, 409, "OverQuota");
    // Nothing of a bulk request stays when one of it cannot be.
    assert_eq!(ids(&member, "ports", "ports", "?device_owner=").await.len(), 0);
    create(&member, "ports", "port", json!({"network_id": network})).await;
    let details = member.get(&path("quotas/p1/details.json")).await.expect(200);
    assert_eq!(details["quota"]["port"], json!({"limit": 3, "used": 2, "reserved": 0}));
}

#[tokio::test]
async fn lists_of_ports_cost_the_same_however_long() {
    let cloud = Cloud::quiet().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let member = cloud.member();
    let count = async || {
        let before = cloud.world.store.statements();
        member.get(&path("ports")).await.expect(200);
        cloud.world.store.statements() - before
    };
    let few = count().await;
    let ask: Vec<_> = (0..20).map(|_| json!({"network_id": network})).collect();
    member.post(&path("ports"), json!({ "ports": ask })).await.expect(201);
    assert_eq!(count().await, few);
}
