// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/address-groups`, and rules of security groups that name one.

use contracts::audit::Audit;
use serde_json::{Value, json};

use super::fixture::{Cloud, NOTHING, create, id, ids, path, refused, show, soon, update};

#[tokio::test]
async fn addresses_come_and_go() {
    let cloud = Cloud::quiet().await;
    let (member, other) = (cloud.member(), cloud.other());
    let ask = json!({"name": "office", "addresses": ["192.0.2.7", "10.1.2.3/8", "2001:db8::/32", "10.0.0.0/8"]});
    let made = create(&member, "address-groups", "address_group", ask).await;
    // Each once, without host bits.
    assert_eq!(made["addresses"], json!(["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"]));
    let one = path(&format!("address-groups/{}", id(&made)));
    let change = async |verb: &str, addresses: Value| {
        member.put(&format!("{one}/{verb}_addresses"), json!({ "addresses": addresses })).await
    };
    let added = change("add", json!(["198.51.100.0/24"])).await.expect(200);
    assert_eq!(added["address_group"]["addresses"].as_array().unwrap().len(), 4);
    refused(change("add", json!(["203.0.113.1", "192.0.2.7/32"])).await, 400, "AddressesAlreadyExist");
    refused(change("remove", json!(["203.0.113.1", "192.0.2.7"])).await, 404, "AddressesNotFound");
    for bad in [json!(["10.0.0.0/33"]), json!(["a"]), json!([7]), json!("10.0.0.0/8"), json!([format!("10.{}", "0".repeat(300))])]
    {
        refused(change("add", bad).await, 400, "HTTPBadRequest");
    }
    let left = change("remove", json!(["192.0.2.7", "198.51.100.9/24"])).await.expect(200);
    assert_eq!(left["address_group"]["addresses"], json!(["10.0.0.0/8", "2001:db8::/32"]));

    let renamed =
        update(&member, "address-groups", "address_group", &id(&made), json!({"name": "home", "description": "d"})).await;
    assert_eq!((&renamed["name"], &renamed["description"]), (&json!("home"), &json!("d")));
    assert_eq!(show(&member, "address-groups", "address_group", &id(&made)).await, renamed);
    refused(member.put(&one, json!({"address_group": {"addresses": []}})).await, 400, "HTTPBadRequest");
    assert_eq!(ids(&member, "address-groups", "address_groups", "?name=home").await, [id(&made)]);
    assert!(ids(&member, "address-groups", "address_groups", "?name=office").await.is_empty());

    assert!(ids(&other, "address-groups", "address_groups", "").await.is_empty());
    for said in [
        other.get(&one).await,
        other.put(&one, json!({"address_group": {"name": "x"}})).await,
        other.put(&format!("{one}/add_addresses"), json!({"addresses": ["192.0.2.9"]})).await,
        other.delete(&one).await,
    ] {
        refused(said, 404, "AddressGroupNotFound");
    }
    let reader = cloud.talk.as_("reader@p1");
    reader.get(&one).await.expect(200);
    refused(reader.put(&format!("{one}/add_addresses"), json!({"addresses": ["192.0.2.9"]})).await, 403, "PolicyNotAuthorized");
    member.delete(&one).await.expect(204);
    refused(member.get(&one).await, 404, "AddressGroupNotFound");
}

#[tokio::test]
async fn a_group_that_a_rule_names_stays() {
    let cloud = Cloud::quiet().await;
    let (member, other) = (cloud.member(), cloud.other());
    let group = id(&create(&member, "security-groups", "security_group", json!({"name": "web"})).await);
    let office = id(&create(&member, "address-groups", "address_group", json!({"name": "office"})).await);
    let theirs = id(&create(&other, "address-groups", "address_group", json!({"name": "t"})).await);
    let post = async |extra: Value| {
        let mut rule = json!({"security_group_id": group, "direction": "ingress", "protocol": "tcp"});
        rule.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        member.post(&path("security-group-rules"), json!({ "security_group_rule": rule })).await
    };
    let of_office = json!({"remote_address_group_id": office});
    let rule = post(of_office.clone()).await.expect(201)["security_group_rule"].clone();
    assert_eq!(rule["remote_address_group_id"], json!(office));
    refused(post(of_office).await, 409, "SecurityGroupRuleExists");
    post(json!({})).await.expect(201);
    for nothing in [theirs.as_str(), NOTHING] {
        refused(post(json!({"remote_address_group_id": nothing})).await, 404, "AddressGroupNotFound");
    }
    let both = json!({"remote_address_group_id": office, "remote_ip_prefix": "10.0.0.0/8"});
    refused(post(both).await, 400, "SecurityGroupMultipleRemoteEntites");
    let query = format!("?remote_address_group_id={office}");
    assert_eq!(ids(&member, "security-group-rules", "security_group_rules", &query).await, [id(&rule)]);

    refused(member.delete(&path(&format!("address-groups/{office}"))).await, 409, "AddressGroupInUse");
    member.delete(&path(&format!("security-group-rules/{}", id(&rule)))).await.expect(204);
    member.delete(&path(&format!("address-groups/{office}"))).await.expect(204);
}

#[tokio::test]
async fn a_group_has_an_end_and_so_have_their_number() {
    let cloud = Cloud::quiet().await;
    let member = cloud.member();
    let addresses: Vec<String> = (0..1001).map(|number| format!("10.0.{}.{}", number / 256, number % 256)).collect();
    let ask = |many: usize| json!({"address_group": {"name": "g", "addresses": addresses[..many]}});
    let said = member.post(&path("address-groups"), ask(1001)).await;
    assert!(said.body.to_string().contains("at most 1000 addresses"), "{}", said.body);
    let full = member.post(&path("address-groups"), ask(1000)).await.expect(201);
    let one = path(&format!("address-groups/{}", id(&full["address_group"])));
    let said = member.put(&format!("{one}/add_addresses"), json!({"addresses": ["192.0.2.1"]})).await;
    assert!(said.body.to_string().contains("at most 1000 addresses"), "{}", said.body);
    cloud.admin().put(&path("quotas/p1"), json!({"quota": {"address_group": 1}})).await.expect(200);
    refused(member.post(&path("address-groups"), ask(1)).await, 409, "OverQuota");
}

/// What comes from an address of the group passes, and what does not is dropped, from the moment at which the group changes.
#[tokio::test]
async fn a_rule_lets_in_what_is_in_its_group_at_the_time() {
    let mut cloud = Cloud::whole().await;
    cloud.start_northd();
    let member = cloud.member();
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let v6 = json!({"network_id": network, "ip_version": 6, "cidr": "2001:db8::/64"});
    create(&member, "subnets", "subnet", v6).await;
    let bare = json!({"network_id": network, "port_security_enabled": false, "mac_address": "fa:16:3e:00:00:01"});
    let far = id(&create(&member, "ports", "port", bare).await);
    // Without tracking of connections a trace is decided by the rules alone.
    let web = json!({"name": "web", "stateful": false});
    let web = id(&create(&member, "security-groups", "security_group", web).await);
    let office = json!({"name": "office", "addresses": ["10.0.0.200/30", "2001:db8:1::/48"]});
    let office = id(&create(&member, "address-groups", "address_group", office).await);
    for ethertype in ["IPv4", "IPv6"] {
        let rule =
            json!({"security_group_id": web, "direction": "ingress", "ethertype": ethertype, "remote_address_group_id": office});
        create(&member, "security-group-rules", "security_group_rule", rule).await;
    }
    let guarded = json!({"network_id": network, "security_groups": [web], "mac_address": "fa:16:3e:00:00:02",
        "fixed_ips": [{"ip_address": "10.0.0.9"}, {"ip_address": "2001:db8::2"}]});
    let guarded = id(&create(&member, "ports", "port", guarded).await);
    let reaches = async |source: &str| {
        cloud.settled().await;
        cloud.network.room.northbound.wait_southbound(soon()).await.unwrap();
        let family = if source.contains(':') { "ip6" } else { "ip4" };
        let destination = if source.contains(':') { "2001:db8::2" } else { "10.0.0.9" };
        let flow = format!(
            "inport == \"{far}\" && eth.src == fa:16:3e:00:00:01 && eth.dst == fa:16:3e:00:00:02 && \
             {family}.src == {source} && {family}.dst == {destination} && tcp && tcp.dst == 80 && ip.ttl == 64"
        );
        let database = format!("--db=unix:{}", cloud.south.socket().display());
        let traced = std::process::Command::new("ovn-trace")
            .args([&database, "--minimal", "--no-friendly-names", &format!("neutron-{network}"), &flow])
            .output()
            .unwrap();
        assert!(traced.status.success(), "{}", String::from_utf8_lossy(&traced.stderr));
        let said = String::from_utf8_lossy(&traced.stdout).into_owned();
        said.contains(&format!("output(\"{guarded}\")"))
    };
    assert!(reaches("10.0.0.201").await);
    assert!(!reaches("10.0.0.204").await);
    assert!(reaches("2001:db8:1::7").await);
    assert!(!reaches("2001:db8:2::7").await);
    let one = path(&format!("address-groups/{office}"));
    member.put(&format!("{one}/add_addresses"), json!({"addresses": ["10.0.0.204"]})).await.expect(200);
    member.put(&format!("{one}/remove_addresses"), json!({"addresses": ["10.0.0.200/30"]})).await.expect(200);
    assert!(reaches("10.0.0.204").await);
    assert!(!reaches("10.0.0.201").await);
    member.put(&format!("{one}/remove_addresses"), json!({"addresses": ["10.0.0.204/32"]})).await.expect(200);
    assert!(!reaches("10.0.0.204").await);
    member.put(&format!("{one}/add_addresses"), json!({"addresses": ["0.0.0.0/0", "::/0"]})).await.expect(200);
    assert!(reaches("10.0.0.204").await);
    assert!(reaches("2001:db8:2::7").await);
    assert_eq!(cloud.northd_complaints(), Vec::<String>::new());
    assert!(cloud.network.audit().await.unwrap().is_empty());
}
