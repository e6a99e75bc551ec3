// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use super::address;
use crate::world::{World, bootstrap};

#[tokio::test]
async fn version_documents() {
    let world = World::new().await;
    let list = world.get("", "").await;
    assert_eq!(list.status, 300);
    assert_eq!(list.headers["location"], "http://cloud:80/identity/v3/");
    let version = &list.body["versions"]["values"][0];
    assert_eq!(version["id"], "v3.14");
    assert_eq!(version["status"], "stable");
    assert_eq!(version["links"], json!([{"rel": "self", "href": "http://cloud:80/identity/v3/"}]));
    for path in ["/v3", "/v3/"] {
        let shown = world.get(path, "").await;
        assert_eq!((shown.status.as_u16(), &shown.body["version"]), (200, version));
        assert_eq!(shown.headers["vary"], "X-Auth-Token");
    }
}

#[tokio::test]
async fn services_and_endpoints() {
    let world = World::new().await;
    let service = world.create("services", "service", json!({"type": "dns", "name": "designate"})).await;
    let made = world
        .ask(
            "POST",
            "/v3/endpoints",
            &world.admin,
            json!({"endpoint": {
            "service_id": service, "interface": "public", "region": "North", "url": "http://dns/%(project_id)s"}}),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.body);
    let endpoint = made.body["endpoint"]["id"].as_str().unwrap().to_owned();
    assert_eq!(made.body["endpoint"]["region_id"], "North");
    assert_eq!(made.body["endpoint"]["enabled"], json!(true));
    assert_eq!(world.get("/v3/regions", &world.demo().await).await.all("regions", "id"), ["North", "RegionOne"]);
    assert_eq!(world.get("/v3/services?type=dns", &world.admin).await.all("services", "name"), ["designate"]);
    let of_service = world.get(&format!("/v3/endpoints?service_id={service}"), &world.admin).await;
    assert_eq!(of_service.all("endpoints", "id"), std::slice::from_ref(&endpoint));

    let project = world.id("projects", "demo").await;
    let catalog = world.get("/v3/auth/catalog", &world.demo().await).await;
    let dns = catalog.body["catalog"].as_array().unwrap().iter().find(|s| s["type"] == "dns").unwrap().clone();
    assert_eq!(dns["endpoints"][0]["url"], format!("http://dns/{project}"));

    let path = format!("/v3/endpoints/{endpoint}");
    let changed = world.ask("PATCH", &path, &world.admin, json!({"endpoint": {"enabled": false, "interface": "admin"}})).await;
    assert_eq!(changed.body["endpoint"]["interface"], "admin");
    let catalog = world.get("/v3/auth/catalog", &world.demo().await).await;
    let dns = catalog.body["catalog"].as_array().unwrap().iter().find(|s| s["type"] == "dns").unwrap().clone();
    assert_eq!(dns["endpoints"], json!([]), "a disabled endpoint is not told");

    assert_eq!(world.ask("DELETE", "/v3/regions/North", &world.admin, Value::Null).await.status, 403, "it has endpoints");
    assert_eq!(world.ask("DELETE", &format!("/v3/services/{service}"), &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get(&path, &world.admin).await.status, 404, "endpoints go with their service");
    assert_eq!(world.ask("DELETE", "/v3/regions/North", &world.admin, Value::Null).await.status, 204);
}

#[tokio::test]
async fn bad_input_is_told_what_is_wrong() {
    let world = World::new().await;
    let service = world.id("services", "nova").await;
    let endpoint = |fields: Value| ("/v3/endpoints", json!({"endpoint": fields}));
    for ((path, body), word) in [
        (endpoint(json!({"interface": "public", "url": "http://x"})), "service_id"),
        (endpoint(json!({"service_id": "nothing", "interface": "public", "url": "http://x"})), "nothing"),
        (endpoint(json!({"service_id": service, "interface": "side", "url": "http://x"})), "endpoint.interface"),
        (endpoint(json!({"service_id": service, "interface": "public", "url": ""})), "endpoint.url"),
        (endpoint(json!({"service_id": service, "interface": "public", "url": "http://%(admin_token)s"})), "%("),
        (endpoint(json!({"service_id": service, "interface": "public", "url": "http://x", "region_id": "Mars"})), "Mars"),
        (endpoint(json!({"service_id": service, "interface": "public", "url": "http://x", "enabled": "True"})), "enabled"),
        (("/v3/services", json!({"service": {"name": "x"}})), "type"),
    ] {
        let answer = world.ask("POST", path, &world.admin, body.clone()).await;
        assert_eq!(answer.status, 400, "{body} {}", answer.body);
        assert!(answer.message().contains(word), "{body}: {}", answer.message());
    }
    let demo = world.demo().await;
    assert_eq!(world.get("/v3/endpoints", &demo).await.status, 403);
    assert_eq!(world.ask("POST", "/v3/regions", &demo, json!({"region": {}})).await.status, 403);
}

#[tokio::test]
async fn regions() {
    let world = World::new().await;
    let parent = world.create("regions", "region", json!({"description": "far"})).await;
    let child = world.ask("PUT", "/v3/regions/child", &world.admin, json!({"region": {"parent_region_id": parent}})).await;
    assert_eq!(child.status, 201);
    assert_eq!(
        child.body["region"],
        json!({"id": "child", "description": "", "parent_region_id": parent,
               "links": {"self": "http://cloud:80/identity/v3/regions/child"}})
    );
    let below = world.get(&format!("/v3/regions?parent_region_id={parent}"), &world.admin).await;
    assert_eq!(below.all("regions", "id"), ["child"]);
    let circle = json!({"region": {"parent_region_id": "child"}});
    assert_eq!(world.ask("PATCH", &format!("/v3/regions/{parent}"), &world.admin, circle).await.status, 400);
    let twice = world.ask("POST", "/v3/regions", &world.admin, json!({"region": {"id": "child"}})).await;
    assert_eq!(twice.status, 409, "{}", twice.body);
}

#[tokio::test]
async fn bootstrapping_again_changes_nothing_and_a_moved_cloud_is_told() {
    let world = World::new().await;
    let newest = world.store.last_event_id().await.unwrap();
    let admin = world.room.bootstrap(&bootstrap()).await.unwrap();
    assert_eq!(world.store.last_event_id().await.unwrap(), newest);
    assert_eq!(admin.user.as_str(), world.id("users", "admin").await);

    let moved = crate::Bootstrap { base_url: "https://elsewhere:8443/".to_owned(), ..bootstrap() };
    world.room.bootstrap(&moved).await.unwrap();
    let catalog = world.get("/v3/auth/catalog", &world.demo().await).await;
    assert_eq!(catalog.body["catalog"][1]["endpoints"][0]["url"], "https://elsewhere:8443/compute/v2.1");
    assert_eq!(catalog.body["catalog"][0]["endpoints"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn every_route_but_login_and_discovery_wants_a_token() {
    let world = World::new().await;
    let public = [
        "GET /",
        "GET /v3",
        "POST /v3/auth/tokens",
        // These want a client's secret or a consumer's signature.
        "POST /v3/OS-OAUTH2/token",
        "POST /v3/OS-OAUTH1/request_token",
        "POST /v3/OS-OAUTH1/access_token",
        "POST /v3/users/{user_id}/password",
    ];
    // Federated logins, and what Keystone answers without a token.
    let is_federated = |path: &str| {
        path.contains("OS-SIMPLE-CERT") || path.contains("websso") || path.contains("saml2") || path.ends_with("/auth")
    };
    let mut asked = 0;
    let routes: Vec<(String, &str)> = world.door.routes().map(|(_, route)| (route.method.to_string(), route.path)).collect();
    for (method, path) in routes {
        if public.contains(&format!("{method} {path}").as_str()) || is_federated(path) {
            continue;
        }
        let path = path.replace(['{', '}'], "");
        let answer = world.ask(&method, &path, "", json!({})).await;
        assert_eq!(answer.status, 401, "{method} {path}");
        asked += 1;
    }
    assert!(asked > 90, "{asked}");
}

#[test]
fn addresses_take_the_callers_ids() {
    assert_eq!(address("http://c/image", "p", "u").unwrap(), "http://c/image");
    assert_eq!(address("http://c/v1/AUTH_$(project_id)s", "p", "u").unwrap(), "http://c/v1/AUTH_p");
    assert_eq!(address("http://c/%(tenant_id)s/%(user_id)s", "p", "u").unwrap(), "http://c/p/u");
    assert_eq!(address("http://c/%(tenant_id)s", "", "u"), None);
}
