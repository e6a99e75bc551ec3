// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn roles_are_given_and_taken_everywhere() {
    let world = World::new().await;
    let user = world.create("users", "user", json!({"name": "ann"})).await;
    let group = world.create("groups", "group", json!({"name": "ops"})).await;
    let (project, role) = (world.id("projects", "demo").await, world.id("roles", "member").await);
    for place in [
        format!("projects/{project}/users/{user}"),
        format!("projects/{project}/groups/{group}"),
        format!("domains/default/users/{user}"),
        format!("domains/default/groups/{group}"),
        format!("system/users/{user}"),
        format!("system/groups/{group}"),
    ] {
        let (all, one) = (format!("/v3/{place}/roles"), format!("/v3/{place}/roles/{role}"));
        let ask = async |method: &str, path: &str| world.ask(method, path, &world.admin, Value::Null).await;
        assert_eq!(ask("HEAD", &one).await.status, 404, "{place}");
        assert_eq!(ask("GET", &all).await.body["roles"], json!([]), "{place}");
        assert_eq!(ask("PUT", &one).await.status, 204, "{place}");
        assert_eq!(ask("PUT", &one).await.status, 204, "{place}: twice is no error");
        assert_eq!(ask("HEAD", &one).await.status, 204, "{place}");
        assert_eq!(ask("GET", &one).await.status, 204, "{place}");
        let listed = ask("GET", &all).await;
        assert_eq!(listed.all("roles", "name"), ["member"], "{place}");
        assert_eq!(listed.body["links"]["self"], format!("http://cloud:80/identity{all}"));
        assert_eq!(ask("DELETE", &one).await.status, 204, "{place}");
        assert_eq!(ask("DELETE", &one).await.status, 404, "{place}");
        assert_eq!(ask("PUT", &format!("/v3/{place}/roles/nowhere")).await.status, 404, "{place}");

        let demo = world.demo().await;
        for (method, path) in [("PUT", &one), ("GET", &one), ("DELETE", &one), ("GET", &all)] {
            assert_eq!(world.ask(method, path, &demo, Value::Null).await.status, 403, "{method} {path}");
        }
    }
    for missing in [
        format!("projects/nowhere/users/{user}"),
        format!("projects/{project}/users/nobody"),
        format!("domains/nowhere/users/{user}"),
        "domains/default/groups/nobody".to_owned(),
    ] {
        let path = format!("/v3/{missing}/roles/{role}");
        assert_eq!(world.ask("PUT", &path, &world.admin, Value::Null).await.status, 404, "{missing}");
    }
}

#[tokio::test]
async fn inherited_roles_are_a_thing_apart() {
    let world = World::new().await;
    let (user, role) = (world.id("users", "demo").await, world.id("roles", "manager").await);
    let inherited = format!("OS-INHERIT/domains/default/users/{user}/roles/{role}/inherited_to_projects");
    let ask = async |method: &str, path: &str| world.ask(method, &format!("/v3/{path}"), &world.admin, Value::Null).await;
    world.grant(&inherited).await;
    assert_eq!(ask("HEAD", &inherited).await.status, 204);
    assert_eq!(ask("HEAD", &format!("domains/default/users/{user}/roles/{role}")).await.status, 404);
    let listed = ask("GET", &format!("OS-INHERIT/domains/default/users/{user}/roles/inherited_to_projects")).await;
    assert_eq!(listed.all("roles", "name"), ["manager"]);
    let token = world.demo().await;
    assert_eq!(world.get("/v3/auth/projects", &token).await.all("projects", "name"), ["admin", "demo"]);
    assert_eq!(world.get("/v3/auth/domains", &token).await.body["domains"], json!([]));
    assert_eq!(ask("DELETE", &inherited).await.status, 204);
    assert_eq!(ask("HEAD", &inherited).await.status, 404);
}

#[tokio::test]
async fn assignments_are_listed_as_given_and_as_they_come_out() {
    let world = World::new().await;
    let (user, project) = (world.id("users", "demo").await, world.id("projects", "demo").await);
    let (member, reader) = (world.id("roles", "member").await, world.id("roles", "reader").await);
    let listed = world.get(&format!("/v3/role_assignments?user.id={user}"), &world.admin).await;
    let given = json!({
        "user": {"id": user}, "role": {"id": member}, "scope": {"project": {"id": project}},
        "links": {"assignment": format!("http://cloud:80/identity/v3/projects/{project}/users/{user}/roles/{member}")}
    });
    assert_eq!(listed.body["role_assignments"], json!([given]));

    let named = world.get(&format!("/v3/role_assignments?user.id={user}&include_names=True"), &world.admin).await;
    let line = &named.body["role_assignments"][0];
    let default = json!({"id": "default", "name": "Default"});
    assert_eq!(line["user"], json!({"id": user, "name": "demo", "domain": default}));
    assert_eq!(line["scope"]["project"], json!({"id": project, "name": "demo", "domain": default}));
    assert_eq!(line["role"], json!({"id": member, "name": "member"}));

    let query = format!("/v3/role_assignments?effective&scope.project.id={project}");
    let effective = world.get(&query, &world.admin).await;
    let roles: Vec<&str> =
        effective.body["role_assignments"].as_array().unwrap().iter().map(|a| a["role"]["id"].as_str().unwrap()).collect();
    assert_eq!(roles, [&member, &reader]);

    let system = world.get("/v3/role_assignments?scope.system=all", &world.admin).await;
    assert_eq!(system.body["role_assignments"][0]["scope"], json!({"system": {"all": true}}));

    // Through a group, inherited from the domain.
    let group = world.create("groups", "group", json!({"name": "ops"})).await;
    world.grant(&format!("groups/{group}/users/{user}")).await;
    let auditor = world.create("roles", "role", json!({"name": "auditor"})).await;
    world.grant(&format!("OS-INHERIT/domains/default/groups/{group}/roles/{auditor}/inherited_to_projects")).await;
    let query = format!("/v3/role_assignments?effective=1&user.id={user}&role.id={auditor}&include_names=1");
    let lines = world.get(&query, &world.admin).await;
    let lines = lines.body["role_assignments"].as_array().unwrap().clone();
    assert_eq!(lines.len(), 2, "in both projects: {lines:?}");
    for line in lines {
        assert_eq!(line["user"]["name"], "demo");
        assert_eq!(line["scope"]["OS-INHERIT:inherited_to"], "projects");
        assert!(line["links"]["assignment"].as_str().unwrap().contains(&format!("/OS-INHERIT/domains/default/groups/{group}/")));
        assert!(line["links"]["membership"].as_str().unwrap().ends_with(&format!("/groups/{group}/users/{user}")));
    }
}

#[tokio::test]
async fn questions_that_make_no_sense_are_refused() {
    let world = World::new().await;
    for query in [
        "user.id=a&group.id=b",
        "scope.project.id=a&scope.domain.id=b",
        "effective&group.id=a",
        "include_subtree",
        "effective&scope.OS-INHERIT:inherited_to=projects",
    ] {
        let answer = world.get(&format!("/v3/role_assignments?{query}"), &world.admin).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(!answer.message().is_empty());
    }
    assert_eq!(world.get("/v3/role_assignments", &world.demo().await).await.status, 403);
}
