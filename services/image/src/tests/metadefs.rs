// SPDX-License-Identifier: Apache-2.0
//! Metadata definitions.

use serde_json::{Value, json};

use super::start;

const ROOT: &str = "/image/v2/metadefs/namespaces";

#[tokio::test]
async fn the_stock_is_there_and_what_was_removed_stays_away() {
    let it = start().await;
    let (talk, admin) = (it.talk.as_("reader@p1"), it.admin());
    let page = talk.get(&format!("{ROOT}?limit=100")).await.expect(200);
    let count = page["namespaces"].as_array().unwrap().len();
    assert!(count >= 10, "{count}");
    let one = talk.get(&format!("{ROOT}/OS::Compute::LibvirtImage")).await.expect(200);
    assert_eq!(one["properties"]["disk_bus"]["type"], "string");
    let seen = talk.get(&format!("{ROOT}/OS::Compute::LibvirtImage?resource_type=OS::Glance::Image")).await.expect(200);
    assert!(seen["properties"].get("hw_disk_bus").is_some());
    let kinds = talk.get("/image/v2/metadefs/resource_types").await.expect(200);
    assert!(kinds["resource_types"].as_array().unwrap().iter().any(|kind| kind["name"] == "OS::Nova::Flavor"));
    let only = talk.get(&format!("{ROOT}?resource_types=OS::Nova::Flavor&limit=100")).await.expect(200);
    assert!((1..count).contains(&only["namespaces"].as_array().unwrap().len()));
    let before = it.world.store.statements();
    talk.get(&format!("{ROOT}?limit=100")).await.expect(200);
    assert_eq!(it.world.store.statements() - before, 2);
    let path = format!("{ROOT}/OS::Compute::Watchdog");
    admin.delete(&path).await.expect(403);
    admin.put(&path, json!({"namespace": "OS::Compute::Watchdog", "visibility": "public", "protected": false})).await.expect(200);
    admin.delete(&path).await.expect(204);
    let it = it.restart().await;
    it.admin().get(&path).await.expect(404);
}

#[tokio::test]
async fn a_namespace_holds_objects_properties_and_tags() {
    let it = start().await;
    let (admin, talk) = (it.admin(), it.member());
    let new = json!({"namespace": "N", "display_name": "n", "resource_type_associations": [{"name": "OS::Glance::Image"}]});
    talk.post(ROOT, new.clone()).await.expect(403);
    let made = admin.post(ROOT, new.clone()).await.expect(201);
    assert_eq!((&made["visibility"], &made["owner"]), (&json!("private"), &json!("admin")));
    admin.post(ROOT, new).await.expect(409);
    admin.post(ROOT, json!({"display_name": "n"})).await.expect(400);
    talk.get(&format!("{ROOT}/N")).await.expect(404);
    let at = |rest: &str| format!("{ROOT}/N/{rest}");
    let property = json!({"name": "p", "title": "P", "type": "string", "enum": ["a"]});
    admin.post(&at("properties"), property.clone()).await.expect(201);
    admin.post(&at("properties"), property).await.expect(409);
    admin.post(&at("properties"), json!({"name": "q", "title": "Q", "type": "odd"})).await.expect(400);
    assert_eq!(admin.get(&at("properties/p")).await.expect(200)["enum"], json!(["a"]));
    let renamed = json!({"name": "q", "title": "Q", "type": "integer"});
    assert_eq!(admin.put(&at("properties/p"), renamed).await.expect(200)["name"], "q");
    assert_eq!(admin.get(&at("properties")).await.expect(200)["properties"]["q"]["type"], "integer");
    let object = json!({"name": "o", "properties": {"x": {"title": "X", "type": "boolean"}}});
    assert_eq!(admin.post(&at("objects"), object).await.expect(201)["schema"], "/v2/schemas/metadefs/object");
    admin.put(&at("objects/o"), json!({"name": "o2"})).await.expect(200);
    admin.get(&at("objects/o")).await.expect(404);
    admin.post(&at("objects"), json!({"name": "o", "odd": 1})).await.expect(400);
    let tags = json!({"tags": [{"name": "a"}, {"name": "b"}]});
    admin.post(&at("tags"), tags).await.expect(201);
    admin.post(&at("tags/c"), Value::Null).await.expect(201);
    admin.put(&at("tags/c"), json!({"name": "d"})).await.expect(200);
    let names = |page: Value| page["tags"].as_array().unwrap().iter().map(|tag| tag["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(admin.get(&at("tags")).await.expect(200)), ["a", "b", "d"]);
    admin.delete(&at("tags/d")).await.expect(204);
    admin.delete(&at("tags")).await.expect(204);
    assert_eq!(names(admin.get(&at("tags")).await.expect(200)), Vec::<Value>::new());
    admin.post(&at("resource_types"), json!({"name": "OS::Nova::Flavor", "prefix": "hw:"})).await.expect(201);
    let bonds = admin.get(&at("resource_types")).await.expect(200);
    assert_eq!(bonds["resource_type_associations"].as_array().unwrap().len(), 2);
    admin.delete(&at("resource_types/OS::Nova::Flavor")).await.expect(204);
    admin.delete(&at("resource_types/OS::Nova::Flavor")).await.expect(404);
    let moved = json!({"namespace": "M", "visibility": "public"});
    admin.put(&format!("{ROOT}/N"), moved).await.expect(200);
    let whole = talk.get(&format!("{ROOT}/M")).await.expect(200);
    assert_eq!((&whole["properties"]["q"]["title"], &whole["objects"][0]["name"]), (&json!("Q"), &json!("o2")));
    talk.delete(&format!("{ROOT}/M")).await.expect(403);
    admin.delete(&format!("{ROOT}/M")).await.expect(204);
    let left =
        it.world.store.read(|tx| tx.query_one("SELECT count(*) FROM metadef_items WHERE namespace = 'M'", &[])).await.unwrap();
    assert_eq!(left.get::<i64>(0).unwrap(), 0);
}
