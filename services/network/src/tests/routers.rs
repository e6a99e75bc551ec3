// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/routers` and `/v2.0/floatingips`, and what they are in OVN.

use contracts::audit::Audit;
use serde_json::{Value, json};
use world::{Said, Talk};

use super::fixture::{Cloud, NOTHING, create, id, ids, path, refused, show, until, update};

async fn act(talk: &Talk, router: &str, action: &str, ask: Value) -> Said {
    talk.put(&path(&format!("routers/{router}/{action}")), ask).await
}

/// A network behind a router with its gateway on an external network: network, subnet, router, external network.
async fn routed(cloud: &Cloud) -> (String, String, String, String) {
    let (network, subnet) = cloud.network("10.0.0.0/24").await;
    let (public, _) = cloud.external("172.24.4.0/24").await;
    let ask = json!({"name": "r", "external_gateway_info": {"network_id": public}});
    let router = id(&create(&cloud.member(), "routers", "router", ask).await);
    act(&cloud.member(), &router, "add_router_interface", json!({"subnet_id": subnet})).await.expect(200);
    (network, subnet, router, public)
}

#[tokio::test]
async fn a_tenants_router() {
    let mut cloud = Cloud::live().await;
    cloud.start_northd();
    cloud.add_chassis("hv1", "physnet1:br-ex");
    cloud.add_chassis("hv2", "physnet1:br-ex");
    cloud.add_chassis("hv3", "elsewhere:br-x");
    let (network, subnet, router, public) = routed(&cloud).await;
    let member = cloud.member();
    let shown = show(&member, "routers", "router", &router).await;
    let gateway = &shown["external_gateway_info"];
    assert_eq!(gateway["network_id"], json!(public));
    assert_eq!(gateway["enable_snat"], true);
    let outside = gateway["external_fixed_ips"][0]["ip_address"].as_str().unwrap().to_owned();
    let interface = member.get(&path(&format!("ports?device_id={router}"))).await.expect(200);
    assert_eq!(interface["ports"].as_array().unwrap().len(), 1, "the gateway's port belongs to no project");
    assert_eq!(interface["ports"][0]["fixed_ips"][0]["ip_address"], "10.0.0.1");
    let port = id(&interface["ports"][0]);
    until("the router's port to be ACTIVE", async || show(&member, "ports", "port", &port).await["status"] == "ACTIVE").await;

    cloud.settled().await;
    let nat = cloud.nbctl(&["lr-nat-list", &format!("neutron-{router}")]);
    assert!(nat.contains("snat") && nat.contains(&outside) && nat.contains("10.0.0.0/24"), "{nat}");
    let routes = cloud.nbctl(&["lr-route-list", &format!("neutron-{router}")]);
    assert!(routes.contains("0.0.0.0/0") && routes.contains("172.24.4.1"), "{routes}");
    // As many candidates as there are hosts on that physical network, each with a priority of its own.
    let candidates = || cloud.nbctl(&["--bare", "--columns=chassis_name,priority", "list", "Gateway_Chassis"]);
    until("both hosts to be candidates", async || candidates().contains("hv1") && candidates().contains("hv2")).await;
    assert!(!candidates().contains("hv3"), "{}", candidates());

    let knows = || cloud.nbctl(&["get", "NB_Global", ".", "options"]).contains("bfd-min-rx=\"500\"");
    until("OVN to know how fast gateways move", async || knows()).await;

    let extra = json!({"routes": [{"destination": "192.168.7.0/24", "nexthop": "10.0.0.199"}]});
    update(&member, "routers", "router", &router, extra).await;
    cloud.settled().await;
    let routes = cloud.nbctl(&["lr-route-list", &format!("neutron-{router}")]);
    assert!(routes.contains("192.168.7.0/24") && routes.contains("10.0.0.199"), "{routes}");
    let said = act(&member, &router, "remove_router_interface", json!({"subnet_id": subnet})).await;
    refused(said, 409, "RouterInterfaceInUseByRoute");
    let gone = json!({"router": {"routes": [{"destination": "192.168.7.0/24", "nexthop": "10.0.0.199"}]}});
    assert_eq!(act(&member, &router, "remove_extraroutes", gone).await.expect(200)["router"]["routes"], json!([]));

    refused(member.delete(&path(&format!("routers/{router}"))).await, 409, "RouterInUse");
    refused(member.delete(&path(&format!("ports/{port}"))).await, 409, "ServicePortInUse");
    refused(member.delete(&path(&format!("networks/{network}"))).await, 409, "NetworkInUse");
    let removed = act(&member, &router, "remove_router_interface", json!({"subnet_id": subnet})).await.expect(200);
    assert_eq!((removed["port_id"].clone(), removed["subnet_id"].clone()), (json!(port), json!(subnet)));
    member.delete(&path(&format!("routers/{router}"))).await.expect(204);
    cloud.settled().await;
    assert_eq!(cloud.nbctl(&["lr-list"]), "");
    assert_eq!(cloud.nbctl(&["--bare", "--columns=name", "list", "Gateway_Chassis"]), "");
    assert!(cloud.network.audit().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_host_that_comes_becomes_a_candidate() {
    let cloud = Cloud::live().await;
    let (.., router, _) = routed(&cloud).await;
    cloud.settled().await;
    assert_eq!(cloud.nbctl(&["--bare", "--columns=name", "list", "Gateway_Chassis"]), "");
    cloud.add_chassis("hv1", "physnet1:br-ex");
    until("the host to be a candidate", async || {
        cloud.nbctl(&["--bare", "--columns=chassis_name", "list", "Gateway_Chassis"]) == "hv1"
    })
    .await;
    let agents = cloud.admin().get(&path("agents")).await.expect(200);
    assert_eq!(agents["agents"][0]["host"], "hv1.test");
    assert_eq!(agents["agents"][0]["agent_type"], "OVN Controller Gateway agent");
    assert_eq!(agents["agents"][0]["alive"], true);
    assert_eq!(router.len(), 36);
}

#[tokio::test]
async fn interfaces_that_cannot_be() {
    let cloud = Cloud::quiet().await;
    let (network, subnet, router, public) = routed(&cloud).await;
    let member = cloud.member();
    let add = async |ask: Value| act(&member, &router, "add_router_interface", ask).await;
    refused(add(json!({})).await, 400, "HTTPBadRequest");
    refused(add(json!({"subnet_id": subnet, "port_id": NOTHING})).await, 400, "HTTPBadRequest");
    refused(add(json!({"subnet_id": "nothing"})).await, 400, "HTTPBadRequest");
    refused(add(json!({"subnet_id": null})).await, 400, "HTTPBadRequest");
    refused(add(json!({"subnet_id": NOTHING})).await, 404, "SubnetNotFound");
    refused(add(json!({"port_id": NOTHING})).await, 404, "PortNotFound");
    refused(add(json!({"subnet_id": subnet})).await, 400, "HTTPBadRequest");
    refused(act(&member, "nothing", "add_router_interface", json!({"subnet_id": subnet})).await, 404, "RouterNotFound");
    refused(act(&cloud.other(), &router, "add_router_interface", json!({"subnet_id": subnet})).await, 404, "RouterNotFound");
    // Same range on another network.
    let (_, twin) = cloud.network("10.0.0.0/25").await;
    refused(add(json!({"subnet_id": twin})).await, 400, "HTTPBadRequest");
    let headless = json!({"network_id": network, "ip_version": 4, "cidr": "10.7.0.0/24", "gateway_ip": null});
    let headless = id(&create(&member, "subnets", "subnet", headless).await);
    refused(add(json!({"subnet_id": headless})).await, 400, "HTTPBadRequest");
    let used = json!({"network_id": network, "device_id": "a-server", "fixed_ips": [{"subnet_id": headless}]});
    let used = id(&create(&member, "ports", "port", used).await);
    refused(add(json!({"port_id": used})).await, 409, "PortInUse");
    let free = json!({"network_id": network, "fixed_ips": [{"subnet_id": headless}]});
    let free = id(&create(&member, "ports", "port", free).await);
    add(json!({"port_id": free})).await.expect(200);
    let owned = show(&member, "ports", "port", &free).await;
    assert_eq!((owned["device_owner"].clone(), owned["security_groups"].clone()), (json!("network:router_interface"), json!([])));

    let gone = async |ask: Value| act(&member, &router, "remove_router_interface", ask).await;
    refused(gone(json!({"port_id": used})).await, 404, "RouterInterfaceNotFound");
    refused(gone(json!({"subnet_id": twin})).await, 404, "RouterInterfaceNotFoundForSubnet");
    gone(json!({"port_id": free})).await.expect(200);

    let set = async |talk: &Talk, info: Value| {
        talk.put(&path(&format!("routers/{router}")), json!({"router": {"external_gateway_info": info}})).await
    };
    refused(set(&member, json!({"network_id": network})).await, 400, "HTTPBadRequest");
    refused(set(&member, json!({"network_id": NOTHING})).await, 404, "NetworkNotFound");
    refused(set(&member, json!({"network_id": public, "enable_snat": false})).await, 403, "PolicyNotAuthorized");
    let chosen = json!({"network_id": public, "external_fixed_ips": [{"ip_address": "172.24.4.9"}]});
    refused(set(&member, chosen.clone()).await, 403, "PolicyNotAuthorized");
    let body = set(&cloud.admin(), chosen).await.expect(200);
    assert_eq!(body["router"]["external_gateway_info"]["external_fixed_ips"][0]["ip_address"], "172.24.4.9");
    let second = json!({"external_gateway_info": {"network_id": public, "external_fixed_ips": [{"ip_address": "172.24.4.9"}]}});
    let said = cloud.admin().post(&path("routers"), json!({ "router": second })).await;
    refused(said, 409, "IpAddressAlreadyAllocated");
    let body = set(&member, Value::Null).await.expect(200);
    assert_eq!(body["router"]["external_gateway_info"], Value::Null);
    let far = json!({"router": {"routes": [{"destination": "192.168.7.0/24", "nexthop": "10.99.0.1"}]}});
    refused(member.put(&path(&format!("routers/{router}")), far).await, 400, "InvalidRoutes");
}

#[tokio::test]
async fn a_floating_ip_leads_to_a_port_and_back() {
    let cloud = Cloud::live().await;
    let (network, subnet, router, public) = routed(&cloud).await;
    let member = cloud.member();
    let port = id(&create(&member, "ports", "port", json!({"network_id": network})).await);
    let floating = create(&member, "floatingips", "floatingip", json!({"floating_network_id": public})).await;
    assert_eq!((floating["status"].clone(), floating["port_id"].clone()), (json!("DOWN"), Value::Null));
    let led = update(&member, "floatingips", "floatingip", &id(&floating), json!({"port_id": port})).await;
    assert_eq!(led["status"], "ACTIVE");
    assert_eq!(led["router_id"], json!(router));
    assert_eq!(led["port_details"]["network_id"], json!(network));
    cloud.settled().await;
    let address = led["floating_ip_address"].as_str().unwrap();
    let nat = || cloud.nbctl(&["lr-nat-list", &format!("neutron-{router}")]);
    assert!(nat().contains("dnat_and_snat") && nat().contains(address), "{}", nat());
    assert_eq!(ids(&member, "floatingips", "floatingips", &format!("?port_id={port}")).await, [id(&floating)]);

    // What it needs stays.
    refused(
        act(&member, &router, "remove_router_interface", json!({"subnet_id": subnet})).await,
        409,
        "RouterInterfaceInUseByFloatingIP",
    );
    let off = json!({"router": {"external_gateway_info": null}});
    refused(member.put(&path(&format!("routers/{router}")), off).await, 409, "RouterExternalGatewayInUseByFloatingIp");
    let twin = json!({"floatingip": {"floating_network_id": public, "port_id": port}});
    refused(member.post(&path("floatingips"), twin).await, 409, "FloatingIPPortAlreadyAssociated");
    refused(cloud.other().get(&path(&format!("floatingips/{}", id(&floating)))).await, 404, "FloatingIPNotFound");

    member.delete(&path(&format!("ports/{port}"))).await.expect(204);
    let freed = show(&member, "floatingips", "floatingip", &id(&floating)).await;
    assert_eq!(
        (freed["status"].clone(), freed["router_id"].clone(), freed["fixed_ip_address"].clone()),
        (json!("DOWN"), Value::Null, Value::Null)
    );
    cloud.settled().await;
    assert!(!nat().contains("dnat_and_snat"), "{}", nat());
    member.delete(&path(&format!("floatingips/{}", id(&floating)))).await.expect(204);
    assert_eq!(ids(&cloud.admin(), "ports", "ports", "?device_owner=network:floatingip").await.len(), 0);
    cloud.settled().await;
    assert!(cloud.network.audit().await.unwrap().is_empty());
}

#[tokio::test]
async fn floating_ips_that_cannot_be() {
    let cloud = Cloud::quiet().await;
    let (network, _, _, public) = routed(&cloud).await;
    let (member, other) = (cloud.member(), cloud.other());
    let post = async |talk: &Talk, ask: Value| talk.post(&path("floatingips"), json!({ "floatingip": ask })).await;
    refused(post(&member, json!({})).await, 400, "HTTPBadRequest");
    refused(post(&member, json!({"floating_network_id": NOTHING})).await, 404, "NetworkNotFound");
    refused(post(&member, json!({"floating_network_id": network})).await, 400, "HTTPBadRequest");
    refused(
        post(&member, json!({"floating_network_id": public, "floating_ip_address": "172.24.4.150"})).await,
        403,
        "PolicyNotAuthorized",
    );
    refused(post(&member, json!({"floating_network_id": public, "port_id": NOTHING})).await, 404, "PortNotFound");
    refused(post(&member, json!({"floating_network_id": public, "fixed_ip_address": "10.0.0.109"})).await, 400, "HTTPBadRequest");
    let port = id(&create(&member, "ports", "port", json!({"network_id": network})).await);
    refused(post(&other, json!({"floating_network_id": public, "port_id": port})).await, 404, "PortNotFound");
    let absent = json!({"floating_network_id": public, "port_id": port, "fixed_ip_address": "10.0.0.250"});
    refused(post(&member, absent).await, 400, "HTTPBadRequest");
    let (lonely, _) = cloud.network("10.5.0.0/24").await;
    let lonely = id(&create(&member, "ports", "port", json!({"network_id": lonely})).await);
    let said = post(&member, json!({"floating_network_id": public, "port_id": lonely})).await;
    refused(said, 404, "ExternalGatewayForFloatingIPNotFound");
    // Nothing of a refused request stays.
    assert_eq!(ids(&cloud.admin(), "ports", "ports", "?device_owner=network:floatingip").await.len(), 0);

    let admin = cloud.admin();
    let chosen = post(&admin, json!({"floating_network_id": public, "floating_ip_address": "172.24.4.150"})).await.expect(201);
    let again = json!({"floating_network_id": public, "floating_ip_address": "172.24.4.150"});
    refused(post(&admin, again).await, 409, "IpAddressAlreadyAllocated");
    let outside = json!({"floating_network_id": public, "floating_ip_address": "172.24.5.50"});
    refused(post(&admin, outside).await, 400, "InvalidIpForNetwork");
    assert_eq!(chosen["floatingip"]["floating_ip_address"], "172.24.4.150");
    refused(
        member.put(&path(&format!("networks/{public}")), json!({"network": {"name": "mine"}})).await,
        403,
        "PolicyNotAuthorized",
    );
    refused(
        admin.put(&path(&format!("networks/{public}")), json!({"network": {"router:external": false}})).await,
        409,
        "ExternalNetworkInUse",
    );
}

#[tokio::test]
async fn lists_of_routers_and_floating_ips_cost_the_same_however_long() {
    let cloud = Cloud::quiet().await;
    let (_, _, _, public) = routed(&cloud).await;
    let member = cloud.member();
    let floating = async || {
        create(&member, "floatingips", "floatingip", json!({"floating_network_id": public})).await;
        create(&member, "routers", "router", json!({"external_gateway_info": {"network_id": public}})).await;
    };
    let count = async |collection: &str| {
        let before = cloud.world.store.statements();
        member.get(&path(collection)).await.expect(200);
        cloud.world.store.statements() - before
    };
    floating().await;
    let few = (count("routers").await, count("floatingips").await);
    floating().await;
    floating().await;
    assert_eq!((count("routers").await, count("floatingips").await), few);
}
