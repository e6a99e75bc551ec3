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
    let ask = json!({"network_id": network, "fixed_ips": [{"ip_address": "10.0.0.9"}], "mac_address": "fa:16:3e:00:00:09",
        "allowed_address_pairs": [{"ip_address": "10.0.0.99"}, {"ip_address": "10.0.0.98", "mac_address": "00:00:5e:00:01:01"}]});
    let port = id(&create(&member, "ports", "port", ask).await);
    cloud.settled().await;
    let get = |column: &str| cloud.nbctl(&["get", "Logical_Switch_Port", &port, column]);
    assert_eq!(get("addresses"), "[\"00:00:5e:00:01:01\", \"fa:16:3e:00:00:09 10.0.0.9\"]");
    assert_eq!(get("port_security"), "[\"00:00:5e:00:01:01 10.0.0.98\", \"fa:16:3e:00:00:09 10.0.0.9 10.0.0.99\"]");
    assert_eq!(get("enabled"), "true");
    let options = get("dhcpv4_options");
    let options = cloud.nbctl(&["get", "DHCP_Options", &options, "options"]);
    let door = member.get(&path(&format!("ports?device_id=ovnmeta-{network}"))).await.expect(200);
    let door = door["ports"][0]["fixed_ips"][0]["ip_address"].as_str().unwrap();
    let routes = format!("classless_static_route=\"{{169.254.169.254/32,{door}, 0.0.0.0/0,10.0.0.1}}\"");
    assert!(options.contains(&routes), "{options}");
    assert!(options.contains("mtu=\"1442\""), "{options}");
    let drop = cloud.nbctl(&["get", "Port_Group", "neutron_pg_drop", "ports"]);
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
    assert_eq!(get("addresses"), "[\"fa:16:3e:00:00:09 10.0.0.9\", unknown]");
    assert_eq!(get("enabled"), "false");
    assert_eq!(cloud.nbctl(&["get", "Port_Group", "neutron_pg_drop", "ports"]), "[]");
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
    cloud.nbctl(&["lsp-del", &port]);
    cloud.nbctl(&[
        "ls-add",
        "stray",
        "--",
        "set",
        "Logical_Switch",
        "stray",
        "external_ids:\"ferrostack:key\"=network/none/switch",
    ]);
    cloud.nbctl(&["ls-add", "theirs"]);
    until("both differences to be seen", async || cloud.network.audit().await.unwrap().len() == 2).await;
    let kinds: Vec<String> = cloud.network.audit().await.unwrap().into_iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, ["missing", "leftover"]);
    assert_eq!(cloud.network.sweep().await.unwrap(), 2);
    assert!(cloud.network.audit().await.unwrap().is_empty());
    assert!(cloud.nbctl(&["get", "Logical_Switch_Port", &port, "addresses"]).contains("10.0.0."));
    let switches = cloud.nbctl(&["ls-list"]);
    assert!(switches.contains("theirs") && !switches.contains("stray"), "{switches}");
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
