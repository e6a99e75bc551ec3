// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use crate::world::{DEMO_PASSWORD, World, password_login};

#[tokio::test]
async fn a_life() {
    let world = World::new().await;
    let fields = json!({"name": "ann", "password": "secret", "email": "ann@example.org", "description": "of sales",
        "password_expires_at": "2001-01-01T00:00:00Z"});
    let made = world.ask("POST", "/v3/users", &world.admin, json!({"user": fields})).await;
    assert_eq!(made.status, 201);
    let user = &made.body["user"];
    let id = user["id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 32);
    assert_eq!(
        *user,
        json!({
            "id": id, "name": "ann", "domain_id": "default", "enabled": true, "password_expires_at": null, "options": {},
            "email": "ann@example.org", "description": "of sales",
            "links": {"self": format!("http://cloud:80/identity/v3/users/{id}")}
        })
    );
    let path = format!("/v3/users/{id}");
    let change = json!({"user": {"name": "anna", "email": "anna@example.org", "options": {"lock_password": true}}});
    let changed = world.ask("PATCH", &path, &world.admin, change).await;
    assert_eq!(changed.status, 200);
    assert_eq!(changed.body["user"]["email"], "anna@example.org");
    assert_eq!(world.get(&path, &world.admin).await.body, changed.body);
    world.login("anna", "secret", None).await;
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get(&path, &world.admin).await.status, 404);
    assert_eq!(world.get(&path, &world.admin).await.message(), format!("Could not find user: {id}."));
}

#[tokio::test]
async fn bad_input_is_told_what_is_wrong() {
    let world = World::new().await;
    let demo = world.id("users", "demo").await;
    for (method, path, body, status, word) in [
        ("POST", "/v3/users".to_owned(), json!({"user": {}}), 400, "name"),
        ("POST", "/v3/users".to_owned(), json!({"user": {"name": ""}}), 400, "1 to 255"),
        ("POST", "/v3/users".to_owned(), json!({"user": {"name": "x".repeat(256)}}), 400, "1 to 255"),
        ("POST", "/v3/users".to_owned(), json!({"user": {"name": "x", "enabled": "yes"}}), 400, "user.enabled"),
        ("POST", "/v3/users".to_owned(), json!({"user": {"name": "x", "password": 7}}), 400, "user.password"),
        ("POST", "/v3/users".to_owned(), json!({"user": {"name": "x", "password": "x".repeat(5000)}}), 400, "4096"),
        ("POST", "/v3/users".to_owned(), json!({"user": {"name": "x\u{0}"}}), 400, "NUL"),
        ("POST", "/v3/users".to_owned(), json!({"person": {}}), 400, "user"),
        ("POST", "/v3/users".to_owned(), json!({"user": {"name": "x", "domain_id": "nowhere"}}), 404, "domain"),
        ("POST", "/v3/users".to_owned(), json!({"user": {"name": "demo"}}), 409, "demo"),
        ("PATCH", format!("/v3/users/{demo}"), json!({"user": {"name": "admin"}}), 409, "admin"),
        ("PATCH", format!("/v3/users/{demo}"), json!({"user": {"domain_id": "x"}}), 400, "domain_id"),
        ("PATCH", format!("/v3/users/{demo}"), json!({"user": {"id": "x"}}), 400, "'id'"),
        ("PATCH", "/v3/users/nobody".to_owned(), json!({"user": {"name": "x"}}), 404, "nobody"),
        ("DELETE", "/v3/users/nobody".to_owned(), Value::Null, 404, "nobody"),
        ("PUT", format!("/v3/users/{demo}"), Value::Null, 405, "PUT"),
    ] {
        let answer = world.ask(method, &path, &world.admin, body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path} {body} {}", answer.body);
        assert!(answer.message().contains(word), "{method} {path} {body}: {}", answer.message());
    }
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let world = World::new().await;
    for i in 0..5 {
        world.create("users", "user", json!({"name": format!("u{i}"), "enabled": i != 3})).await;
    }
    let all = world.get("/v3/users", &world.admin).await;
    assert_eq!(all.all("users", "name"), ["admin", "demo", "u0", "u1", "u2", "u3", "u4"]);
    assert_eq!(world.get("/v3/users?name=u1", &world.admin).await.all("users", "name"), ["u1"]);
    assert_eq!(world.get("/v3/users?enabled=False", &world.admin).await.all("users", "name"), ["u3"]);
    assert_eq!(world.get("/v3/users?enabled=maybe", &world.admin).await.status, 400);
    assert_eq!(world.get("/v3/users?domain_id=elsewhere", &world.admin).await.body["users"], json!([]));

    let mut seen = vec![];
    let mut next = Some("http://cloud:80/identity/v3/users?limit=3".to_owned());
    while let Some(url) = next {
        let page = world.get(url.strip_prefix("http://cloud:80/identity").unwrap(), &world.admin).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.body["links"]["self"], url);
        seen.extend(page.all("users", "name"));
        next = page.body["links"]["next"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, ["admin", "demo", "u0", "u1", "u2", "u3", "u4"]);
    assert_eq!(world.get("/v3/users?marker=nobody", &world.admin).await.status, 404);
    assert_eq!(world.get("/v3/users?limit=-1", &world.admin).await.status, 400);
}

#[tokio::test]
async fn a_list_costs_a_constant_number_of_statements() {
    let world = World::new().await;
    let cost = async || {
        let before = world.store.statements();
        world.get("/v3/users", &world.admin).await;
        world.store.statements() - before
    };
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    world.get("/v3/users", &world.admin).await;
    let few = cost().await;
    for i in 0..20 {
        world.create("users", "user", json!({"name": format!("u{i}")})).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    world.get("/v3/users", &world.admin).await;
    assert_eq!(cost().await, few);
}

#[tokio::test]
async fn tenants_see_themselves_only() {
    let world = World::new().await;
    let (admin, demo) = (world.id("users", "admin").await, world.id("users", "demo").await);
    let token = world.demo().await;
    assert_eq!(world.get(&format!("/v3/users/{demo}"), &token).await.body["user"]["name"], "demo");
    assert_eq!(world.get(&format!("/v3/users/{admin}"), &token).await.status, 403);
    assert_eq!(world.get("/v3/users/nobody", &token).await.status, 403, "as what is not there");
    let list = world.get("/v3/users", &token).await;
    assert_eq!(list.status, 403);
    assert!(list.message().starts_with("Policy doesn't allow identity:list_users to be performed."), "{}", list.message());
    for (method, path, body) in [
        ("POST", "/v3/users".to_owned(), json!({"user": {"name": "x"}})),
        ("PATCH", format!("/v3/users/{demo}"), json!({"user": {"name": "x"}})),
        ("DELETE", format!("/v3/users/{demo}"), Value::Null),
    ] {
        assert_eq!(world.ask(method, &path, &token, body).await.status, 403, "{method} {path}");
    }
    assert_eq!(world.get(&format!("/v3/users/{demo}/projects"), &token).await.all("projects", "name"), ["demo"]);
    assert_eq!(world.get(&format!("/v3/users/{admin}/projects"), &token).await.status, 403);
    assert_eq!(world.get(&format!("/v3/users/{demo}/groups"), &token).await.body["groups"], json!([]));
}

#[tokio::test]
async fn a_domains_manager_manages_its_users() {
    let world = World::new().await;
    let corp = world.create("domains", "domain", json!({"name": "corp"})).await;
    let boss = world.create("users", "user", json!({"name": "boss", "domain_id": corp, "password": "pw"})).await;
    let manager = world.id("roles", "manager").await;
    world.grant(&format!("domains/{corp}/users/{boss}/roles/{manager}")).await;
    let login = json!({"auth": {
        "identity": {"methods": ["password"], "password": {"user": {"id": boss, "password": "pw"}}},
        "scope": {"domain": {"name": "corp"}}}});
    let token = world.ask("POST", "/v3/auth/tokens", "", login).await.token();

    assert_eq!(world.ask("POST", "/v3/users", &token, json!({"user": {"name": "clerk"}})).await.status, 403, "in no domain");
    let made = world.ask("POST", "/v3/users", &token, json!({"user": {"name": "clerk", "domain_id": corp}})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(world.get("/v3/users", &token).await.all("users", "name"), ["boss", "clerk"]);
    let elsewhere = json!({"user": {"name": "spy", "domain_id": "default"}});
    assert_eq!(world.ask("POST", "/v3/users", &token, elsewhere).await.status, 403);
    let demo = world.id("users", "demo").await;
    assert_eq!(world.get(&format!("/v3/users/{demo}"), &token).await.status, 403);
    assert_eq!(world.ask("DELETE", &format!("/v3/users/{demo}"), &token, Value::Null).await.status, 403);

    // It may hand on what it has, not more.
    let clerk = made.body["user"]["id"].as_str().unwrap();
    let (member, admin) = (world.id("roles", "member").await, world.id("roles", "admin").await);
    let grant = |role: &str| format!("/v3/domains/{corp}/users/{clerk}/roles/{role}");
    assert_eq!(world.ask("PUT", &grant(&member), &token, Value::Null).await.status, 204);
    assert_eq!(world.ask("PUT", &grant(&admin), &token, Value::Null).await.status, 403);
    let outside = format!("/v3/domains/default/users/{clerk}/roles/{member}");
    assert_eq!(world.ask("PUT", &outside, &token, Value::Null).await.status, 403);
}

#[tokio::test]
async fn who_knows_the_password_changes_it() {
    let world = World::new().await;
    let demo = world.id("users", "demo").await;
    let token = world.demo().await;
    let path = format!("/v3/users/{demo}/password");
    let change = |from: &str, to: &str| json!({"user": {"original_password": from, "password": to}});
    assert_eq!(world.ask("POST", &path, &token, change("wrong", "new")).await.status, 401);
    assert_eq!(world.ask("POST", "/v3/users/nobody/password", "", change("x", "new")).await.status, 401);
    assert_eq!(world.ask("POST", &path, &token, json!({"user": {"password": "new"}})).await.status, 400);
    assert_eq!(world.ask("POST", &path, "", change(DEMO_PASSWORD, "new")).await.status, 204);
    assert_eq!(world.get("/v3/auth/projects", &token).await.status, 401, "older tokens are void");
    let again = password_login("demo", DEMO_PASSWORD, json!("unscoped"));
    assert_eq!(world.ask("POST", "/v3/auth/tokens", "", again).await.status, 401);
    let token = world.login("demo", "new", None).await;
    assert_eq!(world.get("/v3/auth/projects", &token).await.status, 200);
}

#[tokio::test]
async fn an_imported_hash_is_upgraded_by_its_owners_login() {
    let world = World::new().await;
    let id = world.create("users", "user", json!({"name": "old"})).await;
    let hash = bcrypt::hash("imported", 4).unwrap();
    let update =
        move |tx: &mut store::Tx| tx.execute("UPDATE users SET password_hash = $2 WHERE id = $1", &store::params![&id, &hash]);
    world.store.write(update).await.unwrap();
    world.login("old", "imported", None).await;
    let kept = |tx: &mut store::Tx| tx.query_one("SELECT password_hash FROM users WHERE name = 'old'", &[])?.get::<String>(0);
    assert!(world.store.read(kept).await.unwrap().starts_with("$argon2id$"));
    world.login("old", "imported", None).await;
}

#[tokio::test]
async fn no_secret_reaches_the_events() {
    let world = World::new().await;
    world.create("users", "user", json!({"name": "ann", "password": "do not tell"})).await;
    let events = world.store.events(0, 500, store::EventFilter::default()).await.unwrap();
    assert!(events.iter().any(|event| event.action == "user.create" && event.actor == "admin"));
    let all = serde_json::to_string(&events).unwrap();
    assert!(!all.contains("do not tell") && !all.contains("argon2id"), "{all}");
}

#[tokio::test]
async fn a_restart_does_not_put_a_changed_password_back() {
    let world = World::new().await;
    let demo = world.id("users", "demo").await;
    let change = json!({"user": {"password": "chosen by demo"}});
    assert_eq!(world.ask("PATCH", &format!("/v3/users/{demo}"), &world.admin, change).await.status, 200);
    // What the controller does at each start.
    world.room.ensure_demo(&types::Secret::new(DEMO_PASSWORD.to_owned())).await.unwrap();
    world.login("demo", "chosen by demo", Some("demo")).await;
    let old = world.ask("POST", "/v3/auth/tokens", "", password_login("demo", DEMO_PASSWORD, json!("unscoped"))).await;
    assert_eq!(old.status, 401);
}

#[tokio::test]
async fn what_a_tenant_deleted_of_the_demo_does_not_come_back() {
    let world = World::new().await;
    let (user, project) = (world.id("users", "demo").await, world.id("projects", "demo").await);
    for path in [format!("/v3/users/{user}"), format!("/v3/projects/{project}")] {
        assert_eq!(world.ask("DELETE", &path, &world.admin, json!({})).await.status, 204);
    }
    // What the controller does at each start.
    world.room.ensure_demo(&types::Secret::new(DEMO_PASSWORD.to_owned())).await.unwrap();
    for list in ["users", "projects"] {
        let answer = world.ask("GET", &format!("/v3/{list}?name=demo"), &world.admin, json!({})).await;
        assert_eq!(answer.body[list], json!([]), "it came back");
    }
}
