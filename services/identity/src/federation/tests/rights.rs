// SPDX-License-Identifier: Apache-2.0
//! What those who come by an identity provider may do, and when that ends.

use oidc::AccessTokens;
use serde_json::{Value, json};

use super::Federated;

#[tokio::test]
async fn only_what_the_mapping_leads_to() {
    let federated = Federated::new().await;
    let world = &federated.world;
    // Others have more in the same project.
    let (demo, admin) = (world.id("users", "demo").await, world.id("roles", "admin").await);
    world.grant(&format!("projects/{}/users/{demo}/roles/{admin}", federated.project)).await;
    let insiders = world.create("groups", "group", json!({"name": "insiders", "domain_id": federated.domain})).await;
    world.grant(&format!("projects/{}/groups/{insiders}/roles/{admin}", federated.project)).await;

    let anna = federated.in_hall(&federated.log_in("anna").await).await;
    let roles: Vec<&str> = anna.body["token"]["roles"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(roles, ["reader"]);
    let ben = federated.log_in("ben").await;
    assert_eq!(federated.in_hall(&ben).await.status, 401, "no group, no role");
    assert_eq!(world.get("/v3/OS-FEDERATION/projects", &ben).await.all("projects", "name"), [""; 0]);
    assert_eq!(world.get("/v3/projects", &ben).await.status, 403);
    assert_eq!(world.get("/v3/users", &anna.token()).await.status, 403);
}

#[tokio::test]
async fn a_disabled_identity_provider_voids_its_tokens() {
    let federated = Federated::new().await;
    let unscoped = federated.log_in("anna").await;
    let scoped = federated.in_hall(&unscoped).await.token();
    let both = async || {
        let (a, b) = (federated.world.get("/v3/auth/projects", &unscoped).await, federated.show(&scoped).await);
        (a.status.as_u16(), b.status.as_u16())
    };
    assert_eq!(both().await, (200, 200));
    federated.patch("identity_providers/museum", json!({"identity_provider": {"enabled": false}})).await;
    assert_eq!(both().await, (401, 404));
    federated.patch("identity_providers/museum", json!({"identity_provider": {"enabled": true}})).await;
    assert_eq!(both().await, (200, 200));
    let protocol = "/v3/OS-FEDERATION/identity_providers/museum/protocols/openid";
    assert_eq!(federated.world.ask("DELETE", protocol, &federated.world.admin, Value::Null).await.status, 204);
    assert_eq!(both().await, (401, 404));
    federated.put("identity_providers/museum/protocols/openid", json!({"protocol": {"mapping_id": "people"}})).await;
    assert_eq!(both().await, (200, 200));
    let path = "/v3/OS-FEDERATION/identity_providers/museum";
    assert_eq!(federated.world.ask("DELETE", path, &federated.world.admin, Value::Null).await.status, 204);
    assert_eq!(both().await, (401, 404));
}

#[tokio::test]
async fn another_controller_hears_that_a_provider_is_disabled() {
    let federated = Federated::new().await;
    let second = federated.world.second_room().await;
    let token = federated.log_in("anna").await;
    second.check_token(&token).await.unwrap();
    federated.patch("identity_providers/museum", json!({"identity_provider": {"enabled": false}})).await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while second.check_token(&token).await.is_ok() {
        assert!(std::time::Instant::now() < deadline, "the other controller never heard of it");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_group_that_goes_takes_its_rights_along() {
    let federated = Federated::new().await;
    let unscoped = federated.log_in("anna").await;
    let scoped = federated.in_hall(&unscoped).await.token();
    let path = format!("/v3/groups/{}", federated.group);
    assert_eq!(federated.world.ask("DELETE", &path, &federated.world.admin, Value::Null).await.status, 204);
    assert_eq!(federated.show(&scoped).await.status, 404);
    assert_eq!(federated.in_hall(&unscoped).await.status, 401);
    assert_eq!(federated.show(&unscoped).await.body["token"]["user"]["OS-FEDERATION"]["groups"], json!([]));
    assert_eq!(federated.come("anna", json!({})).await.status, 401, "the mapping still names it");
    assert_eq!(federated.come("ben", json!({})).await.status, 201);
}

#[tokio::test]
async fn who_is_put_out_of_a_group_loses_it_in_older_tokens_too() {
    let federated = Federated::new().await;
    let scoped = federated.in_hall(&federated.log_in("anna").await).await.token();
    assert_eq!(federated.show(&scoped).await.status, 200);
    let later = federated.come("anna", json!({"groups": ["guests"]})).await;
    assert_eq!(later.body["token"]["user"]["OS-FEDERATION"]["groups"], json!([]));
    assert_eq!(federated.show(&scoped).await.status, 404);
    // Nor does an older token gain what a later login brings.
    let plain = later.token();
    federated.log_in("anna").await;
    assert_eq!(federated.in_hall(&plain).await.status, 401);
    assert_eq!(federated.show(&scoped).await.status, 200);
}

#[tokio::test]
async fn groups_are_found_by_name() {
    let federated = Federated::new().await;
    federated
        .map(json!([{
            "local": [{"user": {"id": "{0}"}}, {"groups": "{1}", "domain": {"name": "museum"}}],
            "remote": [{"type": "sub"}, {"type": "groups"}],
        }]))
        .await;
    let shift = federated.world.create("groups", "group", json!({"name": "night-shift", "domain_id": federated.domain})).await;
    // One of the same name, of another domain.
    federated.world.create("groups", "group", json!({"name": "staff"})).await;
    let anna = federated.come("anna", json!({})).await;
    assert_eq!(anna.body["token"]["user"]["OS-FEDERATION"]["groups"], json!([{"id": shift}]));
}

#[tokio::test]
async fn projects_are_made_as_the_mapping_promises() {
    let federated = Federated::new().await;
    let promised = |role: &str| {
        json!([{
            "local": [
                {"user": {"id": "{0}", "name": "{1}"}},
                {"projects": [{"name": "Workshop of {1}", "roles": [{"name": "member"}]},
                              {"name": "commons", "roles": [{"name": role}]}]},
            ],
            "remote": [{"type": "sub"}, {"type": "preferred_username"}],
        }])
    };
    federated.map(promised("alchemist")).await;
    assert_eq!(federated.come("anna", json!({})).await.status, 401, "the role is not there");
    let list = format!("/v3/projects?domain_id={}", federated.domain);
    let projects = async || federated.world.get(&list, &federated.world.admin).await.all("projects", "name");
    assert_eq!(projects().await, [""; 0], "nothing of a login that failed stays");

    federated.map(promised("reader")).await;
    let token = federated.log_in("anna").await;
    assert_eq!(projects().await, ["Workshop of Anna", "commons"]);
    assert_eq!(federated.world.get("/v3/auth/projects", &token).await.all("projects", "name"), ["Workshop of Anna", "commons"]);
    let scope = json!({"project": {"name": "commons", "domain": {"id": federated.domain}}});
    let scoped = federated.rescope(&token, scope).await;
    assert_eq!(scoped.body["token"]["roles"].as_array().map(Vec::len), Some(1));
    assert_eq!(scoped.body["token"]["roles"][0]["name"], "reader");
    federated.log_in("anna").await;
    federated.log_in("ben").await;
    assert_eq!(projects().await, ["Workshop of Anna", "Workshop of Ben", "commons"]);
}

#[tokio::test]
async fn groups_count_beyond_the_token_for_the_time_of_the_provider() {
    for (minutes, status) in [(60, 201), (0, 401)] {
        let federated = Federated::with(AccessTokens::Signed, 0).await;
        federated.patch("identity_providers/museum", json!({"identity_provider": {"authorization_ttl": minutes}})).await;
        let scoped = federated.in_hall(&federated.log_in("anna").await).await;
        let user = scoped.body["token"]["user"]["id"].as_str().unwrap();
        let new = json!({"application_credential": {"name": "robot", "secret": "s3cret"}});
        let path = format!("/v3/users/{user}/application_credentials");
        let made = federated.world.ask("POST", &path, &scoped.token(), new).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let id = &made.body["application_credential"]["id"];
        let own = json!({"id": id, "secret": "s3cret"});
        let body = json!({"auth": {"identity": {"methods": ["application_credential"], "application_credential": own}}});
        let token = federated.world.ask("POST", "/v3/auth/tokens", "", body.clone()).await;
        assert_eq!(token.status.as_u16(), status, "{minutes} minutes: {}", token.body);
        if minutes > 0 {
            let token = token.token();
            assert_eq!(federated.show(&token).await.status, 200);
            // The clock passes it by.
            federated
                .world
                .store
                .write(|tx| {
                    tx.execute("UPDATE federated_memberships SET valid_until = $1", &[types::Timestamp::now().into()])?;
                    Ok::<_, store::Error>(())
                })
                .await
                .unwrap();
            assert_eq!(federated.world.ask("POST", "/v3/auth/tokens", "", body).await.status, 401);
        }
    }
}

#[tokio::test]
async fn what_ends_by_the_clock_is_looked_up_again() {
    let federated = Federated::with(AccessTokens::Signed, 60).await;
    let scoped = federated.in_hall(&federated.log_in("anna").await).await.token();
    let valid = federated.world.room.check_token(&scoped).await.unwrap();
    let stale_at = valid.stale_at.unwrap();
    assert!(stale_at > types::Timestamp::now() && stale_at < types::Timestamp::now().plus(std::time::Duration::from_secs(3601)));
    let plain = federated.world.room.check_token(&federated.world.admin).await.unwrap();
    assert_eq!(plain.stale_at, None);
}

#[tokio::test]
async fn a_mapping_names_the_domain_of_its_users() {
    let federated = Federated::new().await;
    let rules = json!([{
        "local": [{"user": {"id": "{0}"}, "domain": {"name": "{1}"}}],
        "remote": [{"type": "sub"}, {"type": "tenant"}],
    }]);
    federated.patch("mappings/people", json!({"mapping": {"rules": rules, "schema_version": "2.0"}})).await;
    assert_eq!(federated.come("anna", json!({"tenant": "nowhere"})).await.status, 401);
    let anna = federated.come("anna", json!({"tenant": "Default"})).await;
    assert_eq!(anna.body["token"]["user"]["domain"]["id"], "default");
}

#[tokio::test]
async fn under_schema_three_roles_that_are_said_no_more_end() {
    let federated = Federated::new().await;
    let world = &federated.world;
    let mapping = json!({"mapping": {"schema_version": "3.0", "rules": [{
        "local": [{"user": {"id": "{0}", "name": "{1}"}, "projects_json": "{2}"}],
        "remote": [{"type": "sub"}, {"type": "OIDC-preferred_username"}, {"type": "OIDC-projects"}]}]}});
    federated.patch("mappings/people", mapping).await;
    let come = async |projects: &str| {
        let answer = federated.come("anna", json!({"projects": projects})).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let user = answer.body["token"]["user"]["id"].as_str().unwrap().to_owned();
        let list = world.get(&format!("/v3/role_assignments?user.id={user}&include_names"), &world.admin).await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let told = list.body["role_assignments"].as_array().unwrap().iter();
        let mut told: Vec<_> = told.map(|one| (text(&one["scope"]["project"]["name"]), text(&one["role"]["name"]))).collect();
        told.sort();
        told
    };
    let pair = |project: &str, role: &str| (project.to_owned(), role.to_owned());
    let both =
        r#"[{"name": "a", "roles": [{"name": "member"}, {"name": "reader"}]}, {"name": "b", "roles": [{"name": "member"}]}]"#;
    assert_eq!(come(both).await, [pair("a", "member"), pair("a", "reader"), pair("b", "member")]);
    assert_eq!(come(r#"[{"name": "a", "roles": [{"name": "reader"}]}]"#).await, [pair("a", "reader")]);
}
