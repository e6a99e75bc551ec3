// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use crate::world::{Answer, World};

struct Confined {
    world: World,
    demo: String,
    id: String,
    secret: String,
    rules: Value,
}

impl Confined {
    /// An application credential of `demo`, confined to these rules.
    async fn to(rules: Value) -> Self {
        let world = World::new().await;
        let demo = world.id("users", "demo").await;
        let path = format!("/v3/users/{demo}/application_credentials");
        let body = json!({"application_credential": {"name": "robot", "access_rules": rules, "unrestricted": true}});
        let made = world.ask("POST", &path, &world.demo().await, body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let made = &made.body["application_credential"];
        let text = |key: &str| made[key].as_str().unwrap().to_owned();
        let (id, secret, rules) = (text("id"), text("secret"), made["access_rules"].clone());
        Self { world, demo, id, secret, rules }
    }

    async fn log_in(&self) -> Answer {
        let body = json!({"auth": {"identity": {"methods": ["application_credential"],
            "application_credential": {"id": self.id, "secret": self.secret}}}});
        let answer = self.world.ask("POST", "/v3/auth/tokens", "", body).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer
    }
}

fn rule(method: &str, path: &str) -> Value {
    json!({"service": "identity", "method": method, "path": path})
}

#[tokio::test]
async fn a_confined_token_is_good_for_its_rules_only() {
    let confined = Confined::to(json!([
        rule("GET", "/v3/users/{user_id}"),
        rule("GET", "/identity/v3/auth/**"),
        rule("GET", "/v3/projects/*")
    ]))
    .await;
    let world = &confined.world;
    let login = confined.log_in().await;
    let token = login.token();
    assert_eq!(login.body["token"]["application_credential"]["access_rules"], confined.rules);
    let status = async |method: &str, path: String| world.ask(method, &path, &token, Value::Null).await.status.as_u16();
    assert_eq!(status("GET", format!("/v3/users/{}", confined.demo)).await, 200);
    assert_eq!(status("GET", "/v3/auth/projects".to_owned()).await, 200);
    for (method, path) in [
        ("GET", format!("/v3/users/{}/projects", confined.demo)),
        ("HEAD", format!("/v3/users/{}", confined.demo)),
        ("DELETE", format!("/v3/users/{}/application_credentials/{}", confined.demo, confined.id)),
        ("GET", "/v3/regions".to_owned()),
    ] {
        assert_eq!(status(method, path.clone()).await, 401, "{method} {path}");
    }
    // What it buys is confined as it is.
    let body = json!({"auth": {"identity": {"methods": ["token"], "token": {"id": token}}}});
    let bought = world.ask("POST", "/v3/auth/tokens", "", body).await;
    assert_eq!(bought.status, 201, "{}", bought.body);
    assert_eq!(bought.body["token"]["application_credential"]["access_rules"], confined.rules);
    assert_eq!(world.get("/v3/regions", &bought.token()).await.status, 401);
}

#[tokio::test]
async fn a_confined_token_is_shown_to_those_who_keep_to_its_rules() {
    let confined = Confined::to(json!([rule("GET", "/v3/regions")])).await;
    let token = confined.log_in().await.token();
    let world = &confined.world;
    let look = async |own: &str, headers: &[(&str, &str)]| {
        let headers: Vec<(&str, &str)> = [("x-subject-token", token.as_str())].iter().chain(headers).copied().collect();
        world.ask_with("GET", "/v3/auth/tokens", own, &headers, Value::Null).await.status.as_u16()
    };
    assert_eq!(look(&world.admin, &[]).await, 404);
    assert_eq!(look(&world.admin, &[("openstack-identity-access-rules", "0.9")]).await, 404);
    assert_eq!(look(&world.admin, &[("openstack-identity-access-rules", "1.0")]).await, 200);
    assert_eq!(look(&token, &[("openstack-identity-access-rules", "1.0")]).await, 200, "whatever its rules, about itself");
}

#[tokio::test]
async fn rules_are_their_users_and_stay_while_they_are_used() {
    let confined =
        Confined::to(json!([rule("GET", "/v3/regions"), rule("GET", "/v3/regions"), rule("POST", "/v3/regions")])).await;
    let world = &confined.world;
    let demo = world.demo().await;
    assert_eq!(confined.rules.as_array().unwrap().len(), 2, "said twice it is one rule");
    let base = format!("/v3/users/{}/access_rules", confined.demo);
    let all = world.get(&base, &demo).await;
    assert_eq!(all.all("access_rules", "method"), ["GET", "POST"]);
    assert_eq!(world.get(&format!("{base}?method=POST"), &demo).await.all("access_rules", "method"), ["POST"]);
    let id = confined.rules[0]["id"].as_str().unwrap();
    let one = format!("{base}/{id}");
    let shown = world.get(&one, &demo).await;
    assert_eq!(
        shown.body["access_rule"],
        json!({"id": id, "service": "identity", "method": "GET", "path": "/v3/regions",
            "links": {"self": format!("http://cloud:80/identity{one}")}})
    );

    // The next credential takes it by its id, and nobody else's does.
    let path = format!("/v3/users/{}/application_credentials", confined.demo);
    let body = json!({"application_credential": {"name": "second", "access_rules": [{"id": id}]}});
    let second = world.ask("POST", &path, &demo, body.clone()).await;
    assert_eq!(second.body["application_credential"]["access_rules"], json!([confined.rules[0]]));
    let admin = world.id("users", "admin").await;
    let theirs = world.ask("POST", &format!("/v3/users/{admin}/application_credentials"), &world.admin, body).await;
    assert_eq!(theirs.status, 404);
    assert_eq!(world.get(&format!("/v3/users/{admin}/access_rules"), &demo).await.status, 403);
    assert_eq!(world.get(&format!("/v3/users/{admin}/access_rules/{id}"), &world.admin).await.status, 404);

    let listed = world.get(&path, &demo).await;
    let lengths: Vec<usize> = listed.body["application_credentials"]
        .as_array()
        .unwrap()
        .iter()
        .map(|credential| credential["access_rules"].as_array().unwrap().len())
        .collect();
    assert_eq!(lengths, [2, 1]);

    let refused = world.ask("DELETE", &one, &demo, Value::Null).await;
    assert_eq!(refused.status, 403);
    assert!(refused.message().contains("in use"), "{}", refused.message());
    for credential in listed.body["application_credentials"].as_array().unwrap() {
        let path = format!("{path}/{}", credential["id"].as_str().unwrap());
        assert_eq!(world.ask("DELETE", &path, &demo, Value::Null).await.status, 204);
    }
    assert_eq!(world.ask("DELETE", &one, &demo, Value::Null).await.status, 204);
    assert_eq!(world.get(&one, &demo).await.status, 404);

    // With the user goes what is his.
    assert_eq!(world.ask("DELETE", &format!("/v3/users/{}", confined.demo), &world.admin, Value::Null).await.status, 204);
}

#[tokio::test]
async fn a_credential_has_a_bounded_number_of_rules() {
    let world = World::new().await;
    let demo = world.id("users", "demo").await;
    let rules: Vec<Value> = (0..=super::MOST).map(|i| rule("GET", &format!("/v3/{i}"))).collect();
    let body = json!({"application_credential": {"name": "robot", "access_rules": rules}});
    let made = world.ask("POST", &format!("/v3/users/{demo}/application_credentials"), &world.demo().await, body).await;
    assert_eq!(made.status, 400);
    assert!(made.message().contains("at most 100"), "{}", made.message());
}
