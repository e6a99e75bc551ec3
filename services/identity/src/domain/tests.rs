// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn a_life_with_all_that_it_holds() {
    let world = World::new().await;
    let id = world.create("domains", "domain", json!({"name": "corp", "description": "A customer"})).await;
    let path = format!("/v3/domains/{id}");
    let shown = world.get(&path, &world.admin).await;
    assert_eq!(
        shown.body["domain"],
        json!({"id": id, "name": "corp", "description": "A customer", "enabled": true, "tags": [], "options": {},
               "links": {"self": format!("http://cloud:80/identity{path}")}})
    );
    let parent = world.create("projects", "project", json!({"name": "p", "domain_id": id})).await;
    world.create("projects", "project", json!({"name": "c", "domain_id": id, "parent_id": parent})).await;
    let user = world.create("users", "user", json!({"name": "demo", "domain_id": id, "password": "pw"})).await;
    let group = world.create("groups", "group", json!({"name": "g", "domain_id": id})).await;
    let role = world.create("roles", "role", json!({"name": "own", "domain_id": id})).await;
    let member = world.id("roles", "member").await;
    world.grant(&format!("groups/{group}/users/{user}")).await;
    world.grant(&format!("projects/{parent}/groups/{group}/roles/{role}")).await;
    world.grant(&format!("projects/{parent}/users/{user}/roles/{member}")).await;
    world.grant(&format!("domains/{id}/users/{user}/roles/{member}")).await;
    assert_eq!(world.ask("PUT", &format!("/v3/roles/{role}/implies/{member}"), &world.admin, Value::Null).await.status, 201);

    let refused = world.ask("DELETE", &path, &world.admin, Value::Null).await;
    assert_eq!(refused.status, 403, "it is enabled");
    let login = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": user, "password": "pw"}}},
                                "scope": {"project": {"id": parent}}}});
    let token = world.ask("POST", "/v3/auth/tokens", "", login.clone()).await.token();
    assert_eq!(world.get("/v3/auth/projects", &token).await.status, 200);
    let disable = json!({"domain": {"enabled": false}});
    assert_eq!(world.ask("PATCH", &path, &world.admin, disable).await.status, 200);
    assert_eq!(world.get("/v3/auth/projects", &token).await.status, 401, "its users are out");
    assert_eq!(world.ask("POST", "/v3/auth/tokens", "", login).await.status, 401);
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 204);
    for gone in [format!("users/{user}"), format!("projects/{parent}"), format!("groups/{group}"), format!("roles/{role}")] {
        assert_eq!(world.get(&format!("/v3/{gone}"), &world.admin).await.status, 404, "{gone}");
    }
}

#[tokio::test]
async fn names_and_filters() {
    let world = World::new().await;
    world.create("domains", "domain", json!({"name": "off", "enabled": false})).await;
    assert_eq!(world.get("/v3/domains", &world.admin).await.all("domains", "name"), ["Default", "off"]);
    assert_eq!(world.get("/v3/domains?enabled=0", &world.admin).await.all("domains", "name"), ["off"]);
    assert_eq!(world.get("/v3/domains?enabled", &world.admin).await.all("domains", "name"), ["Default"]);
    assert_eq!(world.get("/v3/domains?name=off", &world.admin).await.all("domains", "name"), ["off"]);
    let twice = world.ask("POST", "/v3/domains", &world.admin, json!({"domain": {"name": "off"}})).await;
    assert_eq!(twice.status, 409);
    assert_eq!(twice.message(), "Conflict occurred attempting to store domain - Duplicate entry found with name off.");
    let long = world.ask("POST", "/v3/domains", &world.admin, json!({"domain": {"name": "x".repeat(65)}})).await;
    assert_eq!(long.status, 400);
    let default = json!({"domain": {"enabled": false}});
    assert_eq!(world.ask("PATCH", "/v3/domains/default", &world.admin, default).await.status, 403);
    assert_eq!(world.get("/v3/domains", &world.demo().await).await.status, 403);
}
