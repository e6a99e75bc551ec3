// SPDX-License-Identifier: Apache-2.0
//! Identity providers, protocols, mappings and service providers, as an administrator keeps them.

use serde_json::{Value, json};

use crate::world::World;

fn link(path: &str) -> String {
    format!("http://cloud:80/identity/v3/OS-FEDERATION/{path}")
}

fn simple_rules() -> Value {
    json!([{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "sub"}]}])
}

#[tokio::test]
async fn an_identity_provider_and_its_domain() {
    let world = World::new().await;
    let path = "/v3/OS-FEDERATION/identity_providers/acme";
    let new = json!({"identity_provider": {"description": "ours", "remote_ids": ["b", "a"], "enabled": true}});
    let made = world.ask("PUT", path, &world.admin, new.clone()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let domain = made.body["identity_provider"]["domain_id"].as_str().unwrap().to_owned();
    assert_eq!(
        made.body["identity_provider"],
        json!({"id": "acme", "domain_id": domain, "enabled": true, "description": "ours", "remote_ids": ["a", "b"],
               "authorization_ttl": null,
               "links": {"self": link("identity_providers/acme"), "protocols": link("identity_providers/acme/protocols")}})
    );
    let of_domain = world.get(&format!("/v3/domains/{domain}"), &world.admin).await;
    assert_eq!(of_domain.body["domain"]["name"], domain);
    assert_eq!(of_domain.body["domain"]["description"], "Auto generated federated domain for Identity Provider: acme");
    assert_eq!(world.ask("PUT", path, &world.admin, new).await.status, 409);

    let update = json!({"identity_provider": {"enabled": false, "remote_ids": ["c"], "authorization_ttl": 30}});
    let changed = world.ask("PATCH", path, &world.admin, update).await;
    assert_eq!(changed.status, 200);
    assert_eq!(changed.body["identity_provider"]["remote_ids"], json!(["c"]));
    assert_eq!(changed.body["identity_provider"]["authorization_ttl"], 30);
    assert_eq!(changed.body["identity_provider"]["description"], "ours");

    let other = "/v3/OS-FEDERATION/identity_providers/other";
    let taken = json!({"identity_provider": {"domain_id": "default", "remote_ids": ["c"]}});
    let taken = world.ask("PUT", other, &world.admin, taken).await;
    assert_eq!((taken.status.as_u16(), taken.message().contains("Duplicate remote ID: c")), (409, true));
    assert_eq!(world.get(other, &world.admin).await.status, 404, "nothing of it stayed");
    let plain = json!({"identity_provider": {"domain_id": "default"}});
    let plain = world.ask("PUT", other, &world.admin, plain).await;
    assert_eq!(plain.body["identity_provider"]["enabled"], false);

    let list = "/v3/OS-FEDERATION/identity_providers";
    assert_eq!(world.get(list, &world.admin).await.all("identity_providers", "id"), ["acme", "other"]);
    assert_eq!(world.get(&format!("{list}?id=acme"), &world.admin).await.all("identity_providers", "id"), ["acme"]);
    assert_eq!(world.get(&format!("{list}?enabled=true"), &world.admin).await.all("identity_providers", "id"), [""; 0]);
    assert_eq!(world.ask("DELETE", path, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.ask("DELETE", path, &world.admin, Value::Null).await.status, 404);
    assert_eq!(world.get(&format!("/v3/domains/{domain}"), &world.admin).await.status, 200);
}

#[tokio::test]
async fn a_domain_takes_its_identity_providers_along() {
    let world = World::new().await;
    let domain = world.create("domains", "domain", json!({"name": "guests"})).await;
    let path = "/v3/OS-FEDERATION/identity_providers/acme";
    let new = json!({"identity_provider": {"domain_id": domain, "remote_ids": ["a"]}});
    assert_eq!(world.ask("PUT", path, &world.admin, new).await.status, 201);
    let of_domain = format!("/v3/domains/{domain}");
    let off = json!({"domain": {"enabled": false}});
    assert_eq!(world.ask("PATCH", &of_domain, &world.admin, off).await.status, 200);
    assert_eq!(world.ask("DELETE", &of_domain, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get(path, &world.admin).await.status, 404);
}

#[tokio::test]
async fn a_protocol_needs_a_mapping() {
    let world = World::new().await;
    let provider = "/v3/OS-FEDERATION/identity_providers/acme";
    assert_eq!(world.ask("PUT", provider, &world.admin, json!({"identity_provider": {}})).await.status, 201);
    let path = format!("{provider}/protocols/openid");
    let new = json!({"protocol": {"mapping_id": "m1"}});
    let early = world.ask("PUT", &path, &world.admin, new.clone()).await;
    assert_eq!((early.status.as_u16(), early.message()), (400, "Invalid mapping id: m1"));

    let mapping = "/v3/OS-FEDERATION/mappings/m1";
    let made = world.ask("PUT", mapping, &world.admin, json!({"mapping": {"rules": simple_rules()}})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let expected = json!({"id": "m1", "rules": simple_rules(), "schema_version": "1.0", "links": {"self": link("mappings/m1")}});
    assert_eq!(made.body["mapping"], expected);
    let made = world.ask("PUT", &path, &world.admin, new.clone()).await;
    assert_eq!(made.status, 201);
    let expected = json!({"id": "openid", "mapping_id": "m1", "links": {
        "self": link("identity_providers/acme/protocols/openid"), "identity_provider": link("identity_providers/acme")}});
    assert_eq!(made.body["protocol"], expected);
    assert_eq!(world.ask("PUT", &path, &world.admin, new).await.status, 409);
    assert_eq!(world.get(&path, &world.admin).await.body["protocol"], expected);
    let list = world.get(&format!("{provider}/protocols"), &world.admin).await;
    assert_eq!(list.body["protocols"], json!([expected]));

    let nowhere = json!({"protocol": {"mapping_id": "m2"}});
    assert_eq!(world.ask("PATCH", &path, &world.admin, nowhere).await.status, 400);
    let attribute = json!({"protocol": {"mapping_id": "m1", "remote_id_attribute": "HTTP_OIDC_ISS"}});
    let changed = world.ask("PATCH", &path, &world.admin, attribute).await;
    assert_eq!(changed.body["protocol"]["remote_id_attribute"], "HTTP_OIDC_ISS");
    assert_eq!(world.ask("DELETE", mapping, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get(&path, &world.admin).await.status, 404);
}

#[tokio::test]
async fn a_mapping_is_checked_when_it_is_written() {
    let world = World::new().await;
    let path = "/v3/OS-FEDERATION/mappings/m1";
    let wrong = json!([{"local": [{"user": {"name": "{7}"}}], "remote": [{"type": "sub"}]}]);
    let refused = world.ask("PUT", path, &world.admin, json!({"mapping": {"rules": wrong}})).await;
    assert_eq!(refused.status, 400);
    assert!(refused.message().contains("rules[0]") && refused.message().contains("{7}"), "{}", refused.message());
    let version = json!({"mapping": {"rules": simple_rules(), "schema_version": "7.0"}});
    assert_eq!(world.ask("PUT", path, &world.admin, version).await.status, 400);

    let good = json!({"mapping": {"rules": simple_rules(), "schema_version": "2.0"}});
    assert_eq!(world.ask("PUT", path, &world.admin, good.clone()).await.status, 201);
    assert_eq!(world.ask("PUT", path, &world.admin, good).await.status, 409);
    let changed = json!([{"local": [{"user": {"id": "{0}"}}], "remote": [{"type": "email"}]}]);
    let changed = world.ask("PATCH", path, &world.admin, json!({"mapping": {"rules": changed}})).await;
    assert_eq!(changed.body["mapping"]["rules"][0]["remote"], json!([{"type": "email"}]));
    assert_eq!(changed.body["mapping"]["schema_version"], "2.0", "what is not said stays");
    let null = json!({"mapping": {"rules": simple_rules(), "schema_version": null}});
    assert_eq!(world.ask("PATCH", path, &world.admin, null).await.status, 200, "the stock client says null");
    assert_eq!(world.ask("PATCH", path, &world.admin, json!({"mapping": {"rules": []}})).await.status, 400);
    assert_eq!(world.get("/v3/OS-FEDERATION/mappings", &world.admin).await.all("mappings", "id"), ["m1"]);
    assert_eq!(world.ask("DELETE", path, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get(path, &world.admin).await.status, 404);
}

#[tokio::test]
async fn enabled_service_providers_stand_in_tokens() {
    let world = World::new().await;
    let path = "/v3/OS-FEDERATION/service_providers/east";
    let urls = json!({"auth_url": "https://east.test/v3/auth", "sp_url": "https://east.test/ecp"});
    let made = world.ask("PUT", path, &world.admin, json!({"service_provider": urls})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let expected = json!({"id": "east", "auth_url": "https://east.test/v3/auth", "sp_url": "https://east.test/ecp",
        "description": null, "enabled": false, "relay_state_prefix": "ss:mem:", "links": {"self": link("service_providers/east")}});
    assert_eq!(made.body["service_provider"], expected);
    assert_eq!(world.ask("PUT", path, &world.admin, json!({"service_provider": urls})).await.status, 409);
    let token = world.demo().await;
    let shown = |token: String| {
        let world = &world;
        async move {
            let answer = world.ask_with("GET", "/v3/auth/tokens", &token, &[("x-subject-token", &token)], Value::Null).await;
            answer.body["token"].get("service_providers").cloned()
        }
    };
    assert_eq!(shown(token.clone()).await, None);

    let enable = json!({"service_provider": {"enabled": true, "relay_state_prefix": "ss:temp:"}});
    let changed = world.ask("PATCH", path, &world.admin, enable).await;
    assert_eq!(changed.body["service_provider"]["relay_state_prefix"], "ss:temp:");
    let said = json!([{"id": "east", "auth_url": "https://east.test/v3/auth", "sp_url": "https://east.test/ecp"}]);
    assert_eq!(shown(token.clone()).await, Some(said));
    assert_eq!(world.ask("DELETE", path, &world.admin, Value::Null).await.status, 204);
    assert_eq!(shown(token).await, None);

    let wrong = json!({"auth_url": "javascript:alert(1)", "sp_url": "https://east.test/ecp"});
    assert_eq!(world.ask("PUT", path, &world.admin, json!({"service_provider": wrong})).await.status, 400);
}

#[tokio::test]
async fn flags_are_flags_and_fields_are_known() {
    let world = World::new().await;
    let path = "/v3/OS-FEDERATION/identity_providers/acme";
    for wrong in [
        json!({"enabled": "FALSE"}),
        json!({"enabled": 1}),
        json!({"remote_ids": ["a", "a"]}),
        json!({"remote_ids": [""]}),
        json!({"authorization_ttl": -1}),
        json!({"domain": "default"}),
        json!({"domain_id": 7}),
    ] {
        let answer = world.ask("PUT", path, &world.admin, json!({"identity_provider": wrong})).await;
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.body);
    }
    let long = format!("/v3/OS-FEDERATION/identity_providers/{}", "x".repeat(65));
    assert_eq!(world.ask("PUT", &long, &world.admin, json!({"identity_provider": {}})).await.status, 400);
    let nowhere = json!({"identity_provider": {"domain_id": "nowhere"}});
    assert_eq!(world.ask("PUT", path, &world.admin, nowhere).await.status, 404);
}

#[tokio::test]
async fn only_administrators_see_and_change_them() {
    let world = World::new().await;
    let demo = world.demo().await;
    for kind in ["identity_providers", "mappings", "service_providers"] {
        let path = format!("/v3/OS-FEDERATION/{kind}");
        assert_eq!(world.get(&path, &demo).await.status, 403);
        assert_eq!(world.get(&path, "").await.status, 401);
        assert_eq!(world.ask("PUT", &format!("{path}/x"), &demo, json!({})).await.status, 403);
        assert_eq!(world.ask("DELETE", &format!("{path}/x"), &demo, Value::Null).await.status, 403);
    }
}
