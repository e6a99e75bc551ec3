// SPDX-License-Identifier: Apache-2.0
//! What compute asks of the room.

use std::net::IpAddr;

use contracts::{
    RefusalKind,
    audit::Audit,
    ports::{NicWish, Ports},
};
use serde_json::json;
use types::{NodeId, ProjectId, ServerId};

use super::fixture::{Cloud, create, id, path, refused, show};

fn p1() -> ProjectId {
    ProjectId::new("p1")
}

#[tokio::test]
async fn a_server_gets_its_port_and_gives_it_back() {
    let cloud = Cloud::quiet().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let ports = &cloud.network;
    let wish = [NicWish::Network { id: network.as_str().into(), fixed_ip: Some("10.0.0.109".parse().unwrap()) }];
    let ask = ports.plan(&p1(), &wish, &["default".to_owned()]).await.unwrap().remove(0);
    let (server, node) = (ServerId::generate(), NodeId::new("node-1"));
    let facts = ports.ensure(&p1(), &server, "My server_1", &node, &ask).await.unwrap();
    assert_eq!(facts.fixed_ips[0].address, "10.0.0.109".parse::<IpAddr>().unwrap());
    assert_eq!(facts.fixed_ips[0].prefix, 24);
    assert_eq!(facts.mtu, 1442);
    assert_eq!(facts.security_groups, ["default"]);
    let door = facts.metadata.clone().unwrap();
    assert_eq!(door.addresses[0].1, 24);
    // Its rows are in OVN when `ensure` says so, and a second time changes nothing.
    let row = cloud.nbctl(&["get", "Logical_Switch_Port", ask.port_id.as_str(), "addresses"]);
    assert_eq!(row, format!("[\"{} 10.0.0.109\"]", facts.mac));
    let again = ports.ensure(&p1(), &server, "My server_1", &node, &ask).await.unwrap();
    assert_eq!(again, facts);
    let shown = show(&cloud.admin(), "ports", "port", ask.port_id.as_str()).await;
    assert_eq!(shown["device_owner"], "compute:nova");
    assert_eq!(shown["binding:host_id"], "node-1");
    assert_eq!(shown["binding:vif_type"], "ovs");
    assert_eq!(shown["dns_name"], "my-server-1");
    assert_eq!(shown["revision_number"], 1);

    let all = ports.of_servers(std::slice::from_ref(&server)).await.unwrap();
    assert_eq!(all[&server], [facts]);
    assert!(ports.audit().await.unwrap().is_empty());
    // Nobody moves a plugged port to another's server, nor claims to be plugged into it.
    let member = cloud.member();
    let other_server = json!({"port": {"device_id": "another-server"}});
    refused(member.put(&path(&format!("ports/{}", ask.port_id)), other_server).await, 403, "PolicyNotAuthorized");
    let posing = json!({"network_id": network, "device_id": server.as_str(), "device_owner": "compute:nova"});
    create(&member, "ports", "port", posing).await;
    assert_eq!(ports.of_servers(std::slice::from_ref(&server)).await.unwrap()[&server].len(), 1);

    let stranger = ServerId::generate();
    assert_eq!(ports.ensure(&p1(), &stranger, "x", &node, &ask).await.unwrap_err().kind, RefusalKind::Conflict);
    ports.release(&stranger, &ask).await.unwrap();
    show(&cloud.admin(), "ports", "port", ask.port_id.as_str()).await;

    ports.release(&server, &ask).await.unwrap();
    ports.release(&server, &ask).await.unwrap();
    cloud.admin().get(&path(&format!("ports/{}", ask.port_id))).await.expect(404);
    assert_eq!(cloud.nbctl(&["--bare", "--columns=name", "find", "Logical_Switch_Port", &format!("name={}", ask.port_id)]), "");
}

#[tokio::test]
async fn a_port_that_the_user_brought_stays_his() {
    let cloud = Cloud::quiet().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let made = create(&cloud.member(), "ports", "port", json!({"network_id": network})).await;
    let ports = &cloud.network;
    let wish = [NicWish::Port(id(&made).as_str().into())];
    let ask = ports.plan(&p1(), &wish, &[]).await.unwrap().remove(0);
    let server = ServerId::generate();
    ports.ensure(&p1(), &server, "s", &NodeId::new("n"), &ask).await.unwrap();
    let refusal = ports.plan(&p1(), &wish, &[]).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Conflict);
    ports.release(&server, &ask).await.unwrap();
    let freed = show(&cloud.admin(), "ports", "port", &id(&made)).await;
    assert_eq!((freed["device_id"].clone(), freed["binding:vif_type"].clone()), (json!(""), json!("unbound")));
    ports.plan(&p1(), &wish, &[]).await.unwrap();
}

#[tokio::test]
async fn wishes_that_cannot_be_are_refused_before_anything_is_made() {
    let cloud = Cloud::quiet().await;
    let ports = &cloud.network;
    let plan = async |wishes: &[NicWish], groups: &[&str]| {
        let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
        ports.plan(&p1(), wishes, &groups).await
    };
    assert_eq!(plan(&[NicWish::Any], &[]).await.unwrap(), []);
    let (network, _) = cloud.network("10.0.0.0/24").await;
    assert_eq!(plan(&[NicWish::Any], &[]).await.unwrap().len(), 1);
    assert_eq!(plan(&[], &[]).await.unwrap().len(), 1);
    cloud.network("10.1.0.0/24").await;
    let refusal = plan(&[NicWish::Any], &[]).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Conflict);
    assert_eq!(refusal.message, "Multiple possible networks found, use a Network ID to be more specific.");
    let on = |id: &str, fixed_ip: Option<&str>| NicWish::Network {
        id: id.into(),
        fixed_ip: fixed_ip.map(|text| text.parse().unwrap()),
    };
    let kind = async |wish: NicWish, groups: &[&str]| plan(&[wish], groups).await.unwrap_err().kind;
    assert_eq!(kind(on("nothing", None), &[]).await, RefusalKind::Invalid);
    assert_eq!(kind(on(&network, Some("10.9.0.1")), &[]).await, RefusalKind::Invalid);
    assert_eq!(kind(on(&network, None), &["no such group"]).await, RefusalKind::Invalid);
    assert_eq!(kind(NicWish::Port("nothing".into()), &[]).await, RefusalKind::Invalid);
    let (public, _) = cloud.external("172.24.4.0/24").await;
    assert_eq!(kind(on(&public, None), &[]).await, RefusalKind::Forbidden);
    let theirs = create(&cloud.other(), "networks", "network", json!({})).await;
    assert_eq!(kind(on(&id(&theirs), None), &[]).await, RefusalKind::Invalid);
    let bare = create(&cloud.member(), "networks", "network", json!({})).await;
    assert_eq!(kind(on(&id(&bare), None), &[]).await, RefusalKind::Invalid);
}
