// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use crate::world::{Answer, World, token_login};

struct Made {
    world: World,
    token: String,
    path: String,
    user: String,
}

impl Made {
    async fn new() -> Self {
        let world = World::new().await;
        let user = world.id("users", "demo").await;
        let token = world.demo().await;
        let path = format!("/v3/users/{user}/application_credentials");
        Self { world, token, path, user }
    }

    async fn create(&self, fields: Value) -> Answer {
        self.world.ask("POST", &self.path, &self.token, json!({"application_credential": fields})).await
    }

    async fn login(&self, credential: Value) -> Answer {
        let body = json!({"auth": {"identity": {"methods": ["application_credential"], "application_credential": credential}}});
        self.world.ask("POST", "/v3/auth/tokens", "", body).await
    }
}

#[tokio::test]
async fn a_program_logs_in_with_it() {
    let made = Made::new().await;
    let answer = made.create(json!({"name": "backup", "description": "nightly", "roles": [{"name": "reader"}]})).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let credential = &answer.body["application_credential"];
    let (id, secret) = (credential["id"].as_str().unwrap(), credential["secret"].as_str().unwrap());
    assert_eq!(credential["unrestricted"], json!(false));
    assert_eq!(credential["roles"][0]["name"], "reader");

    let by_name = json!({"name": "backup", "user": {"name": "demo", "domain": {"id": "default"}}, "secret": secret});
    for credential in [json!({"id": id, "secret": secret}), by_name] {
        let answer = made.login(credential).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let token = &answer.body["token"];
        assert_eq!(token["methods"], json!(["application_credential"]));
        assert_eq!(token["project"]["name"], "demo");
        assert_eq!(token["application_credential"], json!({"id": id, "name": "backup", "restricted": true}));
        assert_eq!(token["roles"].as_array().unwrap().len(), 1, "reader only, though its owner is a member");
    }
    for (wrong, status) in [(json!({"id": id, "secret": "wrong"}), 401), (json!({"id": "nothing", "secret": secret}), 404)] {
        assert_eq!(made.login(wrong).await.status, status);
    }

    let shown = made.world.get(&format!("{}/{id}", made.path), &made.token).await;
    assert_eq!(shown.body["application_credential"]["name"], "backup");
    assert!(shown.body["application_credential"].get("secret").is_none(), "told once only");
    let listed = made.world.get(&made.path, &made.token).await;
    assert_eq!(listed.all("application_credentials", "name"), ["backup"]);

    let token = made.login(json!({"id": id, "secret": secret})).await.token();
    assert_eq!(made.world.ask("DELETE", &format!("{}/{id}", made.path), &made.token, Value::Null).await.status, 204);
    assert_eq!(made.world.get("/v3/auth/projects", &token).await.status, 401, "its tokens end with it");
}

#[tokio::test]
async fn it_stays_within_its_bounds() {
    let made = Made::new().await;
    let world = &made.world;
    let answer = made.create(json!({"name": "narrow", "secret": "s", "roles": [{"name": "reader"}]})).await;
    let id = answer.body["application_credential"]["id"].as_str().unwrap().to_owned();
    let token = made.login(json!({"id": id, "secret": "s"})).await.token();

    let another = json!({"application_credential": {"name": "successor"}});
    assert_eq!(world.ask("POST", &made.path, &token, another).await.status, 403);
    assert_eq!(world.ask("DELETE", &format!("{}/{id}", made.path), &token, Value::Null).await.status, 403);

    // A token bought with its token has no more roles, and no other project.
    let project = json!({"project": {"name": "demo", "domain": {"id": "default"}}});
    let again = world.ask("POST", "/v3/auth/tokens", "", token_login(&token, project)).await;
    assert_eq!(again.status, 201);
    assert_eq!(again.body["token"]["roles"].as_array().unwrap().len(), 1);
    assert_eq!(again.body["token"]["application_credential"]["id"], json!(id));
    for scope in [json!("unscoped"), json!({"system": {"all": true}}), json!({"domain": {"id": "default"}})] {
        assert_eq!(world.ask("POST", "/v3/auth/tokens", "", token_login(&token, scope)).await.status, 401);
    }

    // It never has more than its owner.
    let (projects, role) = (world.id("projects", "demo").await, world.id("roles", "member").await);
    let grant = format!("/v3/projects/{projects}/users/{}/roles/{role}", made.user);
    assert_eq!(world.ask("DELETE", &grant, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get("/v3/auth/projects", &token).await.status, 401);
    assert_eq!(made.login(json!({"id": id, "secret": "s"})).await.status, 401);
}

#[tokio::test]
async fn only_its_owner_makes_one() {
    let made = Made::new().await;
    let (world, admin) = (&made.world, made.world.admin.clone());
    let body = json!({"application_credential": {"name": "x"}});
    assert_eq!(world.ask("POST", &made.path, &admin, body.clone()).await.status, 403, "not even the administrator");
    let others = format!("/v3/users/{}/application_credentials", world.id("users", "admin").await);
    assert_eq!(world.get(&others, &made.token).await.status, 403);
    assert_eq!(made.create(json!({"name": "x"})).await.status, 201);
    assert_eq!(world.get(&made.path, &admin).await.all("application_credentials", "name"), ["x"]);
    for (fields, status, word) in [
        (json!({"name": "x"}), 409, "x"),
        (json!({"name": "y", "roles": [{"name": "admin"}]}), 400, "admin"),
        (json!({"name": "y", "expires_at": "2001-01-01T00:00:00Z"}), 400, "before now"),
        (json!({"name": "y", "expires_at": "tomorrow"}), 400, "tomorrow"),
        (json!({"name": "y", "access_rules": [{"path": "/", "method": "TRACE", "service": "compute"}]}), 400, "access_rules"),
        (json!({"name": "y", "access_rules": [{"path": "x", "method": "GET", "service": "compute"}]}), 400, "slash"),
        (json!({"name": "y", "access_rules": [{"path": "/", "method": "GET"}]}), 400, "together"),
        (json!({"name": "y", "access_rules": [{"id": "x", "method": "GET"}]}), 400, "id alone"),
        (json!({"name": "y", "access_rules": [{"id": "x"}]}), 404, "x"),
        (json!({"name": "y", "access_rules": [{"path": "/", "verb": "GET"}]}), 400, "unknown field"),
    ] {
        let answer = made.create(fields.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{fields}");
        assert!(answer.message().contains(word), "{fields}: {}", answer.message());
    }
}
