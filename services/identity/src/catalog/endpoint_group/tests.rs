// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use contracts::caller::Authenticator;

use crate::world::World;

const GROUPS: &str = "/v3/OS-EP-FILTER/endpoint_groups";

async fn create(world: &World, filters: Value) -> String {
    let body = json!({"endpoint_group": {"name": "g", "description": "those", "filters": filters}});
    let answer = world.ask("POST", GROUPS, &world.admin, body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body["endpoint_group"]["id"].as_str().unwrap().to_owned()
}

async fn put(world: &World, path: String) {
    assert_eq!(world.ask("PUT", &path, &world.admin, Value::Null).await.status, 204, "{path}");
}

async fn delete(world: &World, path: String) {
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 204, "{path}");
}

#[tokio::test]
async fn a_life() {
    let world = World::new().await;
    let service = world.id("services", "nova").await;
    let id = create(&world, json!({"interface": "admin", "service_id": service})).await;
    let path = format!("{GROUPS}/{id}");
    let mut expected = json!({
        "id": id, "name": "g", "description": "those", "filters": {"interface": "admin", "service_id": service},
        "links": {"self": format!("http://cloud:80/identity{path}")}
    });
    assert_eq!(world.get(&path, &world.admin).await.body["endpoint_group"], expected);
    let members = world.get(&format!("{path}/endpoints"), &world.admin).await;
    assert_eq!(members.all("endpoints", "interface"), ["admin"]);
    let change = json!({"endpoint_group": {"name": "h", "filters": {"region_id": null}}});
    let changed = world.ask("PATCH", &path, &world.admin, change).await;
    (expected["name"], expected["filters"]) = (json!("h"), json!({"region_id": null}));
    assert_eq!(changed.body["endpoint_group"], expected);
    assert_eq!(world.get(&format!("{path}/endpoints"), &world.admin).await.body["endpoints"], json!([]));
    assert_eq!(world.get(&format!("{GROUPS}?name=h"), &world.admin).await.body["endpoint_groups"], json!([expected]));
    assert_eq!(world.get(&format!("{GROUPS}?name=g"), &world.admin).await.body["endpoint_groups"], json!([]));
    delete(&world, path.clone()).await;
    assert_eq!(world.get(&path, &world.admin).await.status, 404);
}

#[tokio::test]
async fn bad_input_is_told_what_is_wrong() {
    let world = World::new().await;
    for (group, word) in [
        (json!({"name": "g"}), "filters"),
        (json!({"name": "g", "filters": {}}), "empty"),
        (json!({"name": "g", "filters": {"colour": "red"}}), "colour"),
        (json!({"name": "g", "filters": {"interface": "side"}}), "side"),
        (json!({"filters": {"interface": "public"}}), "name"),
    ] {
        let answer = world.ask("POST", GROUPS, &world.admin, json!({"endpoint_group": group})).await;
        assert_eq!(answer.status, 400, "{group} {}", answer.body);
        assert!(answer.message().contains(word), "{group}: {}", answer.message());
    }
    let demo = world.demo().await;
    let group = json!({"endpoint_group": {"name": "g", "filters": {"interface": "public"}}});
    assert_eq!(world.ask("POST", GROUPS, &demo, group).await.status, 403);
    assert_eq!(world.get(GROUPS, &demo).await.status, 403);
}

#[tokio::test]
async fn endpoints_and_groups_are_given_to_projects() {
    let world = World::new().await;
    let project = world.id("projects", "demo").await;
    let service = world.id("services", "glance").await;
    let endpoints = world.get(&format!("/v3/endpoints?service_id={service}&interface=public"), &world.admin).await;
    let endpoint = endpoints.all("endpoints", "id")[0].clone();
    let group = create(&world, json!({"service_id": service})).await;
    let one = format!("/v3/OS-EP-FILTER/projects/{project}/endpoints/{endpoint}");
    let of_group = format!("{GROUPS}/{group}/projects/{project}");
    for path in [&one, &of_group] {
        let ask = async |method: &str| world.ask(method, path, &world.admin, Value::Null).await.status.as_u16();
        assert_eq!(ask("HEAD").await, 404);
        assert_eq!(ask("DELETE").await, 404);
        assert_eq!(ask("PUT").await, 204);
        assert_eq!(ask("PUT").await, 409, "it is there already");
    }
    assert_eq!(world.ask("HEAD", &one, &world.admin, Value::Null).await.status, 204);
    let shown = world.get(&of_group, &world.admin).await;
    let expected = json!({"project_endpoint_group": {"endpoint_group_id": group, "project_id": project,
                          "links": {"self": format!("http://cloud:80/identity{of_group}")}}});
    assert_eq!((shown.status.as_u16(), shown.body), (200, expected));
    let names = async |path: String, many: &str, field: &str| world.get(&path, &world.admin).await.all(many, field);
    assert_eq!(names(format!("/v3/OS-EP-FILTER/endpoints/{endpoint}/projects"), "projects", "name").await, ["demo"]);
    assert_eq!(names(format!("{GROUPS}/{group}/projects"), "projects", "name").await, ["demo"]);
    let of_project = format!("/v3/OS-EP-FILTER/projects/{project}");
    assert_eq!(names(format!("{of_project}/endpoint_groups"), "endpoint_groups", "id").await, std::slice::from_ref(&group));
    let interfaces = names(format!("{of_project}/endpoints"), "endpoints", "interface").await;
    assert_eq!(interfaces, ["admin", "internal", "public"], "each once");
    for path in [
        format!("/v3/OS-EP-FILTER/projects/{project}/endpoints/nothing"),
        format!("/v3/OS-EP-FILTER/projects/nowhere/endpoints/{endpoint}"),
        format!("{GROUPS}/nothing/projects/{project}"),
        format!("{GROUPS}/{group}/projects/nowhere"),
    ] {
        assert_eq!(world.ask("PUT", &path, &world.admin, Value::Null).await.status, 404, "{path}");
    }
    delete(&world, one).await;
    delete(&world, of_group).await;
    assert_eq!(world.get(&format!("{of_project}/endpoints"), &world.admin).await.body["endpoints"], json!([]));
}

#[tokio::test]
async fn the_catalog_holds_what_the_project_was_given() {
    let world = World::new().await;
    let (demo, project) = (world.demo().await, world.id("projects", "demo").await);
    let (nova, glance) = (world.id("services", "nova").await, world.id("services", "glance").await);
    let elsewhere = world.second_room().await;
    let catalog = async || {
        let answer = world.get("/v3/auth/catalog", &demo).await;
        let one = |service: &Value| {
            let interfaces: Vec<&str> =
                service["endpoints"].as_array().unwrap().iter().map(|e| e["interface"].as_str().unwrap()).collect();
            format!("{} {}", service["name"].as_str().unwrap(), interfaces.join(" "))
        };
        let services = answer.body["catalog"].as_array().unwrap();
        services.iter().map(one).collect::<Vec<String>>()
    };
    assert_eq!(catalog().await.len(), 9, "nothing was given, so all is there");

    let group = create(&world, json!({"service_id": nova, "interface": "public"})).await;
    put(&world, format!("{GROUPS}/{group}/projects/{project}")).await;
    assert_eq!(catalog().await, ["nova public"]);
    let internal = world.get(&format!("/v3/endpoints?service_id={glance}&interface=internal"), &world.admin).await;
    let internal = internal.all("endpoints", "id")[0].clone();
    put(&world, format!("/v3/OS-EP-FILTER/projects/{project}/endpoints/{internal}")).await;
    assert_eq!(catalog().await, ["nova public", "glance internal"]);
    let of_admin = world.get("/v3/auth/catalog", &world.admin).await;
    assert_eq!(of_admin.body["catalog"].as_array().unwrap().len(), 9, "another project's catalog is its own");

    // Warm it costs no statement, whatever was given. (What was changed above may still be heeded in between.)
    let mut costs = 1;
    for _ in 0..100 {
        let before = world.store.statements();
        catalog().await;
        costs = world.store.statements() - before;
        if costs == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(costs, 0);

    let change = json!({"endpoint_group": {"filters": {"service_id": nova}}});
    assert_eq!(world.ask("PATCH", &format!("{GROUPS}/{group}"), &world.admin, change).await.status, 200);
    assert_eq!(catalog().await, ["nova admin internal public", "glance internal"], "the group is of more now");
    delete(&world, format!("/v3/endpoints/{internal}")).await;
    assert_eq!(catalog().await, ["nova admin internal public"], "an endpoint that is gone is given no more");

    // The token too, and that of another controller, which hears of it by the event.
    let login = crate::world::token_login(&demo, json!({"project": {"id": project}}));
    let token = world.ask("POST", "/v3/auth/tokens", "", login).await;
    assert_eq!(token.body["token"]["catalog"].as_array().unwrap().len(), 1);
    let caller = elsewhere.caller(&demo).await.unwrap();
    let told = async || super::super::for_caller(&elsewhere.catalog().await.unwrap(), &caller, project.as_str()).len();
    for _ in 0..500 {
        if told().await == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(told().await, 1);

    delete(&world, format!("{GROUPS}/{group}")).await;
    assert_eq!(catalog().await.len(), 9, "without the group nothing is chosen any more");
}
