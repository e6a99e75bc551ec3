// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use crate::{
    LimitModel, Settings,
    world::{ADMIN_PASSWORD, Answer, DEMO_PASSWORD, World, password_login},
};

/// A world in which `cores` and, for one region, `ram` of the compute service are registered.
struct Made {
    world: World,
    service: String,
    project: String,
}

impl Made {
    async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    async fn with(settings: Settings) -> Self {
        let world = World::with(settings).await;
        let (service, project) = (world.id("services", "nova").await, world.id("projects", "demo").await);
        let registered = json!({"registered_limits": [
            {"service_id": service, "resource_name": "cores", "default_limit": 10},
            {"service_id": service, "resource_name": "ram", "default_limit": 10, "region_id": "RegionOne"}]});
        assert_eq!(world.ask("POST", "/v3/registered_limits", &world.admin, registered).await.status, 201);
        Self { world, service, project }
    }

    async fn create(&self, mut limit: Value) -> Answer {
        limit["service_id"] = json!(self.service);
        self.world.ask("POST", "/v3/limits", &self.world.admin, json!({"limits": [limit]})).await
    }
}

#[tokio::test]
async fn a_life() {
    let Made { world, service, project } = Made::new().await;
    let body = json!({"limits": [
        {"service_id": service, "project_id": project, "resource_name": "cores", "resource_limit": 11},
        {"service_id": service, "domain_id": "default", "resource_name": "ram", "region_id": "RegionOne", "resource_limit": 20,
         "description": "much"}]});
    let answer = world.ask("POST", "/v3/limits", &world.admin, body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let id = answer.body["limits"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v3/limits/{id}");
    let mut expected = json!({
        "id": id, "service_id": service, "region_id": null, "resource_name": "cores", "project_id": project,
        "domain_id": null, "resource_limit": 11, "description": null,
        "links": {"self": format!("http://cloud:80/identity{path}")}
    });
    assert_eq!(answer.body, json!({"limits": [expected, answer.body["limits"][1]]}));
    assert_eq!(answer.body["limits"][1]["domain_id"], "default");
    assert_eq!(world.get(&path, &world.admin).await.body["limit"], expected);

    let change = json!({"limit": {"resource_limit": 0, "description": "none at all"}});
    let changed = world.ask("PATCH", &path, &world.admin, change).await;
    (expected["resource_limit"], expected["description"]) = (json!(0), json!("none at all"));
    assert_eq!(changed.body["limit"], expected);
    for (query, names) in [
        ("", vec!["cores", "ram"]),
        ("?resource_name=ram", vec!["ram"]),
        ("?region_id=RegionOne", vec!["ram"]),
        ("?domain_id=default", vec!["ram"]),
        (&format!("?project_id={project}&service_id={service}"), vec!["cores"]),
        ("?service_id=other", vec![]),
    ] {
        assert_eq!(world.get(&format!("/v3/limits{query}"), &world.admin).await.all("limits", "resource_name"), names, "{query}");
    }
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get(&path, &world.admin).await.status, 404);
}

#[tokio::test]
async fn the_model_is_flat() {
    let world = World::new().await;
    let expected = json!({"model": {
        "name": "flat",
        "description": "Limit enforcement and validation does not take project hierarchy into consideration."
    }});
    assert_eq!(world.get("/v3/limits/model", &world.demo().await).await.body, expected);
}

#[tokio::test]
async fn bad_input_is_told_what_is_wrong() {
    let made = Made::new().await;
    let project = &made.project;
    assert_eq!(made.create(json!({"resource_name": "cores", "project_id": project, "resource_limit": 1})).await.status, 201);
    for (limit, status, word) in [
        (json!({"resource_name": "cores", "project_id": project, "resource_limit": 1}), 409, "Duplicate"),
        (json!({"resource_name": "disks", "project_id": project, "resource_limit": 1}), 403, "registered"),
        (json!({"resource_name": "ram", "project_id": project, "resource_limit": 1}), 403, "registered"),
        (json!({"resource_name": "cores", "resource_limit": 1}), 400, "exactly one"),
        (
            json!({"resource_name": "cores", "project_id": project, "domain_id": "default", "resource_limit": 1}),
            400,
            "exactly one",
        ),
        (json!({"resource_name": "cores", "project_id": "nowhere", "resource_limit": 1}), 400, "nowhere"),
        (json!({"resource_name": "cores", "domain_id": "nowhere", "resource_limit": 1}), 400, "nowhere"),
        (json!({"resource_name": "cores", "domain_id": "default", "resource_limit": -7}), 400, "resource_limit"),
        (json!({"resource_name": "cores", "domain_id": "default"}), 400, "resource_limit"),
    ] {
        let answer = made.create(limit.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{limit} {}", answer.body);
        assert!(answer.message().contains(word), "{limit}: {}", answer.message());
    }
    // A domain may be named as the project that it also is.
    let answer = made.create(json!({"resource_name": "cores", "project_id": "default", "resource_limit": 1})).await;
    assert_eq!(answer.body["limits"][0]["domain_id"], "default", "{}", answer.body);
    let moved = json!({"limit": {"project_id": "other"}});
    let path = format!("/v3/limits/{}", answer.body["limits"][0]["id"].as_str().unwrap());
    assert_eq!(made.world.ask("PATCH", &path, &made.world.admin, moved).await.status, 400);
}

#[tokio::test]
async fn whose_limits_one_sees() {
    let made = Made::new().await;
    let world = &made.world;
    let id = async |limit: Value| made.create(limit).await.body["limits"][0]["id"].as_str().unwrap().to_owned();
    let admin_project = world.id("projects", "admin").await;
    let own = id(json!({"resource_name": "cores", "project_id": made.project, "resource_limit": 1})).await;
    let others = id(json!({"resource_name": "cores", "project_id": admin_project, "resource_limit": 2})).await;
    let of_domain = id(json!({"resource_name": "cores", "domain_id": "default", "resource_limit": 3})).await;
    let corp = world.create("domains", "domain", json!({"name": "corp"})).await;
    let of_corp = id(json!({"resource_name": "cores", "domain_id": corp, "resource_limit": 4})).await;

    let demo = world.demo().await;
    assert_eq!(world.get("/v3/limits", &demo).await.all("limits", "id"), std::slice::from_ref(&own));
    assert_eq!(world.get(&format!("/v3/limits?project_id={admin_project}"), &demo).await.body["limits"], json!([]));
    assert_eq!(world.get(&format!("/v3/limits/{own}"), &demo).await.status, 200);
    for id in [&others, &of_domain, &of_corp] {
        assert_eq!(world.get(&format!("/v3/limits/{id}"), &demo).await.status, 403);
    }
    let unscoped = world.login("demo", DEMO_PASSWORD, None).await;
    assert_eq!(world.get("/v3/limits", &unscoped).await.body["limits"], json!([]));

    let (user, reader) = (world.id("users", "demo").await, world.id("roles", "reader").await);
    world.grant(&format!("domains/default/users/{user}/roles/{reader}")).await;
    let login = password_login("demo", DEMO_PASSWORD, json!({"domain": {"id": "default"}}));
    let of_domain_token = world.ask("POST", "/v3/auth/tokens", "", login).await.token();
    let mut expected = vec![own.clone(), others.clone(), of_domain.clone()];
    expected.sort();
    assert_eq!(world.get("/v3/limits", &of_domain_token).await.all("limits", "id"), expected);
    assert_eq!(world.get(&format!("/v3/limits/{others}"), &of_domain_token).await.status, 200);
    assert_eq!(world.get(&format!("/v3/limits/{of_corp}"), &of_domain_token).await.status, 403);

    let login = password_login("admin", ADMIN_PASSWORD, json!({"system": {"all": true}}));
    let system = world.ask("POST", "/v3/auth/tokens", "", login).await.token();
    assert_eq!(world.get("/v3/limits", &system).await.all("limits", "id").len(), 4);
    for (method, path) in [("PATCH", format!("/v3/limits/{own}")), ("DELETE", format!("/v3/limits/{own}"))] {
        assert_eq!(world.ask(method, &path, &demo, json!({"limit": {"resource_limit": 99}})).await.status, 403);
    }
}

#[tokio::test]
async fn limits_go_with_whom_they_are_for() {
    let made = Made::new().await;
    let world = &made.world;
    let corp = world.create("domains", "domain", json!({"name": "corp"})).await;
    let project = world.create("projects", "project", json!({"name": "p", "domain_id": corp})).await;
    let lone = world.create("projects", "project", json!({"name": "lone"})).await;
    for holder in [json!({"project_id": project}), json!({"project_id": lone}), json!({"domain_id": corp})] {
        let mut limit = holder;
        (limit["resource_name"], limit["resource_limit"]) = (json!("cores"), json!(1));
        assert_eq!(made.create(limit).await.status, 201);
    }
    assert_eq!(world.ask("DELETE", &format!("/v3/projects/{lone}"), &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get("/v3/limits", &world.admin).await.body["limits"].as_array().unwrap().len(), 2);
    world.ask("PATCH", &format!("/v3/domains/{corp}"), &world.admin, json!({"domain": {"enabled": false}})).await;
    assert_eq!(world.ask("DELETE", &format!("/v3/domains/{corp}"), &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get("/v3/limits", &world.admin).await.body["limits"], json!([]));
}

#[tokio::test]
async fn in_the_strict_two_level_model_limits_keep_within_the_one_above() {
    let settings = Settings { limit_model: LimitModel::StrictTwoLevel, ..Settings::default() };
    let made = Made::with(settings).await;
    let world = &made.world;
    assert_eq!(world.get("/v3/limits/model", &world.admin).await.body["model"]["name"], "strict_two_level");
    let corp = world.create("domains", "domain", json!({"name": "corp"})).await;
    let top = world.create("projects", "project", json!({"name": "top", "domain_id": corp})).await;
    let below = world.create("projects", "project", json!({"name": "below", "parent_id": top})).await;
    let deep = json!({"project": {"name": "deep", "parent_id": below}});
    let deep = world.ask("POST", "/v3/projects", &world.admin, deep).await;
    assert_eq!(deep.status, 403, "{}", deep.body);
    assert!(deep.message().starts_with("Max hierarchy depth reached"), "{}", deep.message());

    let cores = |holder: Value, amount: i64| {
        let mut limit = holder;
        (limit["resource_name"], limit["resource_limit"]) = (json!("cores"), json!(amount));
        limit
    };
    let beyond = made.create(cores(json!({"project_id": top}), 11)).await;
    assert_eq!(beyond.status, 403, "what is registered is 10");
    assert!(beyond.message().contains("more than the limit above it"), "{}", beyond.message());
    let of_corp = made.create(cores(json!({"domain_id": corp}), 20)).await;
    assert_eq!(of_corp.status, 201, "{}", of_corp.body);
    let of_top = made.create(cores(json!({"project_id": top}), 15)).await;
    assert_eq!(of_top.status, 201, "{}", of_top.body);
    assert_eq!(made.create(cores(json!({"project_id": below}), 16)).await.status, 403);
    assert_eq!(made.create(cores(json!({"project_id": below}), -1)).await.status, 403, "without limit is more");
    assert_eq!(made.create(cores(json!({"project_id": below}), 12)).await.status, 201);
    let change = async |of: &Answer, amount: i64| {
        let path = format!("/v3/limits/{}", of.body["limits"][0]["id"].as_str().unwrap());
        world.ask("PATCH", &path, &world.admin, json!({"limit": {"resource_limit": amount}})).await
    };
    let less = change(&of_corp, 14).await;
    assert_eq!(less.status, 403);
    assert!(less.message().contains("less than a limit below it"), "{}", less.message());
    assert_eq!(change(&of_top, 11).await.status, 403);
    assert_eq!(change(&of_top, 21).await.status, 403);
    assert_eq!(
        (change(&of_corp, -1).await.status, change(&of_top, 21).await.status),
        (200.try_into().unwrap(), 200.try_into().unwrap())
    );

    // Those of one request may lean on each other, whatever their order.
    let other = world.create("domains", "domain", json!({"name": "other"})).await;
    let within = world.create("projects", "project", json!({"name": "within", "domain_id": other})).await;
    let mut both = [cores(json!({"project_id": within}), 30), cores(json!({"domain_id": other}), 40)];
    both.iter_mut().for_each(|limit| limit["service_id"] = json!(made.service));
    assert_eq!(world.ask("POST", "/v3/limits", &world.admin, json!({"limits": both})).await.status, 201);
}
