// SPDX-License-Identifier: Apache-2.0
//! What leans on each other goes in the order that Neutron allows, and nothing is left that can never go.

use serde_json::{Value, json};
use world::{Said, Talk};

use super::fixture::{Cloud, create, id, path, refused, show, update};

async fn act(talk: &Talk, router: &str, action: &str, ask: Value) -> Said {
    talk.put(&path(&format!("routers/{router}/{action}")), ask).await
}

async fn rule(talk: &Talk, group: &str, remote: &str) -> String {
    let ask = json!({"security_group_id": group, "direction": "ingress", "protocol": "tcp", "remote_group_id": remote});
    id(&create(talk, "security-group-rules", "security_group_rule", ask).await)
}

#[tokio::test]
async fn groups_that_name_each_other_go_with_the_rules_that_name_them() {
    let cloud = Cloud::live().await;
    let member = cloud.member();
    let mut groups = Vec::new();
    for name in ["masters", "workers", "bystanders"] {
        groups.push(id(&create(&member, "security-groups", "security_group", json!({ "name": name })).await));
    }
    let [masters, workers, bystanders] = groups.as_slice() else { unreachable!() };
    rule(&member, masters, workers).await;
    let back = rule(&member, workers, masters).await;
    rule(&member, masters, masters).await;
    let watching = rule(&member, bystanders, masters).await;
    let kept = rule(&member, bystanders, workers).await;
    cloud.settled().await;
    let named = |group: &str| {
        let name = format!("$pg_{}_ip4", group.replace('-', "_"));
        cloud.nbctl(&["--bare", "--columns=match", "list", "ACL"]).contains(&name)
    };
    assert!(named(masters) && named(workers));

    let before = show(&member, "security-groups", "security_group", bystanders).await;
    member.delete(&path(&format!("security-groups/{masters}"))).await.expect(204);
    for gone in [&back, &watching] {
        refused(member.get(&path(&format!("security-group-rules/{gone}"))).await, 404, "SecurityGroupRuleNotFound");
    }
    member.get(&path(&format!("security-group-rules/{kept}"))).await.expect(200);
    let after = show(&member, "security-groups", "security_group", bystanders).await;
    assert!(after["revision_number"].as_i64() > before["revision_number"].as_i64(), "it changed");
    cloud.settled().await;
    assert!(!named(masters) && named(workers));
    member.delete(&path(&format!("security-groups/{workers}"))).await.expect(204);
    member.delete(&path(&format!("security-groups/{bystanders}"))).await.expect(204);
    cloud.settled().await;
    assert!(!named(workers));
}

/// A network behind a router with its gateway outside: network, subnet, router, external network, a port with a floating IP.
async fn reached(cloud: &Cloud) -> [String; 6] {
    let member = cloud.member();
    let (network, subnet) = cloud.network("10.0.0.0/24").await;
    let (public, _) = cloud.external("172.24.4.0/24").await;
    let ask = json!({"external_gateway_info": {"network_id": public}});
    let router = id(&create(&member, "routers", "router", ask).await);
    act(&member, &router, "add_router_interface", json!({"subnet_id": subnet})).await.expect(200);
    let port = id(&create(&member, "ports", "port", json!({"network_id": network})).await);
    let floating = json!({"floating_network_id": public, "port_id": port});
    let floating = id(&create(&member, "floatingips", "floatingip", floating).await);
    [network, subnet, router, public, port, floating]
}

#[tokio::test]
async fn an_interface_goes_with_the_floating_addresses_of_its_port() {
    let cloud = Cloud::live().await;
    let member = cloud.member();
    let [_, subnet, router, _, port, floating] = reached(&cloud).await;
    let in_use = act(&member, &router, "remove_router_interface", json!({"subnet_id": subnet})).await;
    refused(in_use, 409, "RouterInterfaceInUseByFloatingIP");
    // The port becomes an interface of another router, and its address still leads to it.
    let second = id(&create(&member, "routers", "router", json!({})).await);
    act(&member, &second, "add_router_interface", json!({"port_id": port})).await.expect(200);
    act(&member, &second, "remove_router_interface", json!({"port_id": port})).await.expect(200);
    let freed = show(&member, "floatingips", "floatingip", &floating).await;
    assert_eq!((freed["port_id"].clone(), freed["status"].clone()), (Value::Null, json!("DOWN")));
    act(&member, &router, "remove_router_interface", json!({"subnet_id": subnet})).await.expect(200);
    for router in [router, second] {
        member.delete(&path(&format!("routers/{router}"))).await.expect(204);
    }
}

#[tokio::test]
async fn an_interface_without_an_address_can_be_removed() {
    let cloud = Cloud::live().await;
    let member = cloud.member();
    let (_, subnet) = cloud.network("10.0.0.0/24").await;
    let router = id(&create(&member, "routers", "router", json!({})).await);
    let interface = act(&member, &router, "add_router_interface", json!({"subnet_id": subnet})).await.expect(200);
    let port = interface["port_id"].as_str().unwrap();
    update(&member, "ports", "port", port, json!({"fixed_ips": []})).await;
    // OVN is told of a router without this port meanwhile.
    cloud.settled().await;
    assert_eq!(cloud.nbctl(&["--bare", "--columns=name", "list", "Logical_Router_Port"]), "");
    let none = act(&member, &router, "remove_router_interface", json!({"subnet_id": subnet})).await;
    refused(none, 404, "RouterInterfaceNotFoundForSubnet");
    let both = json!({"subnet_id": subnet, "port_id": port});
    refused(act(&member, &router, "remove_router_interface", both).await, 400, "SubnetMismatchForPort");
    let removed = act(&member, &router, "remove_router_interface", json!({"port_id": port})).await.expect(200);
    assert_eq!((removed["subnet_id"].clone(), removed["subnet_ids"].clone()), (Value::Null, json!([])));
    member.delete(&path(&format!("routers/{router}"))).await.expect(204);
}

#[tokio::test]
async fn what_is_in_use_stays_and_says_by_what() {
    let cloud = Cloud::quiet().await;
    let (member, admin) = (cloud.member(), cloud.admin());
    let [network, subnet, router, public, port, floating] = reached(&cloud).await;
    let pool = json!({"name": "pool", "prefixes": ["10.20.0.0/16"], "default_prefixlen": 24});
    let pool = id(&create(&member, "subnetpools", "subnetpool", pool).await);
    let cut = json!({"network_id": network, "subnetpool_id": pool, "ip_version": 4});
    let cut = id(&create(&member, "subnets", "subnet", cut).await);
    let group = id(&create(&member, "security-groups", "security_group", json!({"name": "g"})).await);
    update(&member, "ports", "port", &port, json!({"security_groups": [group]})).await;
    let interface = act(&member, &router, "add_router_interface", json!({"subnet_id": cut})).await.expect(200);
    let interface = interface["port_id"].as_str().unwrap();
    for (thing, status, kind) in [
        (format!("networks/{network}"), 409, "NetworkInUse"),
        (format!("networks/{public}"), 409, "NetworkInUse"),
        (format!("subnets/{subnet}"), 409, "SubnetInUse"),
        (format!("subnets/{cut}"), 409, "SubnetInUse"),
        (format!("subnetpools/{pool}"), 400, "SubnetPoolDeleteError"),
        (format!("routers/{router}"), 409, "RouterInUse"),
        (format!("ports/{interface}"), 409, "ServicePortInUse"),
        (format!("security-groups/{group}"), 409, "SecurityGroupInUse"),
    ] {
        refused(admin.delete(&path(&thing)).await, status, kind);
    }
    let no_gateway = json!({"router": {"external_gateway_info": {}}});
    let said = member.put(&path(&format!("routers/{router}")), no_gateway).await;
    refused(said, 409, "RouterExternalGatewayInUseByFloatingIp");
    let moved = member.put(&path(&format!("ports/{port}")), json!({"port": {"fixed_ips": []}})).await;
    refused(moved, 400, "HTTPBadRequest");
    let gateways =
        admin.get(&path("ports?device_owner=network:router_gateway&device_owner=network:floatingip")).await.expect(200);
    for port in gateways["ports"].as_array().unwrap() {
        refused(admin.delete(&path(&format!("ports/{}", id(port)))).await, 409, "ServicePortInUse");
    }

    // In this order all of it goes.
    member.delete(&path(&format!("ports/{port}"))).await.expect(204);
    assert_eq!(show(&member, "floatingips", "floatingip", &floating).await["port_id"], Value::Null);
    for subnet in [&cut, &subnet] {
        act(&member, &router, "remove_router_interface", json!({"subnet_id": subnet})).await.expect(200);
    }
    for thing in [
        format!("routers/{router}"),
        format!("subnets/{cut}"),
        format!("subnetpools/{pool}"),
        format!("networks/{network}"),
        format!("security-groups/{group}"),
    ] {
        member.delete(&path(&thing)).await.expect(204);
    }
    admin.delete(&path(&format!("networks/{public}"))).await.expect(204);
    refused(member.get(&path(&format!("floatingips/{floating}"))).await, 404, "FloatingIPNotFound");
    let left = admin.get(&path("ports")).await.expect(200);
    assert_eq!(left["ports"], json!([]));
}
