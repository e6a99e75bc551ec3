// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use crate::world::{Answer, World};

async fn create(world: &World, token: &str, limits: Value) -> Answer {
    world.ask("POST", "/v3/registered_limits", token, json!({"registered_limits": limits})).await
}

#[tokio::test]
async fn a_life() {
    let world = World::new().await;
    let service = world.id("services", "nova").await;
    let made = create(
        &world,
        &world.admin,
        json!([{"service_id": service, "region_id": "RegionOne", "resource_name": "snapshot", "default_limit": 5},
               {"service_id": service, "resource_name": "volume", "default_limit": 10, "description": "Number of volumes"}]),
    )
    .await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.body.as_object().unwrap().len(), 1, "no links around what was made");
    let id = made.body["registered_limits"][1]["id"].as_str().unwrap().to_owned();
    let path = format!("/v3/registered_limits/{id}");
    let expected = json!({
        "id": id, "service_id": service, "region_id": null, "resource_name": "volume", "default_limit": 10,
        "description": "Number of volumes", "links": {"self": format!("http://cloud:80/identity{path}")}
    });
    assert_eq!(made.body["registered_limits"][1], expected);
    let demo = world.demo().await;
    assert_eq!(world.get(&path, &demo).await.body["registered_limit"], expected, "everybody may see them");
    let list = world.get("/v3/registered_limits?resource_name=snapshot", &demo).await;
    assert_eq!(list.all("registered_limits", "region_id"), ["RegionOne"]);
    assert_eq!(list.body["links"]["next"], Value::Null);

    let change = json!({"registered_limit": {"default_limit": -1, "description": null, "region_id": "RegionOne"}});
    let changed = world.ask("PATCH", &path, &world.admin, change).await;
    assert_eq!(changed.body["registered_limit"]["default_limit"], -1, "{}", changed.body);
    assert_eq!(changed.body["registered_limit"]["description"], Value::Null);
    assert_eq!(changed.body["registered_limit"]["region_id"], "RegionOne");
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get(&path, &world.admin).await.status, 404);
}

#[tokio::test]
async fn bad_input_is_told_what_is_wrong_and_nothing_is_made() {
    let world = World::new().await;
    let service = world.id("services", "nova").await;
    let good = json!({"service_id": service, "resource_name": "cores", "default_limit": 5});
    assert_eq!(create(&world, &world.admin, json!([good])).await.status, 201);
    for (limits, status, word) in [
        (json!([]), 400, "at least one"),
        (json!([{"service_id": service, "resource_name": "x"}]), 400, "default_limit"),
        (json!([{"service_id": service, "resource_name": "x", "default_limit": -2}]), 400, "-1"),
        (json!([{"service_id": service, "resource_name": "x", "default_limit": 3_000_000_000_u32}]), 400, "2147483647"),
        (json!([{"service_id": service, "resource_name": "x", "default_limit": "5"}]), 400, "default_limit"),
        (json!([{"service_id": service, "resource_name": "", "default_limit": 5}]), 400, "resource_name"),
        (json!([{"service_id": "nothing", "resource_name": "x", "default_limit": 5}]), 400, "nothing"),
        (json!([{"service_id": service, "resource_name": "x", "default_limit": 5, "region_id": "Mars"}]), 400, "Mars"),
        (json!([{"service_id": service, "resource_name": "x", "default_limit": 5, "colour": "red"}]), 400, "colour"),
        (json!([{"service_id": service, "resource_name": "new", "default_limit": 5}, good]), 409, "Duplicate"),
    ] {
        let answer = create(&world, &world.admin, limits.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{limits} {}", answer.body);
        assert!(answer.message().contains(word), "{limits}: {}", answer.message());
    }
    let all = world.get("/v3/registered_limits", &world.admin).await.all("registered_limits", "resource_name");
    assert_eq!(all, ["cores"], "of a list that is refused in part nothing stays");
    assert_eq!(create(&world, &world.demo().await, json!([good])).await.status, 403);
}

#[tokio::test]
async fn one_that_is_deviated_from_stays_as_it_is() {
    let world = World::new().await;
    let (service, project) = (world.id("services", "nova").await, world.id("projects", "demo").await);
    let made = create(&world, &world.admin, json!([{"service_id": service, "resource_name": "cores", "default_limit": 5}])).await;
    let path = format!("/v3/registered_limits/{}", made.body["registered_limits"][0]["id"].as_str().unwrap());
    let limit =
        json!({"limits": [{"service_id": service, "resource_name": "cores", "project_id": project, "resource_limit": 9}]});
    let limit = world.ask("POST", "/v3/limits", &world.admin, limit).await.body["limits"][0]["id"].as_str().unwrap().to_owned();
    let change = json!({"registered_limit": {"default_limit": 6}});
    assert_eq!(world.ask("PATCH", &path, &world.admin, change.clone()).await.status, 403);
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 403);
    assert_eq!(world.ask("DELETE", &format!("/v3/limits/{limit}"), &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.ask("PATCH", &path, &world.admin, change).await.status, 200);
    // A service that goes takes what was said of it with it.
    assert_eq!(world.ask("DELETE", &format!("/v3/services/{service}"), &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get(&path, &world.admin).await.status, 404);
}
