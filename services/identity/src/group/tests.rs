// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn members_have_the_groups_roles() {
    let world = World::new().await;
    let group = world.create("groups", "group", json!({"name": "ops", "description": "on call"})).await;
    let project = world.create("projects", "project", json!({"name": "web"})).await;
    let (demo, member) = (world.id("users", "demo").await, world.id("roles", "member").await);
    world.grant(&format!("projects/{project}/groups/{group}/roles/{member}")).await;
    let token = world.demo().await;
    assert_eq!(world.get("/v3/auth/projects", &token).await.all("projects", "name"), ["demo"]);

    let path = format!("/v3/groups/{group}/users/{demo}");
    assert_eq!(world.ask("HEAD", &path, &world.admin, Value::Null).await.status, 404);
    world.grant(&format!("groups/{group}/users/{demo}")).await;
    assert_eq!(world.ask("HEAD", &path, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get("/v3/auth/projects", &token).await.all("projects", "name"), ["demo", "web"]);
    let in_web = world.login("demo", crate::world::DEMO_PASSWORD, Some("web")).await;
    assert_eq!(world.get(&format!("/v3/groups/{group}/users"), &world.admin).await.all("users", "name"), ["demo"]);
    assert_eq!(world.get(&format!("/v3/users/{demo}/groups"), &token).await.all("groups", "name"), ["ops"]);
    assert_eq!(world.get(&format!("/v3/groups/{group}"), &token).await.status, 403);

    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 404);
    assert_eq!(world.get("/v3/auth/projects", &in_web).await.status, 401, "the role went with the membership");
}

#[tokio::test]
async fn a_life() {
    let world = World::new().await;
    let id = world.create("groups", "group", json!({"name": "ops"})).await;
    let path = format!("/v3/groups/{id}");
    let changed = world.ask("PATCH", &path, &world.admin, json!({"group": {"name": "dev", "description": "new"}})).await;
    assert_eq!(
        changed.body["group"],
        json!({"id": id, "name": "dev", "domain_id": "default", "description": "new",
               "links": {"self": format!("http://cloud:80/identity{path}")}})
    );
    assert_eq!(world.get("/v3/groups?name=dev", &world.admin).await.all("groups", "id"), std::slice::from_ref(&id));
    assert_eq!(world.ask("POST", "/v3/groups", &world.admin, json!({"group": {"name": "dev"}})).await.status, 409);
    assert_eq!(world.ask("PUT", &format!("{path}/users/nobody"), &world.admin, Value::Null).await.status, 404);
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get(&path, &world.admin).await.status, 404);
}
