// SPDX-License-Identifier: Apache-2.0
//! Who comes by an identity provider, and as whom.

use oidc::AccessTokens;
use serde_json::{Value, json};

use super::{AUTH, Federated, usual_rules};
use crate::world::ADMIN_PASSWORD;

#[tokio::test]
async fn a_login_as_the_command_line_does_it() {
    let federated = Federated::new().await;
    let answer = federated.come("anna", json!({})).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let (user, groups) = (&answer.body["token"]["user"], json!([{"id": federated.group}]));
    assert_eq!(user["name"], "Anna");
    assert_eq!(user["domain"], json!({"id": federated.domain, "name": "museum"}));
    let word = json!({"groups": groups, "identity_provider": {"id": "museum"}, "protocol": {"id": "openid"}});
    assert_eq!(user["OS-FEDERATION"], word);
    assert!(user.get("password_expires_at").is_none());
    assert_eq!(answer.body["token"]["methods"], json!(["mapped"]));
    assert!(answer.body["token"].get("roles").is_none() && answer.body["token"].get("catalog").is_none());

    let token = answer.token();
    for path in ["/v3/auth/projects", "/v3/OS-FEDERATION/projects"] {
        assert_eq!(federated.world.get(path, &token).await.all("projects", "name"), ["hall"], "{path}");
    }
    assert_eq!(federated.world.get("/v3/OS-FEDERATION/domains", &token).await.all("domains", "id"), [""; 0]);
    let scoped = federated.in_hall(&token).await;
    assert_eq!(scoped.status, 201, "{}", scoped.body);
    assert_eq!(scoped.body["token"]["project"]["name"], "hall");
    assert_eq!(scoped.body["token"]["roles"][0]["name"], "reader");
    assert_eq!(scoped.body["token"]["methods"], json!(["mapped", "token"]));
    assert_eq!(scoped.body["token"]["user"]["OS-FEDERATION"], word);
    assert_eq!(scoped.body["token"]["expires_at"], answer.body["token"]["expires_at"]);
    assert!(!scoped.body["token"]["catalog"].as_array().unwrap().is_empty());
    // What is sealed in the token says the same.
    let shown = federated.show(&scoped.token()).await;
    assert_eq!((shown.status.as_u16(), &shown.body["token"]["roles"]), (200, &scoped.body["token"]["roles"]));
    assert_eq!(shown.body["token"]["user"], scoped.body["token"]["user"]);

    let nowhere = federated.rescope(&token, json!({"project": {"name": "demo", "domain": {"id": "default"}}})).await;
    assert_eq!(nowhere.status, 401);
    assert_eq!(federated.rescope(&token, json!({"system": {"all": true}})).await.status, 401);
}

#[tokio::test]
async fn a_shadow_stays_the_same_user() {
    let federated = Federated::new().await;
    let id = |answer: &crate::world::Answer| answer.body["token"]["user"]["id"].as_str().unwrap().to_owned();
    let first = id(&federated.come("anna", json!({})).await);
    assert_eq!(first.len(), 64, "Keystone's form for users of elsewhere");
    assert_eq!(id(&federated.come("anna", json!({})).await), first);
    let renamed = federated.come("anna", json!({"preferred_username": "Anna Berg"})).await;
    assert_eq!((id(&renamed), renamed.body["token"]["user"]["name"].as_str()), (first.clone(), Some("Anna Berg")));
    assert_ne!(id(&federated.come("ben", json!({})).await), first);
    let namesake = federated.come("ben", json!({"preferred_username": "Anna Berg"})).await;
    assert_eq!(namesake.body["token"]["user"]["name"], "ben", "a name of a domain is one person's");

    let shadow = federated.world.get(&format!("/v3/users/{first}"), &federated.world.admin).await;
    assert_eq!(shadow.body["user"]["domain_id"], federated.domain.as_str());
    // It has no password, whatever is tried.
    for password in ["", "pw", "null"] {
        let user = json!({"id": first, "password": password});
        let body = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}});
        assert_eq!(federated.world.ask("POST", "/v3/auth/tokens", "", body).await.status, 401);
    }
    let path = "/v3/OS-FEDERATION/identity_providers/museum";
    assert_eq!(federated.world.ask("DELETE", path, &federated.world.admin, Value::Null).await.status, 204);
    let idp = json!({"domain_id": federated.domain, "enabled": true});
    federated.put("identity_providers/museum", json!({"identity_provider": idp})).await;
    federated.put("identity_providers/museum/protocols/openid", json!({"protocol": {"mapping_id": "people"}})).await;
    assert_eq!(id(&federated.come("anna", json!({})).await), first, "made again, it finds its people again");
    let gone = federated.world.ask("DELETE", &format!("/v3/users/{first}"), &federated.world.admin, Value::Null).await;
    assert_eq!(gone.status, 204);
    assert_eq!(id(&federated.come("anna", json!({})).await), first);
}

#[tokio::test]
async fn another_providers_anna_is_not_ours() {
    let federated = Federated::new().await;
    federated.log_in("anna").await;
    // The same domain, the same name, by another protocol: whoever runs that one must not become our Anna.
    federated
        .put("identity_providers/other", json!({"identity_provider": {"domain_id": federated.domain, "enabled": true}}))
        .await;
    federated.put("identity_providers/other/protocols/openid", json!({"protocol": {"mapping_id": "people"}})).await;
    let word = evidence::oidc::claims::assertion(&federated.provider.claims_of("anna"));
    let actor = store::Actor { request_id: "r".into(), user_id: None, project_id: None, name: "nobody".into() };
    let taken = federated.world.room.take_word("other", "openid", word, &actor).await;
    assert!(matches!(taken, Err(crate::Error::Conflict { .. })));
}

#[tokio::test]
async fn who_may_not_come_is_not_let_in() {
    let federated = Federated::new().await;
    let bare = federated.world.ask("POST", AUTH, "", Value::Null).await;
    assert_eq!(bare.status, 401);
    let good = federated.provider.sign(&Value::Object(federated.provider.claims_of("anna")));
    for header in ["", "Bearer", "Bearer ", "Basic YTpi", &format!("Token {good}"), &format!("Bearer {good}x")] {
        let answer = federated.world.ask_with("GET", AUTH, "", &[("authorization", header)], Value::Null).await;
        assert_eq!(answer.status, 401, "{header}");
    }
    let lower = federated.world.ask_with("GET", AUTH, "", &[("authorization", &format!("bearer {good}"))], Value::Null).await;
    assert_eq!(lower.status, 201, "GET, and the scheme in any case");
    assert_eq!(federated.come("anna", json!({"exp": 1})).await.status, 401);
    assert_eq!(federated.come("anna", json!({"aud": "elsewhere"})).await.status, 401);
    assert_eq!(federated.come("anna", json!({"preferred_username": null})).await.status, 401, "no rule applies");
    for (path, status) in
        [("identity_providers/nobody/protocols/openid", 404), ("identity_providers/museum/protocols/saml2", 404)]
    {
        let path = format!("/v3/OS-FEDERATION/{path}/auth");
        let header = [("authorization", "Bearer x")];
        assert_eq!(federated.world.ask_with("POST", &path, "", &header, Value::Null).await.status, status);
    }
    // A protocol that is there, but without an issuer behind it.
    federated.put("identity_providers/museum/protocols/saml2", json!({"protocol": {"mapping_id": "people"}})).await;
    let path = "/v3/OS-FEDERATION/identity_providers/museum/protocols/saml2/auth";
    let header = [("authorization", "Bearer x")];
    assert_eq!(federated.world.ask_with("POST", path, "", &header, Value::Null).await.status, 401);

    federated.patch("identity_providers/museum", json!({"identity_provider": {"remote_ids": ["https://other.test"]}})).await;
    assert_eq!(federated.come("anna", json!({})).await.status, 401, "its name is not among those that are known");
    federated.patch("identity_providers/museum", json!({"identity_provider": {"remote_ids": []}})).await;
    assert_eq!(federated.come("anna", json!({})).await.status, 201);
    federated.patch("identity_providers/museum", json!({"identity_provider": {"enabled": false}})).await;
    let disabled = federated.come("anna", json!({})).await;
    assert_eq!((disabled.status.as_u16(), disabled.message()), (403, "Identity Provider museum is disabled"));
}

#[tokio::test]
async fn an_opaque_token_is_asked_about() {
    let federated = Federated::with(AccessTokens::Opaque, 0).await;
    assert_eq!(federated.bring("never-issued").await.status, 401);
    assert_eq!(federated.provider.asked("/introspect"), 1);
}

#[tokio::test]
async fn a_local_user_logs_in_by_the_provider() {
    let federated = Federated::new().await;
    let rules = json!([{
        "local": [{"user": {"name": "{0}", "type": "local", "domain": {"id": "default"}}}],
        "remote": [{"type": "preferred_username"}],
    }]);
    federated.map(rules).await;
    assert_eq!(federated.come("anna", json!({})).await.status, 401, "she is not a user of that domain");
    let demo = federated.come("anna", json!({"preferred_username": "demo"})).await;
    assert_eq!(demo.status, 201, "{}", demo.body);
    assert_eq!(demo.body["token"]["user"]["id"], federated.world.id("users", "demo").await);
    assert!(demo.body["token"]["user"].get("OS-FEDERATION").is_none());
    let scoped = federated.rescope(&demo.token(), json!({"project": {"name": "demo", "domain": {"id": "default"}}})).await;
    assert_eq!(scoped.status, 201);
}

#[tokio::test]
async fn the_mapped_method_buys_with_federated_tokens_only() {
    let federated = Federated::new().await;
    let token = federated.log_in("anna").await;
    let plain = federated.world.login("admin", ADMIN_PASSWORD, None).await;
    for method in ["mapped", "openid", "saml2"] {
        let ask = |id: &str| {
            let mut identity = json!({"methods": [method]});
            identity[method] = json!({"id": id});
            json!({"auth": {"identity": identity, "scope": {"project": {"id": federated.project}}}})
        };
        let scoped = federated.world.ask("POST", "/v3/auth/tokens", "", ask(&token)).await;
        assert_eq!((scoped.status.as_u16(), &scoped.body["token"]["methods"]), (201, &json!(["mapped"])), "{method}");
        assert_eq!(federated.world.ask("POST", "/v3/auth/tokens", "", ask(&plain)).await.status, 401);
        // Nobody is somebody by saying so.
        let mut identity = json!({"methods": [method]});
        identity[method] = json!({"identity_provider": "museum", "protocol": "openid"});
        let said = federated.world.ask("POST", "/v3/auth/tokens", "", json!({"auth": {"identity": identity}})).await;
        assert_eq!(said.status, 401);
    }
}

#[tokio::test]
async fn saml_is_answered_as_where_it_is_not_configured() {
    let federated = Federated::new().await;
    let world = &federated.world;
    assert_eq!(world.get("/v3/OS-FEDERATION/saml2/metadata", "").await.status, 500);
    let urls = json!({"auth_url": "https://east.test/auth", "sp_url": "https://east.test/sp"});
    federated.put("service_providers/east", json!({"service_provider": urls})).await;
    let ask = |token: &str, provider: &str| {
        let scope = json!({"service_provider": {"id": provider}});
        json!({"auth": {"identity": {"methods": ["token"], "token": {"id": token}}, "scope": scope}})
    };
    for path in ["/v3/auth/OS-FEDERATION/saml2", "/v3/auth/OS-FEDERATION/saml2/ecp"] {
        let status = async |token: &str, provider: &str| world.ask("POST", path, "", ask(token, provider)).await.status.as_u16();
        federated.patch("service_providers/east", json!({"service_provider": {"enabled": false}})).await;
        assert_eq!(status(&world.admin, "nowhere").await, 404);
        assert_eq!(status(&world.admin, "east").await, 403, "the provider is disabled");
        federated.patch("service_providers/east", json!({"service_provider": {"enabled": true}})).await;
        assert_eq!(status("bad", "east").await, 404);
        assert_eq!(status(&federated.log_in("anna").await, "east").await, 403, "it is not for a project");
        assert_eq!(status(&world.admin, "east").await, 500);
        assert_eq!(world.ask("POST", path, "", json!({"auth": {}})).await.status, 400);
        assert_eq!(world.ask("GET", path, "", Value::Null).await.status, 405);
    }
}

#[tokio::test]
async fn every_login_leaves_its_trace() {
    let federated = Federated::new().await;
    federated.map(usual_rules(&federated.group)).await;
    federated.log_in("anna").await;
    let kinds = federated
        .world
        .store
        .read(|tx| {
            let rows = tx.query("SELECT action FROM events ORDER BY id", &[])?;
            rows.iter().map(|row| row.get::<String>(0)).collect::<Result<Vec<_>, store::Error>>()
        })
        .await
        .unwrap();
    for expected in ["identity_provider.create", "federation_mapping.update", "federated_user.create", "login.create"] {
        assert!(kinds.iter().any(|kind| kind == expected), "{expected} is not among {kinds:?}");
    }
}
