// SPDX-License-Identifier: Apache-2.0
//! Addresses that are given back and handed out again before OVN knows of either.

use serde_json::{Value, json};

use super::fixture::{Cloud, create, id, path};

fn address(port: &Value) -> String {
    port["fixed_ips"][0]["ip_address"].as_str().unwrap().to_owned()
}

/// The logical ports that have this address in OVN.
fn holders(cloud: &Cloud, address: &str) -> Vec<String> {
    let ports = cloud.nbctl(&["--bare", "--columns=name,addresses", "list", "Logical_Switch_Port"]);
    let mut lines = ports.lines().filter(|line| !line.is_empty());
    let mut holders = Vec::new();
    while let (Some(name), Some(addresses)) = (lines.next(), lines.next()) {
        if addresses.split(' ').any(|one| one == address) {
            holders.push(name.to_owned());
        }
    }
    holders
}

#[tokio::test]
async fn an_address_is_never_in_ovn_twice() {
    let cloud = Cloud::quiet().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let (member, room) = (cloud.member(), &cloud.network.room);
    let ask = json!({"network_id": network, "fixed_ips": [{"ip_address": "10.0.0.9"}]});
    let first = id(&create(&member, "ports", "port", ask.clone()).await);
    room.converge(&format!("port/{first}")).await.unwrap();
    assert_eq!(holders(&cloud, "10.0.0.9"), std::slice::from_ref(&first));

    // Deleted, and moved away: whoever comes next is the only one whose key is brought to OVN.
    member.delete(&path(&format!("ports/{first}"))).await.expect(204);
    let second = id(&create(&member, "ports", "port", ask.clone()).await);
    room.converge(&format!("port/{second}")).await.unwrap();
    assert_eq!(holders(&cloud, "10.0.0.9"), std::slice::from_ref(&second));
    let moved = json!({"port": {"fixed_ips": [{"ip_address": "10.0.0.10"}]}});
    member.put(&path(&format!("ports/{second}")), moved).await.expect(200);
    let third = id(&create(&member, "ports", "port", ask).await);
    room.converge(&format!("port/{third}")).await.unwrap();
    assert_eq!(holders(&cloud, "10.0.0.9"), std::slice::from_ref(&third));
    assert_eq!(holders(&cloud, "10.0.0.10"), std::slice::from_ref(&second));

    // Two that change places go there together.
    for (port, other) in [(&second, "10.0.0.11"), (&third, "10.0.0.10"), (&second, "10.0.0.9")] {
        let moved = json!({"port": {"fixed_ips": [{ "ip_address": other }]}});
        member.put(&path(&format!("ports/{port}")), moved).await.expect(200);
    }
    room.converge(&format!("port/{second}")).await.unwrap();
    assert_eq!((holders(&cloud, "10.0.0.9"), holders(&cloud, "10.0.0.10")), (vec![second], vec![third]));
}

#[tokio::test]
async fn an_address_is_handed_out_again_when_ovn_has_forgotten_it() {
    let cloud = Cloud::quiet().await;
    // 13 addresses beside the gateway; one is the metadata port's.
    let (network, _) = cloud.network("10.0.0.0/28").await;
    let (member, room) = (cloud.member(), &cloud.network.room);
    let ask = json!({ "network_id": network });
    let first = create(&member, "ports", "port", ask.clone()).await;
    room.converge(&format!("port/{}", id(&first))).await.unwrap();
    member.delete(&path(&format!("ports/{}", id(&first)))).await.expect(204);
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(create(&member, "ports", "port", ask.clone()).await);
    }
    assert!(others.iter().all(|other| address(other) != address(&first)), "OVN still has it");
    // Before the subnet is said to be full it is handed out nevertheless, and goes to OVN together with the news of its loss.
    for _ in 4..12 {
        others.push(create(&member, "ports", "port", ask.clone()).await);
    }
    let place = others.iter().position(|other| address(other) == address(&first)).unwrap();
    let next = others.remove(place);
    room.converge(&format!("port/{}", id(&next))).await.unwrap();
    assert_eq!(holders(&cloud, &address(&first)), [id(&next)]);

    let other = others.remove(0);
    member.delete(&path(&format!("ports/{}", id(&other)))).await.expect(204);
    room.converge(&format!("port/{}", id(&other))).await.unwrap();
    let left = room.store.read(|tx| tx.query("SELECT place FROM leaving_addresses", &[])).await.unwrap();
    assert!(left.is_empty(), "what OVN has forgotten is free");
    assert_eq!(address(&create(&member, "ports", "port", ask).await), address(&other));
}

#[tokio::test]
async fn a_floating_address_is_never_in_ovn_twice() {
    let cloud = Cloud::quiet().await;
    let room = &cloud.network.room;
    room.set_chassis(Vec::new());
    let (member, admin) = (cloud.member(), cloud.admin());
    let (public, _) = cloud.external("172.24.4.0/24").await;
    let mut floating = Vec::new();
    for cidr in ["10.0.0.0/24", "10.0.1.0/24"] {
        let (network, subnet) = cloud.network(cidr).await;
        let gateway = json!({"external_gateway_info": {"network_id": public}});
        let router = id(&create(&member, "routers", "router", gateway).await);
        let add = path(&format!("routers/{router}/add_router_interface"));
        member.put(&add, json!({ "subnet_id": subnet })).await.expect(200);
        let port = id(&create(&member, "ports", "port", json!({ "network_id": network })).await);
        let ask =
            json!({"floating_network_id": public, "port_id": port, "project_id": "p1", "floating_ip_address": "172.24.4.99"});
        let made = id(&create(&admin, "floatingips", "floatingip", ask).await);
        room.converge(&format!("fip/{made}")).await.unwrap();
        floating.push(made.clone());
        let rows = cloud.nbctl(&["--bare", "--columns=external_ids", "find", "NAT", "external_ip=172.24.4.99"]);
        let keys = floating.iter().filter(|one| rows.contains(one.as_str()));
        assert_eq!(keys.collect::<Vec<_>>(), [&made], "{rows}");
        if floating.len() == 1 {
            member.delete(&path(&format!("floatingips/{made}"))).await.expect(204);
        }
    }
}
