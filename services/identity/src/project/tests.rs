// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use crate::world::{World, bootstrap};

#[tokio::test]
async fn a_life() {
    let world = World::new().await;
    let fields = json!({"name": "web", "description": "shop", "tags": ["blue", "green"], "cost_center": "7"});
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
    let around = async |asked: &str, token: &str| {
        world.get(&format!("/v3/projects/{}?{asked}", parents[2]), token).await.body["project"].clone()
    };
    let (a, b, d, e) = (&parents[0], &parents[1], &parents[3], &parents[4]);
    assert_eq!(around("parents_as_ids", &world.admin).await["parents"], json!({b: {a: {"default": null}}}));
    assert_eq!(around("subtree_as_ids", &world.admin).await["subtree"], json!({d: {e: null}}));
    assert_eq!(around("parents_as_ids=0", &world.admin).await.get("parents"), None);
    let both = format!("/v3/projects/{}?parents_as_ids&parents_as_list", parents[2]);
    assert_eq!(world.get(&both, &world.admin).await.status, 400);
    // A list shows only projects in which one has a role, to an administrator too.
    assert_eq!(around("parents_as_list&subtree_as_list", &world.admin).await["subtree"], json!([]));
    let (admin, reader) = (world.id("users", "admin").await, world.id("roles", "reader").await);
    for project in [a, b, e] {
        world.grant(&format!("projects/{project}/users/{admin}/roles/{reader}")).await;
    }
    let shown = around("parents_as_list&subtree_as_list", &world.admin).await;
    let names = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|p| p["project"]["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((names(&shown["parents"]), names(&shown["subtree"])), (vec!["p2".into(), "p1".into()], vec!["p5".into()]));
    assert_eq!(shown["parents"][0]["project"]["links"]["self"], format!("http://cloud:80/identity/v3/projects/{b}"));

    // A branch is enabled from above and disabled from below.
    let enable = async |project: &str, enabled: bool| {
        let body = json!({"project": {"enabled": enabled}});
        world.ask("PATCH", &format!("/v3/projects/{project}"), &world.admin, body).await.status.as_u16()
    };
    assert_eq!(enable(d, false).await, 403, "p5 is enabled");
    assert_eq!((enable(e, false).await, enable(d, false).await), (200, 200));
    assert_eq!(enable(e, true).await, 403, "p4 is disabled");
    assert_eq!((enable(d, true).await, enable(e, true).await), (200, 200));

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
        (post(json!({"name": "x", "domain_id": "nowhere"})), 400, "nowhere"),
        (post(json!({"name": "x", "parent_id": "nowhere"})), 400, "nowhere"),
        (post(json!({"name": "demo"})), 409, "demo"),
        (post(json!({"name": "x", "tags": ["a", "a"]})), 400, "twice"),
        (post(json!({"name": "x", "tags": (0..81).map(|i| i.to_string()).collect::<Vec<_>>()})), 400, "at most 80"),
        (post(json!({"name": "x", "options": {"colour": "red"}})), 400, "colour"),
        (post(json!({"name": "x", "options": {"immutable": "yes"}})), 400, "immutable"),
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
    assert_eq!(world.get(&format!("/v3/projects/{admin}"), &token).await.status, 403);
    assert_eq!(world.get("/v3/projects", &token).await.status, 403);
    assert_eq!(world.get("/v3/domains/default", &token).await.body["domain"]["name"], "Default");
    let corp = world.create("domains", "domain", json!({"name": "corp"})).await;
    assert_eq!(world.get(&format!("/v3/domains/{corp}"), &token).await.status, 403);
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

#[tokio::test]
async fn projects_are_found_by_their_tags() {
    let world = World::new().await;
    for (name, tags) in [("a", json!(["red", "blue"])), ("b", json!(["red"])), ("c", json!(["blue", "50%"])), ("d", json!([]))] {
        world.create("projects", "project", json!({"name": name, "tags": tags})).await;
    }
    for (query, names) in [
        ("tags=red", "a b"),
        ("tags=red,blue", "a"),
        ("tags=re", ""),
        ("tags=50%25", "c"),
        ("tags-any=red,blue", "a b c"),
        ("not-tags=red", "admin c d demo"),
        ("not-tags=red,blue", "admin b c d demo"),
        ("not-tags-any=red,blue", "admin d demo"),
        ("tags-any=red,blue&not-tags=red,blue", "b c"),
    ] {
        let found = world.get(&format!("/v3/projects?{query}"), &world.admin).await.all("projects", "name").join(" ");
        assert_eq!(found, names, "{query}");
    }
}

#[tokio::test]
async fn a_domain_is_a_project_too() {
    let world = World::new().await;
    let made = json!({"project": {"name": "corp", "is_domain": true, "description": "A customer"}});
    let made = world.ask("POST", "/v3/projects", &world.admin, made).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.body["project"]["id"].as_str().unwrap().to_owned();
    let path = format!("/v3/projects/{id}");
    let expected = json!({
        "id": id, "name": "corp", "description": "A customer", "enabled": true, "is_domain": true, "domain_id": null,
        "parent_id": null, "tags": [], "options": {}, "links": {"self": format!("http://cloud:80/identity{path}")}
    });
    assert_eq!(made.body["project"], expected);
    assert_eq!(world.get(&path, &world.admin).await.body["project"], expected);
    assert_eq!(world.get(&format!("/v3/domains/{id}"), &world.admin).await.body["domain"]["name"], "corp");
    assert_eq!(world.get("/v3/projects?is_domain=true", &world.admin).await.all("projects", "name"), ["Default", "corp"]);
    assert_eq!(world.get("/v3/projects?is_domain=true&name=corp", &world.admin).await.body["projects"], json!([expected]));
    assert_eq!(world.get("/v3/projects?is_domain=false", &world.admin).await.all("projects", "name"), ["admin", "demo"]);
    // As with Keystone a domain is a scope as a domain, not as the project that it also is.
    let (admin, role) = (world.id("users", "admin").await, world.id("roles", "admin").await);
    world.grant(&format!("domains/{id}/users/{admin}/roles/{role}")).await;
    for (scope, status) in [
        (json!({"project": {"id": id}}), 401),
        (json!({"project": {"name": "corp", "domain": {"name": "corp"}}}), 401),
        (json!({"domain": {"id": id}}), 201),
    ] {
        let body = crate::world::password_login("admin", crate::world::ADMIN_PASSWORD, scope.clone());
        assert_eq!(world.ask("POST", "/v3/auth/tokens", "", body).await.status.as_u16(), status, "{scope}");
    }
    let own = world.create("projects", "project", json!({"name": "p", "parent_id": id})).await;
    assert_eq!(world.get(&format!("/v3/projects/{own}"), &world.admin).await.body["project"]["domain_id"], json!(id));

    for (fields, status) in [
        (json!({"name": "x", "is_domain": true, "domain_id": "default"}), 400),
        (json!({"name": "x", "is_domain": true, "parent_id": "default"}), 400),
        (json!({"name": "corp", "is_domain": true}), 409),
    ] {
        let answer = world.ask("POST", "/v3/projects", &world.admin, json!({"project": fields})).await;
        assert_eq!(answer.status.as_u16(), status, "{fields} {}", answer.body);
    }
    let demo = world.demo().await;
    for (method, path) in [("GET", &path), ("PATCH", &path), ("DELETE", &path)] {
        let status = world.ask(method, path, &demo, json!({"project": {"enabled": false}})).await.status;
        assert_eq!(status, 403, "{method}");
    }
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 403, "it is enabled");
    let off = json!({"project": {"enabled": false}});
    assert_eq!(world.ask("PATCH", &path, &world.admin, off).await.body["project"]["enabled"], json!(false));
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get(&format!("/v3/projects/{own}"), &world.admin).await.status, 404, "with all that it held");
}

#[tokio::test]
async fn what_is_immutable_stays_until_it_is_freed() {
    let world = World::new().await;
    for (many, one) in [("projects", "project"), ("domains", "domain"), ("roles", "role")] {
        let id = world.create(many, one, json!({"name": "fixed", "options": {"immutable": true}})).await;
        let path = format!("/v3/{many}/{id}");
        assert_eq!(world.get(&path, &world.admin).await.body[one]["options"], json!({"immutable": true}));
        let change = async |fields: Value| world.ask("PATCH", &path, &world.admin, json!({ one: fields })).await;
        for refused in [
            json!({"name": "other"}),
            json!({"description": "other"}),
            json!({"name": "other", "options": {"immutable": false}}),
            json!({"options": {"immutable": true}}),
            json!({"options": {}}),
        ] {
            let answer = change(refused.clone()).await;
            assert_eq!(answer.status, 403, "{many} {refused} {}", answer.body);
            assert!(answer.message().contains("immutable"), "{}", answer.message());
        }
        assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 403, "{many}");
        if many == "projects" {
            assert_eq!(world.ask("PUT", &format!("{path}/tags/x"), &world.admin, Value::Null).await.status, 403);
        }
        assert_eq!(change(json!({"options": {"immutable": false}})).await.body[one]["options"], json!({"immutable": false}));
        assert_eq!(change(json!({"name": "other", "options": {"immutable": null}})).await.body[one]["options"], json!({}));
        if many == "domains" {
            change(json!({"enabled": false})).await;
        }
        assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 204, "{many}");
    }
}

#[tokio::test]
async fn names_are_found_by_their_parts() {
    let world = World::new().await;
    for name in ["Alpha-One", "alpha-two", "beta_%", "One"] {
        world.create("projects", "project", json!({"name": name})).await;
    }
    for (query, found) in [
        ("name__contains=alpha", vec!["alpha-two"]),
        ("name__icontains=ALPHA", vec!["Alpha-One", "alpha-two"]),
        ("name__startswith=Alpha", vec!["Alpha-One"]),
        ("name__istartswith=alpha", vec!["Alpha-One", "alpha-two"]),
        ("name__endswith=One", vec!["Alpha-One", "One"]),
        ("name__endswith=xxxOne", vec![]),
        ("name__iendswith=TWO", vec!["alpha-two"]),
        ("name__contains=_%25", vec!["beta_%"]),
        ("name__contains=alpha&name__endswith=two", vec!["alpha-two"]),
        ("name__resembles=alpha&name=One", vec!["One"]),
    ] {
        let list = world.get(&format!("/v3/projects?{query}"), &world.admin).await;
        assert_eq!(list.all("projects", "name"), found, "{query}");
    }
}

#[tokio::test]
async fn the_first_roles_are_immutable() {
    let world = World::new().await;
    for name in ["admin", "manager", "member", "reader", "service"] {
        let id = world.id("roles", name).await;
        let path = format!("/v3/roles/{id}");
        assert_eq!(world.get(&path, &world.admin).await.body["role"]["options"], json!({"immutable": true}));
        assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 403, "{name}");
    }
    // Who frees one finds it free after a restart.
    let path = format!("/v3/roles/{}", world.id("roles", "reader").await);
    let free = json!({"role": {"options": {"immutable": null}}});
    assert_eq!(world.ask("PATCH", &path, &world.admin, free).await.status, 200);
    world.room.bootstrap(&bootstrap()).await.unwrap();
    assert_eq!(world.get(&path, &world.admin).await.body["role"]["options"], json!({}));
}

#[tokio::test]
async fn lists_around_a_project_hold_limits_where_asked() {
    let world = World::new().await;
    let service = world.id("services", "nova").await;
    let (top, admin, role) = (
        world.create("projects", "project", json!({"name": "top"})).await,
        world.id("users", "admin").await,
        world.id("roles", "admin").await,
    );
    let below = world.create("projects", "project", json!({"name": "below", "parent_id": top})).await;
    for project in [&top, &below] {
        world.grant(&format!("projects/{project}/users/{admin}/roles/{role}")).await;
    }
    let registered = json!({"registered_limits": [{"service_id": service, "resource_name": "cores", "default_limit": 10}]});
    assert_eq!(world.ask("POST", "/v3/registered_limits", &world.admin, registered).await.status, 201);
    let limits = json!({"limits": [{"service_id": service, "resource_name": "cores", "resource_limit": 5, "project_id": below}]});
    assert_eq!(world.ask("POST", "/v3/limits", &world.admin, limits).await.status, 201);

    let subtree = world.get(&format!("/v3/projects/{top}?subtree_as_list&include_limits"), &world.admin).await;
    let own = &subtree.body["project"]["subtree"][0]["project"]["limits"];
    assert_eq!((&own[0]["project_id"], &own[0]["resource_limit"]), (&json!(below), &json!(5)), "{}", subtree.body);
    let parents = world.get(&format!("/v3/projects/{below}?parents_as_list&include_limits"), &world.admin).await;
    assert_eq!(parents.body["project"]["parents"][0]["project"]["limits"], json!([]), "{}", parents.body);
    let without = world.get(&format!("/v3/projects/{top}?subtree_as_list"), &world.admin).await;
    assert!(without.body["project"]["subtree"][0]["project"].get("limits").is_none());
}
