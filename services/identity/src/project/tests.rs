// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn a_life() {
    let world = World::new().await;
    let fields = json!({"name": "web", "description": "shop", "tags": ["blue", "blue", "green"], "cost_center": "7"});
    let made = world.ask("POST", "/v3/projects", &world.admin, json!({"project": fields})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.body["project"]["id"].as_str().unwrap().to_owned();
    let expected = json!({
        "id": id, "name": "web", "domain_id": "default", "description": "shop", "enabled": true, "parent_id": "default",
        "is_domain": false, "tags": ["blue", "green"], "options": {}, "cost_center": "7",
        "links": {"self": format!("http://cloud:80/identity/v3/projects/{id}")}
    });
    assert_eq!(made.body["project"], expected);
    let path = format!("/v3/projects/{id}");
    let changed = world.ask("PATCH", &path, &world.admin, json!({"project": {"description": null, "cost_center": "8"}})).await;
    assert_eq!(changed.body["project"]["description"], "");
    assert_eq!(changed.body["project"]["cost_center"], "8");
    assert_eq!(world.get("/v3/projects?tags=blue", &world.admin).await.all("projects", "name"), ["web"]);
    assert_eq!(world.get("/v3/projects?tags=blu", &world.admin).await.body["projects"], json!([]));
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get(&path, &world.admin).await.status, 404);
}

#[tokio::test]
async fn projects_lie_in_projects() {
    let world = World::new().await;
    let mut parents = vec![world.create("projects", "project", json!({"name": "p1"})).await];
    for depth in 2..=5 {
        let fields = json!({"name": format!("p{depth}"), "parent_id": parents.last().unwrap()});
        parents.push(world.create("projects", "project", fields).await);
    }
    let too_deep = json!({"project": {"name": "p6", "parent_id": parents[4]}});
    assert_eq!(world.ask("POST", "/v3/projects", &world.admin, too_deep).await.status, 403);
    let shown = world.get(&format!("/v3/projects/{}?parents_as_list", parents[2]), &world.admin).await;
    let names: Vec<&str> =
        shown.body["project"]["parents"].as_array().unwrap().iter().map(|p| p["project"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["p2", "p1"]);
    let children = world.get(&format!("/v3/projects?parent_id={}", parents[0]), &world.admin).await;
    assert_eq!(children.all("projects", "name"), ["p2"]);
    let delete = world.ask("DELETE", &format!("/v3/projects/{}", parents[0]), &world.admin, Value::Null).await;
    assert_eq!(delete.status, 403, "it has projects in it");

    // A role that is inherited holds for what is below, however deep, and not for the place itself.
    let (demo, member) = (world.id("users", "demo").await, world.id("roles", "member").await);
    world.grant(&format!("OS-INHERIT/projects/{}/users/{demo}/roles/{member}/inherited_to_projects", parents[1])).await;
    let token = world.demo().await;
    assert_eq!(world.get("/v3/auth/projects", &token).await.all("projects", "name"), ["demo", "p3", "p4", "p5"]);
    world.login("demo", crate::world::DEMO_PASSWORD, Some("p5")).await;
}

#[tokio::test]
async fn bad_input_is_told_what_is_wrong() {
    let world = World::new().await;
    let demo = world.id("projects", "demo").await;
    let post = |fields: Value| ("POST", "/v3/projects".to_owned(), json!({"project": fields}));
    let patch = |fields: Value| ("PATCH", format!("/v3/projects/{demo}"), json!({"project": fields}));
    for ((method, path, body), status, word) in [
        (post(json!({"name": ""})), 400, "1 to 64"),
        (post(json!({"name": " \t"})), 400, "white space"),
        (post(json!({"name": "x".repeat(65)})), 400, "1 to 64"),
        (post(json!({"name": "x", "tags": ["a,b"]})), 400, "comma"),
        (post(json!({"name": "x", "domain_id": "nowhere"})), 404, "nowhere"),
        (post(json!({"name": "x", "parent_id": "nowhere"})), 404, "nowhere"),
        (post(json!({"name": "demo"})), 409, "demo"),
        (patch(json!({"name": "admin"})), 409, "admin"),
        (patch(json!({"parent_id": "x"})), 400, "parent_id"),
        (patch(json!({"domain_id": "x"})), 400, "domain_id"),
        (patch(json!({"is_domain": true})), 400, "is_domain"),
        (patch(json!({"enabled": "no"})), 400, "project.enabled"),
    ] {
        let answer = world.ask(method, &path, &world.admin, body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{body} {}", answer.body);
        assert!(answer.message().contains(word), "{body}: {}", answer.message());
    }
}

#[tokio::test]
async fn tenants_see_their_own_project_only() {
    let world = World::new().await;
    let (admin, demo) = (world.id("projects", "admin").await, world.id("projects", "demo").await);
    let token = world.demo().await;
    assert_eq!(world.get(&format!("/v3/projects/{demo}"), &token).await.body["project"]["name"], "demo");
    assert_eq!(world.get(&format!("/v3/projects/{admin}"), &token).await.status, 404);
    assert_eq!(world.get("/v3/projects", &token).await.status, 403);
    assert_eq!(world.get("/v3/domains/default", &token).await.body["domain"]["name"], "Default");
    let corp = world.create("domains", "domain", json!({"name": "corp"})).await;
    assert_eq!(world.get(&format!("/v3/domains/{corp}"), &token).await.status, 404);
    for (method, path, body) in [
        ("POST", "/v3/projects".to_owned(), json!({"project": {"name": "x"}})),
        ("PATCH", format!("/v3/projects/{demo}"), json!({"project": {"name": "x"}})),
        ("DELETE", format!("/v3/projects/{demo}"), Value::Null),
        ("PUT", format!("/v3/projects/{demo}/tags/x"), Value::Null),
    ] {
        assert_eq!(world.ask(method, &path, &token, body).await.status, 403, "{method} {path}");
    }
}

#[tokio::test]
async fn tags() {
    let world = World::new().await;
    let demo = world.id("projects", "demo").await;
    let path = |rest: &str| format!("/v3/projects/{demo}/tags{rest}");
    let ask = async |method: &str, rest: &str, body: Value| world.ask(method, &path(rest), &world.admin, body).await;
    assert_eq!(ask("PUT", "/blue", Value::Null).await.status, 201);
    assert_eq!(ask("PUT", "", json!({"tags": ["red", "green"]})).await.body["tags"], json!(["red", "green"]));
    assert_eq!(ask("GET", "/red", Value::Null).await.status, 204);
    assert_eq!(ask("HEAD", "/blue", Value::Null).await.status, 404);
    assert_eq!(ask("DELETE", "/red", Value::Null).await.status, 204);
    assert_eq!(ask("DELETE", "/red", Value::Null).await.status, 404);
    assert_eq!(ask("GET", "", Value::Null).await.body["tags"], json!(["green"]));
    assert_eq!(ask("DELETE", "", Value::Null).await.status, 204);
    assert_eq!(ask("GET", "", Value::Null).await.body["tags"], json!([]));
}
