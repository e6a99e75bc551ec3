// SPDX-License-Identifier: Apache-2.0
//! Requests that cannot be: each with its status and Neutron's name for it. None leaves anything behind.

use serde_json::{Value, json};

use super::fixture::{Cloud, NOTHING, path, refused};

#[tokio::test]
async fn networks() {
    let cloud = Cloud::quiet().await;
    for (ask, status, kind) in [
        (json!({"network": {"name": 7}}), 400, "HTTPBadRequest"),
        (json!({"network": {"name": "x".repeat(256)}}), 400, "HTTPBadRequest"),
        (json!({"network": {"admin_state_up": "perhaps"}}), 400, "HTTPBadRequest"),
        (json!({"network": {"mtu": "big"}}), 400, "HTTPBadRequest"),
        (json!({"network": {"mtu": 9000}}), 400, "InvalidInput"),
        (json!({"network": {"mtu": 60}}), 400, "InvalidInput"),
        (json!({"network": {"id": "mine"}}), 400, "HTTPBadRequest"),
        (json!({"network": {"colour": "blue"}}), 400, "HTTPBadRequest"),
        (json!({"network": []}), 400, "HTTPBadRequest"),
        (json!({"networks": []}), 400, "HTTPBadRequest"),
        (json!({"net": {}}), 400, "HTTPBadRequest"),
        (json!([]), 400, "HTTPBadRequest"),
        (json!({"network": {"shared": true}}), 403, "PolicyNotAuthorized"),
        (json!({"network": {"router:external": true}}), 403, "PolicyNotAuthorized"),
        (json!({"network": {"project_id": "p2"}}), 403, "PolicyNotAuthorized"),
        (json!({"network": {"project_id": "p1", "tenant_id": "p2"}}), 400, "HTTPBadRequest"),
        (json!({"network": {"availability_zone_hints": ["mars"]}}), 400, "HTTPBadRequest"),
        (json!({"networks": [{"name": "fine"}, {"mtu": 9000}]}), 400, "InvalidInput"),
    ] {
        refused(cloud.member().post(&path("networks"), ask).await, status, kind);
    }
    refused(cloud.member().send("POST", &path("networks"), b"{\"network\":".to_vec()).await, 400, "HTTPBadRequest");
    let left = cloud.admin().get(&path("networks")).await.expect(200);
    assert_eq!(left["networks"], json!([]));
}

#[tokio::test]
async fn subnets() {
    let cloud = Cloud::quiet().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let with = |extra: Value| {
        let mut subnet = json!({"network_id": network, "ip_version": 4, "cidr": "10.1.0.0/24"});
        for (key, value) in extra.as_object().unwrap() {
            subnet[key] = value.clone();
        }
        json!({ "subnet": subnet })
    };
    for (extra, status, kind) in [
        (json!({"cidr": "10.1.0.0"}), 400, "HTTPBadRequest"),
        (json!({"cidr": "10.1.0.0/33"}), 400, "HTTPBadRequest"),
        (json!({"cidr": "10.1.0.1/24"}), 400, "HTTPBadRequest"),
        (json!({"cidr": "10.1.0.0/24 or so"}), 400, "HTTPBadRequest"),
        (json!({"cidr": 10}), 400, "HTTPBadRequest"),
        (json!({"cidr": null}), 400, "HTTPBadRequest"),
        (json!({"cidr": "0.0.0.0/0"}), 400, "InvalidInput"),
        (json!({"cidr": "224.0.0.0/24"}), 400, "InvalidInput"),
        (json!({"cidr": "127.0.0.0/24"}), 400, "InvalidInput"),
        (json!({"cidr": "10.0.0.128/25"}), 400, "InvalidInput"),
        (json!({"ip_version": 6}), 400, "InvalidInput"),
        (json!({"ip_version": 5}), 400, "InvalidInput"),
        (json!({"ip_version": "four"}), 400, "HTTPBadRequest"),
        (json!({"network_id": "nothing"}), 400, "HTTPBadRequest"),
        (json!({"network_id": NOTHING}), 404, "NetworkNotFound"),
        (json!({"network_id": 7}), 400, "HTTPBadRequest"),
        (json!({"gateway_ip": "10.1.0"}), 400, "HTTPBadRequest"),
        (json!({"gateway_ip": "10.1.0.255"}), 400, "InvalidInput"),
        (json!({"gateway_ip": "fe80::1"}), 400, "InvalidInput"),
        (json!({"allocation_pools": [{"start": "10.1.0.9", "end": "10.1.0.2"}]}), 400, "InvalidAllocationPool"),
        (json!({"allocation_pools": [{"start": "10.1.0.9", "end": "10.2.0.2"}]}), 400, "OutOfBoundsAllocationPool"),
        (
            json!({"allocation_pools": [{"start": "10.1.0.2", "end": "10.1.0.9"}, {"start": "10.1.0.9", "end": "10.1.0.20"}]}),
            409,
            "OverlappingAllocationPools",
        ),
        (json!({"allocation_pools": [{"start": "10.1.0.1", "end": "10.1.0.9"}]}), 409, "GatewayConflictWithAllocationPools"),
        (json!({"allocation_pools": [{"start": "10.1.0.2"}]}), 400, "HTTPBadRequest"),
        (json!({"allocation_pools": "10.1.0.2-10.1.0.9"}), 400, "HTTPBadRequest"),
        (json!({"dns_nameservers": ["ns.example.org"]}), 400, "HTTPBadRequest"),
        (json!({"dns_nameservers": ["192.0.2.1\nserver=x"]}), 400, "HTTPBadRequest"),
        (json!({"dns_nameservers": ["192.0.2.1", "192.0.2.1"]}), 400, "HTTPBadRequest"),
        (
            json!({"dns_nameservers": ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6"]}),
            400,
            "DNSNameServersExhausted",
        ),
        (json!({"host_routes": [{"destination": "192.0.2.0/24"}]}), 400, "HTTPBadRequest"),
        (json!({"host_routes": [{"destination": "192.0.2.0/24", "nexthop": "x"}]}), 400, "HTTPBadRequest"),
        (json!({"host_routes": [{"destination": "192.0.2.0/24", "nexthop": "10.1.0.9", "metric": 1}]}), 400, "HTTPBadRequest"),
        (json!({"ipv6_ra_mode": "slaac"}), 400, "InvalidInput"),
        (json!({"ip_version": 6, "cidr": "2001:db8::/64", "ipv6_address_mode": "magic"}), 400, "HTTPBadRequest"),
        (
            json!({"ip_version": 6, "cidr": "2001:db8::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "dhcpv6-stateful"}),
            400,
            "InvalidInput",
        ),
        (json!({"ip_version": 6, "cidr": "2001:db8::/65", "ipv6_address_mode": "slaac"}), 400, "InvalidInput"),
        (json!({"ip_version": 6, "cidr": "2001:db8::/64", "ipv6_ra_mode": "slaac", "enable_dhcp": false}), 400, "InvalidInput"),
        (json!({"subnetpool_id": "x"}), 400, "HTTPBadRequest"),
        (json!({"subnetpool_id": NOTHING}), 404, "SubnetPoolNotFound"),
        (json!({"colour": "blue"}), 400, "HTTPBadRequest"),
    ] {
        refused(cloud.member().post(&path("subnets"), with(extra)).await, status, kind);
    }
    let left = cloud.admin().get(&path("subnets")).await.expect(200);
    assert_eq!(left["subnets"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn ports() {
    let cloud = Cloud::quiet().await;
    let (network, subnet) = cloud.network("10.0.0.0/24").await;
    let (_, elsewhere) = cloud.network("10.9.0.0/24").await;
    let with = |extra: Value| {
        let mut port = json!({"network_id": network});
        for (key, value) in extra.as_object().unwrap() {
            port[key] = value.clone();
        }
        json!({ "port": port })
    };
    for (extra, status, kind) in [
        (json!({"network_id": "nothing"}), 400, "HTTPBadRequest"),
        (json!({"network_id": NOTHING}), 404, "NetworkNotFound"),
        (json!({"network_id": null}), 400, "HTTPBadRequest"),
        (json!({"mac_address": "fa:16:3e"}), 400, "HTTPBadRequest"),
        (json!({"mac_address": "01:00:5e:00:00:01"}), 400, "HTTPBadRequest"),
        (json!({"mac_address": "00:00:00:00:00:00"}), 400, "HTTPBadRequest"),
        (json!({"fixed_ips": [{"ip_address": "10.0.0.256"}]}), 400, "HTTPBadRequest"),
        (json!({"fixed_ips": [{"ip_address": "10.1.0.9"}]}), 400, "InvalidIpForNetwork"),
        (json!({"fixed_ips": [{"ip_address": "10.1.0.9", "subnet_id": subnet}]}), 400, "InvalidIpForSubnet"),
        (json!({"fixed_ips": [{"ip_address": "10.0.0.0"}]}), 400, "InvalidIpForSubnet"),
        (json!({"fixed_ips": [{"ip_address": "10.0.0.255"}]}), 400, "InvalidIpForSubnet"),
        (json!({"fixed_ips": null}), 400, "HTTPBadRequest"),
        (json!({"fixed_ips": [{"subnet_id": "nothing"}]}), 400, "HTTPBadRequest"),
        (json!({"fixed_ips": [{"subnet_id": NOTHING}]}), 404, "SubnetNotFound"),
        (json!({"fixed_ips": [{"subnet_id": elsewhere}]}), 400, "InvalidInput"),
        (json!({"fixed_ips": [{}]}), 400, "HTTPBadRequest"),
        (json!({"fixed_ips": ["10.0.0.109"]}), 400, "HTTPBadRequest"),
        (json!({"fixed_ips": [{"ip_address": "10.0.0.109"}, {"ip_address": "10.0.0.109"}]}), 400, "HTTPBadRequest"),
        (json!({"security_groups": ["nothing"]}), 400, "HTTPBadRequest"),
        (json!({"security_groups": [NOTHING]}), 404, "SecurityGroupNotFound"),
        (json!({"security_groups": [NOTHING, NOTHING.to_uppercase()]}), 400, "HTTPBadRequest"),
        (json!({"security_groups": "default"}), 400, "HTTPBadRequest"),
        (json!({"security_groups": [7]}), 400, "HTTPBadRequest"),
        (json!({"allowed_address_pairs": [{"ip_address": "10.0.0.109 || 1"}]}), 400, "HTTPBadRequest"),
        (json!({"extra_dhcp_opts": [{"opt_name": "tftp-server", "opt_value": "x\ny"}]}), 400, "HTTPBadRequest"),
        (json!({"dns_name": "-x"}), 400, "HTTPBadRequest"),
        (json!({"dns_name": "a b"}), 400, "HTTPBadRequest"),
        (json!({"binding:vnic_type": "direct"}), 400, "HTTPBadRequest"),
        (json!({"binding:host_id": "h"}), 403, "PolicyNotAuthorized"),
        (json!({"status": "ACTIVE"}), 400, "HTTPBadRequest"),
        (json!({"colour": "blue"}), 400, "HTTPBadRequest"),
        (json!({"project_id": "p2"}), 403, "PolicyNotAuthorized"),
    ] {
        refused(cloud.member().post(&path("ports"), with(extra)).await, status, kind);
    }
    let left = cloud.admin().get(&path("ports?device_owner=")).await.expect(200);
    assert_eq!(left["ports"], json!([]));
}

#[tokio::test]
async fn what_is_not_there() {
    let cloud = Cloud::quiet().await;
    let member = cloud.member();
    for (collection, key, kind) in [
        ("networks", "network", "NetworkNotFound"),
        ("subnets", "subnet", "SubnetNotFound"),
        ("ports", "port", "PortNotFound"),
        ("routers", "router", "RouterNotFound"),
        ("floatingips", "floatingip", "FloatingIPNotFound"),
        ("security-groups", "security_group", "SecurityGroupNotFound"),
    ] {
        let thing = path(&format!("{collection}/{NOTHING}"));
        refused(member.get(&thing).await, 404, kind);
        refused(member.put(&thing, json!({ key: {} })).await, 404, kind);
        refused(member.delete(&thing).await, 404, kind);
    }
    refused(member.get(&path("extensions/none")).await, 404, "ExtensionNotFound");
    refused(member.get(&path("nothing")).await, 404, "HTTPNotFound");
    let extensions = member.get(&path("extensions")).await.expect(200);
    assert!(extensions["extensions"].as_array().unwrap().len() > 30);
    assert_eq!(member.get(&path("extensions/router")).await.expect(200)["extension"]["alias"], "router");
    let versions = cloud.talk.get("/network/").await.expect(200);
    assert_eq!(versions["versions"][0]["links"][0]["href"], "http://cloud.test/network/v2.0/");
    cloud.talk.get("/network/v2.0/").await.expect(200);
}
