// SPDX-License-Identifier: Apache-2.0
//! Users of this cloud's own whom an administrator says an identity provider knows.

use serde_json::{Value, json};

use super::Federated;

fn anna(unique_id: &str) -> Value {
    json!([{"idp_id": "museum", "protocols": [{"protocol_id": "openid", "unique_id": unique_id}]}])
}

#[tokio::test]
async fn a_user_is_who_the_administrator_says_by_a_provider() {
    let federated = Federated::new().await;
    let world = &federated.world;
    let id = world.create("users", "user", json!({"name": "clerk", "password": "pw", "federated": anna("anna")})).await;
    let path = format!("/v3/users/{id}");
    assert_eq!(world.get(&path, &world.admin).await.body["user"]["federated"], anna("anna"));
    let taken = json!({"user": {"name": "other", "federated": anna("anna")}});
    assert_eq!(world.ask("POST", "/v3/users", &world.admin, taken).await.status, 409);
    for (query, found) in [
        ("idp_id=museum", vec!["clerk"]),
        ("idp_id=museum&protocol_id=openid&unique_id=anna", vec!["clerk"]),
        ("unique_id=ben", vec![]),
        ("idp_id=elsewhere&unique_id=anna", vec![]),
        ("protocol_id=openid&enabled=false", vec![]),
    ] {
        assert_eq!(world.get(&format!("/v3/users?{query}"), &world.admin).await.all("users", "name"), found, "{query}");
    }

    let changed = world.ask("PATCH", &path, &world.admin, json!({"user": {"federated": anna("anne")}})).await;
    assert_eq!(changed.body["user"]["federated"], anna("anne"), "{}", changed.body);
    let kept = world.ask("PATCH", &path, &world.admin, json!({"user": {"federated": [], "email": "a@b"}})).await;
    assert_eq!(kept.body["user"]["federated"], anna("anne"));
    for wrong in [
        json!([{"idp_id": "nowhere", "protocols": [{"protocol_id": "openid", "unique_id": "x"}]}]),
        json!([{"idp_id": "museum", "protocols": [{"protocol_id": "saml2", "unique_id": "x"}]}]),
        json!([{"idp_id": "museum", "protocols": []}]),
        json!([{"idp_id": "museum"}]),
        json!({"idp_id": "museum"}),
    ] {
        let refused = world.ask("PATCH", &path, &world.admin, json!({"user": {"federated": wrong}})).await;
        assert_eq!(refused.status, 400, "{wrong} {}", refused.body);
    }
    assert_eq!(world.get(&path, &world.admin).await.body["user"]["federated"], anna("anne"), "what is refused changes nothing");
}

#[tokio::test]
async fn a_domains_manager_says_of_nobody_whom_a_provider_knows_as_him() {
    let federated = Federated::new().await;
    let world = &federated.world;
    let manager = world.id("roles", "manager").await;
    let domain = &federated.domain;
    let boss = world.create("users", "user", json!({"name": "boss", "domain_id": domain, "password": "pw"})).await;
    world.grant(&format!("domains/{domain}/users/{boss}/roles/{manager}")).await;
    let login = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": boss, "password": "pw"}}},
        "scope": {"domain": {"id": domain}}}});
    let token = world.ask("POST", "/v3/auth/tokens", "", login).await.token();
    // What a mapping gives to anna, he would have with the password of the clerk.
    let clerk = json!({"user": {"name": "clerk", "domain_id": domain, "password": "pw", "federated": anna("anna")}});
    let made = world.ask("POST", "/v3/users", &token, clerk).await;
    assert_eq!(made.status, 403, "{}", made.body);
    assert_eq!(world.get("/v3/users?name=clerk", &token).await.body["users"], json!([]), "and nothing is half made");
    let clerk = world.ask("POST", "/v3/users", &token, json!({"user": {"name": "clerk", "domain_id": domain}})).await;
    let path = format!("/v3/users/{}", clerk.body["user"]["id"].as_str().unwrap());
    let linked = world.ask("PATCH", &path, &token, json!({"user": {"federated": anna("anna")}})).await;
    assert_eq!(linked.status, 403, "{}", linked.body);
    // Nor does he take over whom a provider speaks for.
    assert_eq!(world.ask("PATCH", &path, &world.admin, json!({"user": {"federated": anna("anna")}})).await.status, 200);
    let taken = world.ask("PATCH", &path, &token, json!({"user": {"password": "mine"}})).await;
    assert_eq!(taken.status, 403, "{}", taken.body);
}

#[tokio::test]
async fn who_is_linked_logs_in_as_himself_and_keeps_his_name() {
    let federated = Federated::new().await;
    let world = &federated.world;
    let id = world.create("users", "user", json!({"name": "clerk", "password": "pw", "federated": anna("anna")})).await;
    let token = federated.come("anna", json!({})).await;
    assert_eq!(token.body["token"]["user"]["id"], json!(id), "{}", token.body);
    assert_eq!(world.get(&format!("/v3/users/{id}"), &world.admin).await.body["user"]["name"], "clerk");
}
