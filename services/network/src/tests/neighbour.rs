// SPDX-License-Identifier: Apache-2.0
//! What compute asks of the room.

use std::{net::IpAddr, sync::Arc};

use contracts::{
    Refusal, RefusalKind,
    audit::Audit,
    caller::Caller,
    ports::{NicAsk, NicWish, Ports},
};
use serde_json::json;
use types::{NodeId, ProjectId, ServerId};

use super::fixture::{Cloud, NOTHING, create, id, path, refused, show, until, update};

fn p1() -> ProjectId {
    ProjectId::new("p1")
}

fn caller(who: &str) -> Arc<Caller> {
    Arc::new(world::caller(who).unwrap())
}

fn member() -> Arc<Caller> {
    caller("member@p1")
}

fn on(id: &str, fixed_ip: Option<&str>) -> NicWish {
    NicWish::Network { id: id.into(), fixed_ip: fixed_ip.map(|text| text.parse().unwrap()) }
}

async fn plan(cloud: &Cloud, who: &str, wish: NicWish) -> Result<NicAsk, Refusal> {
    Ok(cloud.network.plan(&caller(who), &[wish], &[]).await?.remove(0))
}

#[tokio::test]
async fn a_server_gets_its_port_and_gives_it_back() {
    let cloud = Cloud::quiet().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let ports = &cloud.network;
    let wish = [NicWish::Network { id: network.as_str().into(), fixed_ip: Some("10.0.0.109".parse().unwrap()) }];
    let ask = ports.plan(&member(), &wish, &["default".to_owned()]).await.unwrap().remove(0);
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

/// Nothing runs beside `ensure` here when it answers, so what it did not wait for is not done yet.
#[tokio::test]
async fn a_server_waits_for_one_commit_of_its_port_and_the_rest_is_done_after() {
    let cloud = Cloud::quiet().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let ask = plan(&cloud, "member@p1", on(&network, None)).await.unwrap();
    let store = &cloud.world.store;
    let before = store.commits();
    cloud.network.ensure(&p1(), &ServerId::generate(), "one", &NodeId::new("node-1"), &ask).await.unwrap();
    assert_eq!(store.commits() - before, 1);
    assert!(cloud.nbctl(&["get", "Logical_Switch_Port", ask.port_id.as_str(), "addresses"]).contains("10.0.0."));
    until("it is noted that OVN has it", async || {
        let key = format!("port/{}", ask.port_id);
        let sql = "SELECT count(*) FROM north_keys WHERE id = $1 AND synced_generation = generation";
        store.read(move |tx| tx.query_one(sql, &store::params![&key])?.get::<i64>(0)).await.unwrap() == 1
    })
    .await;
}

#[tokio::test]
async fn a_port_that_the_user_brought_stays_his() {
    let cloud = Cloud::quiet().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let made = create(&cloud.member(), "ports", "port", json!({"network_id": network})).await;
    let ports = &cloud.network;
    let wish = [NicWish::Port(id(&made).as_str().into())];
    let ask = ports.plan(&member(), &wish, &[]).await.unwrap().remove(0);
    let server = ServerId::generate();
    ports.ensure(&p1(), &server, "s", &NodeId::new("n"), &ask).await.unwrap();
    let refusal = ports.plan(&member(), &wish, &[]).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Conflict);
    ports.release(&server, &ask).await.unwrap();
    let freed = show(&cloud.admin(), "ports", "port", &id(&made)).await;
    assert_eq!((freed["device_id"].clone(), freed["binding:vif_type"].clone()), (json!(""), json!("unbound")));
    ports.plan(&member(), &wish, &[]).await.unwrap();
}

#[tokio::test]
async fn a_group_that_cannot_be_applied_is_refused_and_not_passed_over() {
    let cloud = Cloud::quiet().await;
    let ports = &cloud.network;
    let open = create(&cloud.member(), "networks", "network", json!({"port_security_enabled": false})).await;
    let subnet = json!({"network_id": id(&open), "ip_version": 4, "cidr": "10.3.0.0/24"});
    create(&cloud.member(), "subnets", "subnet", subnet).await;
    create(&cloud.member(), "security-groups", "security_group", json!({"name": "web"})).await;
    let brought = create(&cloud.member(), "ports", "port", json!({"network_id": id(&open)})).await;
    let made = NicWish::Network { id: id(&open).as_str().into(), fixed_ip: None };
    let node = NodeId::new("n");
    for wish in [made, NicWish::Port(id(&brought).as_str().into())] {
        let plan = async |groups: &[&str]| {
            let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
            ports.plan(&member(), std::slice::from_ref(&wish), &groups).await.unwrap().remove(0)
        };
        let ask = plan(&["web"]).await;
        let refusal = ports.ensure(&p1(), &ServerId::generate(), "s", &node, &ask).await.unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Invalid);
        assert!(refusal.message.contains("security groups cannot be applied"), "{}", refusal.message);
        // Nothing was wished for: the default group comes by itself, where it can.
        for groups in [&[][..], &["default"]] {
            let (ask, server) = (plan(groups).await, ServerId::generate());
            let facts = ports.ensure(&p1(), &server, "s", &node, &ask).await.unwrap();
            assert_eq!(facts.security_groups, [] as [String; 0]);
            ports.release(&server, &ask).await.unwrap();
        }
    }
}

#[tokio::test]
async fn wishes_that_cannot_be_are_refused_before_anything_is_made() {
    let cloud = Cloud::quiet().await;
    let ports = &cloud.network;
    let plan = async |wishes: &[NicWish], groups: &[&str]| {
        let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
        ports.plan(&member(), wishes, &groups).await
    };
    assert_eq!(plan(&[NicWish::Any], &[]).await.unwrap(), []);
    let (network, _) = cloud.network("10.0.0.0/24").await;
    assert_eq!(plan(&[NicWish::Any], &[]).await.unwrap().len(), 1);
    assert_eq!(plan(&[], &[]).await.unwrap().len(), 1);
    cloud.network("10.1.0.0/24").await;
    let refusal = plan(&[NicWish::Any], &[]).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Conflict);
    assert_eq!(refusal.message, "Multiple possible networks found, use a Network ID to be more specific.");
    let kind = async |wish: NicWish, groups: &[&str]| plan(&[wish], groups).await.unwrap_err().kind;
    assert_eq!(kind(on("nothing", None), &[]).await, RefusalKind::NotFound);
    assert_eq!(kind(on(&network, Some("10.9.0.1")), &[]).await, RefusalKind::Invalid);
    assert_eq!(kind(on(&network, None), &["no such group"]).await, RefusalKind::Invalid);
    assert_eq!(kind(NicWish::Port("nothing".into()), &[]).await, RefusalKind::NotFound);
    let (public, _) = cloud.external("172.24.4.0/24").await;
    assert_eq!(kind(on(&public, None), &[]).await, RefusalKind::Forbidden);
    let theirs = create(&cloud.other(), "networks", "network", json!({})).await;
    assert_eq!(kind(on(&id(&theirs), None), &[]).await, RefusalKind::NotFound);
    let bare = create(&cloud.member(), "networks", "network", json!({})).await;
    assert_eq!(kind(on(&id(&bare), None), &[]).await, RefusalKind::Invalid);
}

#[tokio::test]
async fn a_server_goes_around_no_policy_of_ports() {
    let cloud = Cloud::quiet().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    update(&cloud.admin(), "networks", "network", &network, json!({"shared": true})).await;
    let (public, _) = cloud.external("172.24.4.0/24").await;
    let quota = json!({"quota": {"port": 0}});
    cloud.admin().put(&path("quotas/full"), quota).await.expect(200);
    for (who, wish, refusal) in [
        // On another's shared network one is given an address, as a port's maker is.
        ("member@p2", on(&network, None), None),
        ("member@p2", on(&network, Some("10.0.0.109")), Some(RefusalKind::Forbidden)),
        ("member@p1", on(&network, Some("10.0.0.109")), None),
        ("reader@p1", on(&network, None), Some(RefusalKind::Forbidden)),
        ("admin@p2", on(&network, Some("10.0.0.109")), None),
        ("member@p2", on(&public, None), Some(RefusalKind::Forbidden)),
        ("admin@p2", on(&public, None), None),
        ("member@full", on(&network, None), Some(RefusalKind::Exhausted)),
    ] {
        let answer = plan(&cloud, who, wish.clone()).await;
        assert_eq!(answer.as_ref().err().map(|refusal| refusal.kind), refusal, "{who} {wish:?}: {answer:?}");
        // The same as of the API itself.
        let NicWish::Network { id, fixed_ip } = wish else { unreachable!() };
        let mut port = json!({"network_id": id.as_str()});
        if let Some(address) = fixed_ip {
            port["fixed_ips"] = json!([{"ip_address": address}]);
        }
        let said = cloud.talk.as_(who).post(&path("ports"), json!({ "port": port })).await;
        let expected = match refusal {
            None => 201,
            Some(RefusalKind::Forbidden) => 403,
            Some(_) => 409,
        };
        let made = said.expect(expected);
        if expected == 201 {
            cloud.admin().delete(&path(&format!("ports/{}", super::fixture::id(&made["port"])))).await.expect(204);
        }
    }
}

#[tokio::test]
async fn an_administrator_boots_on_the_networks_of_others_as_he_sees_them() {
    let cloud = Cloud::quiet().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    assert_eq!(plan(&cloud, "member@p2", on(&network, None)).await.unwrap_err().kind, RefusalKind::NotFound);
    let ask = plan(&cloud, "admin@p2", on(&network, None)).await.unwrap();
    let (server, p2) = (ServerId::generate(), ProjectId::new("p2"));
    cloud.network.ensure(&p2, &server, "s", &NodeId::new("n"), &ask).await.unwrap();
    let port = show(&cloud.admin(), "ports", "port", ask.port_id.as_str()).await;
    assert_eq!((port["project_id"].clone(), port["network_id"].clone()), (json!("p2"), json!(network)));
    // A port is its project's, whoever sees it.
    let theirs = id(&create(&cloud.member(), "ports", "port", json!({"network_id": network})).await);
    let refusal = plan(&cloud, "admin@p2", NicWish::Port(theirs.as_str().into())).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Invalid);
    assert!(refusal.message.contains("another project"), "{refusal}");
}

#[tokio::test]
async fn subnets_of_others_are_as_unknown_as_those_that_are_not_there() {
    let cloud = Cloud::quiet().await;
    let (_, hidden) = cloud.network("10.9.0.0/24").await;
    let other = cloud.other();
    let own = id(&create(&other, "networks", "network", json!({})).await);
    let range = json!({"network_id": own, "ip_version": 4, "cidr": "10.0.0.0/24"});
    create(&other, "subnets", "subnet", range).await;
    let port = id(&create(&other, "ports", "port", json!({"network_id": own})).await);
    for subnet in [hidden.as_str(), NOTHING] {
        let fixed_ips = json!([{"subnet_id": subnet}]);
        let made = other.post(&path("ports"), json!({"port": {"network_id": own, "fixed_ips": fixed_ips}})).await;
        refused(made, 404, "SubnetNotFound");
        let changed = other.put(&path(&format!("ports/{port}")), json!({"port": {"fixed_ips": fixed_ips}})).await;
        refused(changed, 404, "SubnetNotFound");
    }
    let (public, _) = cloud.external("172.24.4.0/24").await;
    let mut told = Vec::new();
    for subnet in [hidden.as_str(), NOTHING] {
        let ask = json!({"floatingip": {"floating_network_id": public, "subnet_id": subnet}});
        let said = other.post(&path("floatingips"), ask).await.expect(404);
        told.push(said["NeutronError"]["message"].as_str().unwrap().replace(subnet, "ID"));
    }
    assert_eq!(told[0], told[1]);
}

#[tokio::test]
async fn a_group_that_cannot_be_applied_is_refused_with_its_cause() {
    let cloud = Cloud::quiet().await;
    let open = json!({"port_security_enabled": false});
    let network = id(&create(&cloud.member(), "networks", "network", open).await);
    let range = json!({"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"});
    create(&cloud.member(), "subnets", "subnet", range).await;
    let group = id(&create(&cloud.member(), "security-groups", "security_group", json!({"name": "g"})).await);
    let ask = json!({"port": {"network_id": network, "security_groups": [group]}});
    refused(cloud.member().post(&path("ports"), ask).await, 400, "PortSecurityAndIPRequiredForSecurityGroups");
    let (server, node) = (ServerId::generate(), NodeId::new("n"));
    let mut ask = plan(&cloud, "member@p1", on(&network, None)).await.unwrap();
    cloud.network.ensure(&p1(), &server, "s", &node, &ask).await.unwrap();
    cloud.network.release(&server, &ask).await.unwrap();
    ask.security_groups.push(group.into());
    let refusal = cloud.network.ensure(&p1(), &server, "s", &node, &ask).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Invalid);
    assert!(refusal.message.contains("security groups"), "{refusal}");
}

/// A host can bind any port in OVN, whatever its role; that it did is found.
#[tokio::test]
async fn a_port_that_another_host_has_bound_is_found() {
    let mut cloud = Cloud::live().await;
    cloud.start_northd();
    for host in ["node-1", "node-2"] {
        cloud.add_chassis(host, "physnet1:br-ex");
    }
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let ask = plan(&cloud, "member@p1", on(&network, None)).await.unwrap();
    cloud.network.ensure(&p1(), &ServerId::generate(), "web", &NodeId::new("node-1"), &ask).await.unwrap();
    cloud.network.room.northbound.wait_southbound(super::fixture::soon()).await.unwrap();
    let port = ask.port_id.as_str();
    cloud.south.run("ovn-sbctl", &["lsp-bind", port, "node-1"]);
    let bound_to = async |host: &str| {
        cloud.network.room.southbound.binding(port).unwrap().and_then(|it| it.chassis).as_deref() == Some(host)
    };
    super::fixture::until("it is bound where it belongs", async || bound_to("node-1").await).await;
    assert_eq!(cloud.network.audit().await.unwrap(), []);
    cloud.south.run("ovn-sbctl", &["lsp-unbind", port, "--", "lsp-bind", port, "node-2"]);
    super::fixture::until("it is bound elsewhere", async || bound_to("node-2").await).await;
    let findings = cloud.network.audit().await.unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!((findings[0].thing.as_str(), findings[0].place.as_str()), ("Port_Binding", "node-2"));
}
