// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn a_life() {
    let world = World::new().await;
    let id = world.create("roles", "role", json!({"name": "auditor", "description": "reads"})).await;
    let path = format!("/v3/roles/{id}");
    let changed = world.ask("PATCH", &path, &world.admin, json!({"role": {"name": "inspector"}})).await;
    assert_eq!(
        changed.body["role"],
        json!({"id": id, "name": "inspector", "domain_id": null, "description": "reads", "options": {},
               "links": {"self": format!("http://cloud:80/identity{path}")}})
    );
    let names = world.get("/v3/roles", &world.admin).await.all("roles", "name");
    assert_eq!(names, ["admin", "inspector", "manager", "member", "reader", "service"]);
    assert_eq!(world.ask("POST", "/v3/roles", &world.admin, json!({"role": {"name": "admin"}})).await.status, 409);
    assert_eq!(world.get("/v3/roles", &world.demo().await).await.status, 403);
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get(&path, &world.admin).await.status, 404);
}

#[tokio::test]
async fn roles_imply_roles() {
    let world = World::new().await;
    let (admin, member) = (world.id("roles", "admin").await, world.id("roles", "member").await);
    let auditor = world.create("roles", "role", json!({"name": "auditor"})).await;
    let path = format!("/v3/roles/{member}/implies/{auditor}");
    assert_eq!(world.get(&path, &world.admin).await.status, 404);
    let made = world.ask("PUT", &path, &world.admin, Value::Null).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.body["role_inference"]["prior_role"]["name"], "member");
    assert_eq!(made.body["role_inference"]["implies"]["name"], "auditor");
    assert_eq!(made.body["links"]["self"], format!("http://cloud:80/identity{path}"));
    assert_eq!(world.ask("HEAD", &path, &world.admin, Value::Null).await.status, 204);
    let listed = world.get(&format!("/v3/roles/{member}/implies"), &world.admin).await;
    assert_eq!(listed.body["role_inference"]["implies"].as_array().unwrap().len(), 2);
    let all = world.get("/v3/role_inferences", &world.admin).await;
    assert_eq!(all.body["role_inferences"].as_array().unwrap().len(), 3, "admin, manager and member imply something");

    let token = world.demo().await;
    let shown = world.ask_with("GET", "/v3/auth/tokens", &token, &[("x-subject-token", &token)], Value::Null).await;
    let names: Vec<&str> = shown.body["token"]["roles"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["auditor", "member", "reader"]);

    for (prior, implied, why) in [(&auditor, &admin, "nothing implies admin"), (&auditor, &member, "a circle")] {
        let path = format!("/v3/roles/{prior}/implies/{implied}");
        assert_eq!(world.ask("PUT", &path, &world.admin, Value::Null).await.status, 403, "{why}");
    }
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 404);
}

#[tokio::test]
async fn a_domains_own_role_serves_to_imply() {
    let world = World::new().await;
    let own = world.create("roles", "role", json!({"name": "shopkeeper", "domain_id": "default"})).await;
    assert_eq!(world.get("/v3/roles?domain_id=default", &world.admin).await.all("roles", "name"), ["shopkeeper"]);
    let reader = world.id("roles", "reader").await;
    assert_eq!(world.ask("PUT", &format!("/v3/roles/{own}/implies/{reader}"), &world.admin, Value::Null).await.status, 201);
    let project = world.create("projects", "project", json!({"name": "shop"})).await;
    let demo = world.id("users", "demo").await;
    world.grant(&format!("projects/{project}/users/{demo}/roles/{own}")).await;
    let token = world.login("demo", crate::world::DEMO_PASSWORD, Some("shop")).await;
    let shown = world.ask_with("GET", "/v3/auth/tokens", &token, &[("x-subject-token", &token)], Value::Null).await;
    let names: Vec<&str> = shown.body["token"]["roles"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["reader"]);
}
