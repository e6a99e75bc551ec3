// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn a_life() {
    let world = World::new().await;
    let made = json!({"policy": {"type": "application/json", "blob": "{'a': 'role:b'}", "colour": "red"}});
    let made = world.ask("POST", "/v3/policies", &world.admin, made).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.body["policy"]["id"].as_str().unwrap().to_owned();
    let path = format!("/v3/policies/{id}");
    let mut expected = json!({"id": id, "type": "application/json", "blob": "{'a': 'role:b'}", "colour": "red",
                              "links": {"self": format!("http://cloud:80/identity{path}")}});
    assert_eq!(made.body["policy"], expected);
    let blob = json!({"a": ["role:c"]});
    let changed = world.ask("PATCH", &path, &world.admin, json!({"policy": {"blob": blob}})).await;
    expected["blob"] = blob;
    assert_eq!(changed.body["policy"], expected);
    assert_eq!(world.get("/v3/policies?type=application/json", &world.admin).await.body["policies"], json!([expected]));
    assert_eq!(world.get("/v3/policies?type=other", &world.admin).await.body["policies"], json!([]));
    for (policy, word) in
        [(json!({"type": "x"}), "blob"), (json!({"blob": "x"}), "type"), (json!({"type": "x", "blob": 7}), "blob")]
    {
        let answer = world.ask("POST", "/v3/policies", &world.admin, json!({"policy": policy})).await;
        assert_eq!(answer.status, 400, "{policy}");
        assert!(answer.message().contains(word), "{policy}: {}", answer.message());
    }
    let demo = world.demo().await;
    assert_eq!(world.get(&path, &demo).await.status, 403);
    assert_eq!(world.ask("DELETE", &path, &demo, Value::Null).await.status, 403);
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get(&path, &world.admin).await.status, 404);
}

#[tokio::test]
async fn the_closest_policy_holds_for_an_endpoint() {
    let world = World::new().await;
    let policy = async || world.create("policies", "policy", json!({"type": "x", "blob": "x"})).await;
    let (own, local, general) = (policy().await, policy().await, policy().await);
    let region = json!({"region": {"id": "Room", "parent_region_id": "RegionOne"}});
    assert_eq!(world.ask("POST", "/v3/regions", &world.admin, region).await.status, 201);
    let service = world.create("services", "service", json!({"type": "dns", "name": "designate"})).await;
    let endpoint = json!({"service_id": service, "interface": "public", "region_id": "Room", "url": "http://dns"});
    let endpoint = world.create("endpoints", "endpoint", endpoint).await;

    let of_endpoint = format!("/v3/endpoints/{endpoint}/OS-ENDPOINT-POLICY/policy");
    let ask = async |method: &str, path: &str| world.ask(method, path, &world.admin, Value::Null).await.status.as_u16();
    let below = |policy: &str, rest: &str| format!("/v3/policies/{policy}/OS-ENDPOINT-POLICY/{rest}");
    assert_eq!(ask("GET", &of_endpoint).await, 404);
    for (policy, rest) in [
        (&general, format!("services/{service}")),
        (&local, format!("services/{service}/regions/RegionOne")),
        (&own, format!("endpoints/{endpoint}")),
    ] {
        let path = below(policy, &rest);
        assert_eq!(ask("GET", &path).await, 404);
        assert_eq!(ask("PUT", &path).await, 204);
        assert_eq!(ask("PUT", &path).await, 204, "twice is no error");
        assert_eq!(ask("HEAD", &path).await, 204);
        let shown = world.get(&of_endpoint, &world.admin).await;
        assert_eq!(shown.body["policy"]["id"], json!(policy), "the closer one holds");
        let endpoints = world.get(&below(policy, "endpoints"), &world.admin).await;
        assert_eq!(endpoints.all("endpoints", "id"), std::slice::from_ref(&endpoint));
    }
    // Another policy for the same takes the place of the first.
    assert_eq!(ask("PUT", &below(&general, &format!("endpoints/{endpoint}"))).await, 204);
    assert_eq!(ask("GET", &below(&own, &format!("endpoints/{endpoint}"))).await, 404);
    for path in [below(&own, "services/nothing"), below("nothing", &format!("services/{service}"))] {
        assert_eq!(ask("PUT", &path).await, 404, "{path}");
    }
    assert_eq!(ask("DELETE", &below(&general, &format!("endpoints/{endpoint}"))).await, 204);
    assert_eq!(ask("DELETE", &format!("/v3/policies/{local}")).await, 204);
    assert_eq!(world.get(&of_endpoint, &world.admin).await.body["policy"]["id"], json!(general));
    assert_eq!(ask("DELETE", &format!("/v3/services/{service}")).await, 204);
    assert_eq!(world.get(&below(&general, "endpoints"), &world.admin).await.body["endpoints"], json!([]));
}
