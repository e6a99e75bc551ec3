// SPDX-License-Identifier: Apache-2.0
//! What stands in OVN, how it gets there, and how it is kept.

use contracts::audit::Audit;
use serde_json::json;

use super::fixture::{Cloud, create, id, path, show, until, update};

#[tokio::test]
async fn rows_say_what_the_tables_say() {
    let cloud = Cloud::live().await;
    let (network, subnet) = cloud.network("10.0.0.0/24").await;
    let member = cloud.member();
    let ask = json!({"network_id": network, "fixed_ips": [{"ip_address": "10.0.0.109"}], "mac_address": "fa:16:3e:00:00:09",
        "allowed_address_pairs": [{"ip_address": "10.0.0.199"}, {"ip_address": "10.0.0.198", "mac_address": "00:00:5e:00:01:01"}]});
    let port = id(&create(&member, "ports", "port", ask).await);
    cloud.settled().await;
    let get = |column: &str| cloud.nbctl(&["get", "Logical_Switch_Port", &port, column]);
    assert_eq!(get("addresses"), "[\"00:00:5e:00:01:01\", \"fa:16:3e:00:00:09 10.0.0.109\"]");
    assert_eq!(get("port_security"), "[\"00:00:5e:00:01:01 10.0.0.198\", \"fa:16:3e:00:00:09 10.0.0.109 10.0.0.199\"]");
    assert_eq!(get("enabled"), "true");
    let options = get("dhcpv4_options");
    let options = cloud.nbctl(&["get", "DHCP_Options", &options, "options"]);
    let door = member.get(&path(&format!("ports?device_id=ovnmeta-{network}"))).await.expect(200);
    let door = door["ports"][0]["fixed_ips"][0]["ip_address"].as_str().unwrap();
    let routes = format!("classless_static_route=\"{{169.254.169.254/32,{door}, 0.0.0.0/0,10.0.0.1}}\"");
    assert!(options.contains(&routes), "{options}");
    assert!(options.contains("mtu=\"1442\""), "{options}");
    let group = format!("drop_{}", network.replace('-', "_"));
    let drop = cloud.nbctl(&["get", "Port_Group", &group, "ports"]);
    assert!(drop.contains('-'), "{drop}");

    update(&member, "subnets", "subnet", &subnet, json!({"enable_dhcp": false})).await;
    update(
        &member,
        "ports",
        "port",
        &port,
        json!({"admin_state_up": false, "port_security_enabled": false,
        "security_groups": [], "allowed_address_pairs": []}),
    )
    .await;
    cloud.settled().await;
    assert_eq!(get("dhcpv4_options"), "[]");
    assert_eq!(get("addresses"), "[\"fa:16:3e:00:00:09 10.0.0.109\", unknown]");
    assert_eq!(get("enabled"), "false");
    assert_eq!(cloud.nbctl(&["get", "Port_Group", &group, "ports"]), "[]");
    assert!(cloud.network.audit().await.unwrap().is_empty());

    member.delete(&path(&format!("ports/{port}"))).await.expect(204);
    member.delete(&path(&format!("networks/{network}"))).await.expect(204);
    cloud.settled().await;
    assert_eq!(cloud.nbctl(&["ls-list"]), "");
    assert_eq!(cloud.nbctl(&["--bare", "--columns=cidr", "list", "DHCP_Options"]), "");
}

#[tokio::test]
async fn a_deleted_rule_is_gone_at_once() {
    let cloud = Cloud::live().await;
    let member = cloud.member();
    let group = id(&create(&member, "security-groups", "security_group", json!({"name": "web"})).await);
    let rule = json!({"security_group_id": group, "direction": "ingress", "protocol": "tcp", "port_range_min": 80, "port_range_max": 80,
        "remote_ip_prefix": "192.0.2.7/24"});
    let rule = id(&create(&member, "security-group-rules", "security_group_rule", rule).await);
    cloud.settled().await;
    let name = format!("pg_{}", group.replace('-', "_"));
    let acls = cloud.nbctl(&["--type=port-group", "acl-list", &name]);
    assert!(acls.contains("ip4.src == 192.0.2.0/24 && tcp && tcp.dst == 80) allow-related"), "{acls}");
    member.delete(&path(&format!("security-group-rules/{rule}"))).await.expect(204);
    cloud.settled().await;
    let acls = cloud.nbctl(&["--type=port-group", "acl-list", &name]);
    assert!(!acls.contains("tcp"), "{acls}");
}

#[tokio::test]
async fn drift_is_repaired() {
    let cloud = Cloud::live().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let port = id(&create(&cloud.member(), "ports", "port", json!({"network_id": network})).await);
    cloud.settled().await;
    let gone = id(&create(&cloud.member(), "networks", "network", json!({"name": "gone"})).await);
    cloud.member().delete(&path(&format!("networks/{gone}"))).await.expect(204);
    cloud.settled().await;
    cloud.nbctl(&["lsp-del", &port]);
    // As by a writer that came late.
    add_switch(&cloud, "late", &format!("network/{gone}/switch"), 1);
    cloud.nbctl(&["ls-add", "theirs"]);
    until("both differences to be seen", async || cloud.network.audit().await.unwrap().len() == 2).await;
    let kinds: Vec<String> = cloud.network.audit().await.unwrap().into_iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, ["leftover", "missing"]);
    assert_eq!(cloud.network.sweep().await.unwrap(), 2);
    assert!(cloud.network.audit().await.unwrap().is_empty());
    assert!(cloud.nbctl(&["get", "Logical_Switch_Port", &port, "addresses"]).contains("10.0.0."));
    let switches = cloud.nbctl(&["ls-list"]);
    assert!(switches.contains("theirs") && !switches.contains("late"), "{switches}");
}

fn add_switch(cloud: &Cloud, name: &str, key: &str, generation: u64) {
    let (key, generation) =
        (format!("external_ids:\"ferrostack:key\"={key}"), format!("external_ids:\"ferrostack:generation\"={generation}"));
    cloud.nbctl(&["ls-add", name, "--", "set", "Logical_Switch", name, &key, &generation]);
}

#[tokio::test]
async fn rows_that_the_tables_do_not_know_are_kept() {
    let cloud = Cloud::live().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    cloud.settled().await;
    add_switch(&cloud, "later", "network/made-later/switch", 7);
    until("the stray to be seen", async || cloud.network.audit().await.unwrap().len() == 1).await;
    let findings = cloud.network.audit().await.unwrap();
    assert_eq!((findings[0].kind.as_str(), findings[0].id.as_str()), (contracts::audit::STRAY, "network/made-later"));
    assert_eq!(cloud.network.sweep().await.unwrap(), 0);
    assert!(cloud.nbctl(&["ls-list"]).contains("later"));

    let known = contracts::audit::Finding { id: format!("network/{network}"), ..findings[0].clone() };
    assert!(cloud.network.remove_stray(&known).await.is_err(), "what is known is deleted, not removed");
    cloud.network.remove_stray(&findings[0]).await.unwrap();
    cloud.settled().await;
    let switches = cloud.nbctl(&["ls-list"]);
    assert!(!switches.contains("later") && switches.contains(&network), "{switches}");
    assert_eq!(cloud.network.audit().await.unwrap(), []);
}

/// OVN was told of changes that the tables do not know any more.
#[tokio::test]
async fn what_older_tables_know_goes_on_above_what_ovn_was_told() {
    let cloud = Cloud::live().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let port = id(&create(&cloud.member(), "ports", "port", json!({"network_id": network})).await);
    cloud.settled().await;
    let row = ["set", "Logical_Switch_Port", port.as_str()];
    let told = ["external_ids:\"ferrostack:generation\"=900", "addresses=\"fa:16:3e:00:00:99 10.0.0.99\""];
    cloud.nbctl(&[&row[..], &told[..]].concat());
    until("the difference to be seen", async || cloud.network.audit().await.unwrap().len() == 1).await;
    assert_eq!(cloud.network.audit().await.unwrap()[0].kind, "differs");
    assert_eq!(cloud.network.sweep().await.unwrap(), 1);
    cloud.settled().await;
    assert!(!cloud.nbctl(&["get", "Logical_Switch_Port", &port, "addresses"]).contains("10.0.0.99"));
    until("nothing to differ", async || cloud.network.audit().await.unwrap().is_empty()).await;
    let admin_down = json!({"admin_state_up": false});
    update(&cloud.member(), "ports", "port", &port, admin_down).await;
    cloud.settled().await;
    assert_eq!(cloud.nbctl(&["get", "Logical_Switch_Port", &port, "enabled"]), "false");
}

#[tokio::test]
async fn ovn_down_then_up_converges() {
    let mut cloud = Cloud::live().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let member = cloud.member();
    let gone = id(&create(&member, "ports", "port", json!({"network_id": network})).await);
    cloud.settled().await;
    cloud.north.pause();
    until("the loss to be noticed", async || !cloud.network.room.northbound.client().is_current()).await;
    let made = id(&create(&member, "ports", "port", json!({"network_id": network})).await);
    assert_eq!(show(&member, "ports", "port", &made).await["status"], "DOWN");
    member.delete(&path(&format!("ports/{gone}"))).await.expect(204);
    cloud.north.resume();
    cloud.settled().await;
    assert!(cloud.nbctl(&["get", "Logical_Switch_Port", &made, "addresses"]).contains("10.0.0."));
    assert_eq!(cloud.nbctl(&["--bare", "--columns=name", "find", "Logical_Switch_Port", &format!("name={gone}")]), "");
    assert!(cloud.network.audit().await.unwrap().is_empty());
}

#[tokio::test]
async fn status_is_what_ovn_says() {
    let cloud = Cloud::live().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let member = cloud.member();
    let port = id(&create(&member, "ports", "port", json!({"network_id": network})).await);
    cloud.settled().await;
    cloud.nbctl(&["set", "Logical_Switch_Port", &port, "up=true"]);
    until("the port to be ACTIVE", async || show(&member, "ports", "port", &port).await["status"] == "ACTIVE").await;
    cloud.nbctl(&["set", "Logical_Switch_Port", &port, "up=false"]);
    until("the port to be DOWN", async || show(&member, "ports", "port", &port).await["status"] == "DOWN").await;
}

/// ovn-northd reads every row that we can write, and every flow that comes of it can be parsed.
#[tokio::test]
async fn ovn_understands_every_row() {
    let mut cloud = Cloud::live().await;
    cloud.start_northd();
    cloud.add_chassis("hv1", "physnet1:br-ex");
    let (network, subnet) = cloud.network("10.0.0.0/24").await;
    let (member, admin) = (cloud.member(), cloud.admin());
    let told = json!({"dns_nameservers": ["192.0.2.53", "192.0.2.54"],
        "host_routes": [{"destination": "192.168.0.0/16", "nexthop": "10.0.0.7"}]});
    update(&member, "subnets", "subnet", &subnet, told).await;
    for (place, mode) in ["slaac", "dhcpv6-stateful", "dhcpv6-stateless"].iter().enumerate() {
        let six = json!({"network_id": network, "ip_version": 6, "cidr": format!("2001:db8:{place}::/64"),
            "ipv6_ra_mode": mode, "ipv6_address_mode": mode, "dns_nameservers": ["2001:db8::53"]});
        create(&member, "subnets", "subnet", six).await;
    }
    let group = id(&create(&member, "security-groups", "security_group", json!({"name": "all"})).await);
    for (ethertype, protocol) in [
        ("IPv4", json!("tcp")),
        ("IPv4", json!("udp")),
        ("IPv4", json!("sctp")),
        ("IPv4", json!("icmp")),
        ("IPv4", json!("dccp")),
        ("IPv4", json!("hopopt")),
        ("IPv4", json!("ip")),
        ("IPv4", json!(112)),
        ("IPv6", json!("icmp")),
        ("IPv6", json!("tcp")),
        ("IPv6", json!("ipv6-frag")),
    ] {
        for direction in ["ingress", "egress"] {
            let mut rule = json!({"security_group_id": group, "direction": direction, "ethertype": ethertype,
                "protocol": protocol, "remote_group_id": group});
            if ["tcp", "udp", "sctp"].iter().any(|name| protocol == *name) {
                rule["port_range_min"] = json!(80);
                rule["port_range_max"] = json!(90);
            }
            create(&member, "security-group-rules", "security_group_rule", rule).await;
        }
    }
    let prefix =
        json!({"security_group_id": group, "direction": "ingress", "ethertype": "IPv6", "remote_ip_prefix": "2001:db8::7/48"});
    create(&member, "security-group-rules", "security_group_rule", prefix).await;
    let stateless = json!({"name": "stateless", "stateful": false});
    let stateless = id(&create(&member, "security-groups", "security_group", stateless).await);
    let options = json!([{"opt_name": "bootfile-name", "opt_value": "pxelinux.0"}, {"opt_name": "tftp-server", "opt_value": "a.example"},
        {"opt_name": "server-ip-address", "opt_value": "192.0.2.9"}, {"opt_name": "mtu", "opt_value": "1400"},
        {"opt_name": "domain-search", "opt_value": "example.org", "ip_version": 6}]);
    let port = json!({"network_id": network, "dns_name": "web", "extra_dhcp_opts": options, "security_groups": [group],
        "allowed_address_pairs": [{"ip_address": "10.0.0.128/25"}, {"ip_address": "2001:db8:9::/64", "mac_address": "fa:16:3e:00:00:02"}]});
    let port = id(&create(&member, "ports", "port", port).await);
    create(&member, "ports", "port", json!({"network_id": network, "security_groups": [stateless]})).await;
    let (public, _) = cloud.external("172.24.4.0/24").await;
    let vlan = json!({"provider:network_type": "vlan", "provider:physical_network": "physnet1", "provider:segmentation_id": 100});
    create(&admin, "networks", "network", vlan).await;
    let router = json!({"external_gateway_info": {"network_id": public}});
    let router = id(&create(&member, "routers", "router", router).await);
    for subnet in show(&member, "networks", "network", &network).await["subnets"].as_array().unwrap() {
        let add = path(&format!("routers/{router}/add_router_interface"));
        member.put(&add, json!({ "subnet_id": subnet })).await.expect(200);
    }
    let fixed = show(&member, "ports", "port", &port).await["fixed_ips"][0]["ip_address"].clone();
    let floating = json!({"floating_network_id": public, "port_id": port, "fixed_ip_address": fixed});
    create(&member, "floatingips", "floatingip", floating).await;
    cloud.settled().await;
    cloud.network.room.northbound.wait_southbound(super::fixture::soon()).await.unwrap();
    assert_eq!(cloud.northd_complaints(), Vec::<String>::new());
    let flow = format!("inport == \"{port}\" && eth.src == fa:16:3e:00:00:02");
    let traced = std::process::Command::new("ovn-trace")
        .arg(format!("--db=unix:{}", cloud.south.socket().display()))
        .args([&format!("neutron-{network}"), &flow])
        .output()
        .unwrap();
    assert!(traced.status.success());
    assert_eq!(String::from_utf8_lossy(&traced.stderr), "");
    assert!(cloud.network.audit().await.unwrap().is_empty());
}
