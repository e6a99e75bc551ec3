// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/security-groups`, their rules, and tags.

use serde_json::{Value, json};

use super::fixture::{Cloud, create, id, ids, path, refused, show, update};

#[tokio::test]
async fn every_project_has_one_default_group() {
    let cloud = Cloud::quiet().await;
    let member = cloud.member();
    let groups = member.get(&path("security-groups")).await.expect(200);
    let default = &groups["security_groups"][0];
    assert_eq!(default["name"], "default");
    let ways: Vec<(&str, &str, bool)> = default["security_group_rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            (rule["direction"].as_str().unwrap(), rule["ethertype"].as_str().unwrap(), rule["remote_group_id"] == default["id"])
        })
        .collect();
    assert_eq!(ways.len(), 4);
    for way in [("egress", "IPv4", false), ("egress", "IPv6", false), ("ingress", "IPv4", true), ("ingress", "IPv6", true)] {
        assert!(ways.contains(&way), "{ways:?}");
    }
    member.get(&path("security-groups")).await.expect(200);
    assert_eq!(ids(&member, "security-groups", "security_groups", "").await.len(), 1);
    let default_path = path(&format!("security-groups/{}", id(default)));
    refused(member.delete(&default_path).await, 409, "SecurityGroupCannotRemoveDefault");
    let rename = json!({"security_group": {"name": "x"}});
    refused(member.put(&default_path, rename).await, 409, "SecurityGroupCannotUpdateDefault");
    let second = json!({"security_group": {"name": "default"}});
    refused(member.post(&path("security-groups"), second).await, 409, "SecurityGroupDefaultAlreadyExists");
    refused(cloud.other().get(&default_path).await, 404, "SecurityGroupNotFound");
}

#[tokio::test]
async fn rules() {
    let cloud = Cloud::quiet().await;
    let (member, other) = (cloud.member(), cloud.other());
    let web = create(&member, "security-groups", "security_group", json!({"name": "web"})).await;
    assert_eq!(web["security_group_rules"].as_array().unwrap().len(), 2);
    let (web, db) = (id(&web), id(&create(&member, "security-groups", "security_group", json!({"name": "db"})).await));
    let post = async |extra: Value| {
        let mut rule = json!({"security_group_id": db, "direction": "ingress"});
        for (key, value) in extra.as_object().unwrap() {
            rule[key] = value.clone();
        }
        member.post(&path("security-group-rules"), json!({ "security_group_rule": rule })).await
    };
    let from_web = json!({"protocol": "tcp", "port_range_min": 5432, "port_range_max": 5432, "remote_group_id": web});
    let rule = post(from_web.clone()).await.expect(201)["security_group_rule"].clone();
    assert_eq!((rule["protocol"].clone(), rule["ethertype"].clone()), (json!("tcp"), json!("IPv4")));
    refused(post(from_web).await, 409, "SecurityGroupRuleExists");
    let by_number = json!({"protocol": 6, "port_range_min": 5432, "port_range_max": 5432, "remote_group_id": web});
    refused(post(by_number).await, 409, "SecurityGroupRuleExists");
    refused(post(json!({"remote_group_id": "nothing"})).await, 404, "SecurityGroupNotFound");
    refused(post(json!({"security_group_id": "nothing"})).await, 404, "SecurityGroupNotFound");
    let theirs = id(&create(&other, "security-groups", "security_group", json!({"name": "t"})).await);
    refused(post(json!({"remote_group_id": theirs})).await, 404, "SecurityGroupNotFound");
    refused(post(json!({"security_group_id": theirs})).await, 404, "SecurityGroupNotFound");
    refused(other.delete(&path(&format!("security-group-rules/{}", id(&rule)))).await, 404, "SecurityGroupRuleNotFound");
    // Named by a port, a group stays.
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let port = id(&create(&member, "ports", "port", json!({"network_id": network, "security_groups": [db]})).await);
    refused(member.delete(&path(&format!("security-groups/{db}"))).await, 409, "SecurityGroupInUse");
    update(&member, "ports", "port", &port, json!({"security_groups": []})).await;
    member.delete(&path(&format!("security-groups/{db}"))).await.expect(204);
    member.delete(&path(&format!("security-groups/{web}"))).await.expect(204);
    refused(member.get(&path(&format!("security-group-rules/{}", id(&rule)))).await, 404, "SecurityGroupRuleNotFound");
}

#[tokio::test]
async fn tags_of_others_are_out_of_reach() {
    let cloud = Cloud::quiet().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let (member, other) = (cloud.member(), cloud.other());
    let tags = path(&format!("networks/{network}/tags"));
    member.put(&tags, json!({"tags": ["blue", "web"]})).await.expect(200);
    member.put(&format!("{tags}/new"), Value::Null).await.expect(201);
    assert_eq!(show(&member, "networks", "network", &network).await["tags"], json!(["blue", "new", "web"]));
    assert_eq!(ids(&member, "networks", "networks", "?tags=blue,web").await.len(), 1);
    assert_eq!(ids(&member, "networks", "networks", "?tags=blue,red").await.len(), 0);
    assert_eq!(ids(&member, "networks", "networks", "?tags-any=blue,red").await.len(), 1);
    assert_eq!(ids(&member, "networks", "networks", "?not-tags=blue,red").await.len(), 1);
    assert_eq!(ids(&member, "networks", "networks", "?not-tags-any=blue,red").await.len(), 0);
    member.delete(&format!("{tags}/web")).await.expect(204);
    refused(member.get(&format!("{tags}/web")).await, 404, "TagNotFound");

    refused(other.get(&tags).await, 404, "NetworkNotFound");
    refused(other.put(&tags, json!({"tags": ["x"]})).await, 404, "NetworkNotFound");
    refused(other.delete(&tags).await, 404, "NetworkNotFound");
    update(&cloud.admin(), "networks", "network", &network, json!({"shared": true})).await;
    refused(other.put(&tags, json!({"tags": ["x"]})).await, 403, "PolicyNotAuthorized");
    refused(other.delete(&format!("{tags}/blue")).await, 403, "PolicyNotAuthorized");
    refused(cloud.talk.as_("reader@p1").delete(&tags).await, 403, "PolicyNotAuthorized");
}
