// SPDX-License-Identifier: Apache-2.0
//! What a client can ask of the cloud before it uploads.

use serde_json::{Value, json};

use super::{create, start, upload};

#[tokio::test]
async fn stores_methods_and_versions_are_told() {
    let it = start().await;
    let (talk, admin) = (it.member(), it.admin());
    let stores = talk.get("/image/v2/info/stores").await.expect(200);
    assert_eq!((&stores["stores"][0]["id"], &stores["stores"][0]["default"]), (&json!("file"), &json!("true")));
    assert_eq!((&stores["stores"][1]["id"], &stores["stores"][1]["default"]), (&json!("slow"), &Value::Null));
    talk.get("/image/v2/info/stores/detail").await.expect(403);
    let detail = admin.get("/image/v2/info/stores/detail").await.expect(200);
    assert_eq!((&detail["stores"][1]["type"], &detail["stores"][1]["weight"]), (&json!("file"), &json!(-10)));
    let methods = talk.get("/image/v2/info/import").await.expect(200);
    assert!(methods["import-methods"]["value"].as_array().unwrap().contains(&json!("web-download")));
    assert_eq!(talk.get("/image/v2/info/usage").await.expect(200)["usage"]["image_size_total"], json!({"limit": -1, "usage": 0}));
    let versions = it.talk.get("/image/").await.expect(300);
    assert_eq!((&versions["versions"][0]["id"], &versions["versions"][0]["status"]), (&json!("v2.18"), &json!("CURRENT")));
    let said = talk.post("/image/v2/images", json!({"name": "n"})).await;
    assert_eq!(said.headers["openstack-image-import-methods"], "glance-direct,web-download,copy-image,glance-download");
    assert_eq!(said.headers["openstack-image-store-ids"], "file,slow");
}

#[tokio::test]
async fn an_upload_chooses_its_store() {
    let it = start().await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    upload(&talk.header("x-image-meta-store", "slow"), &id, vec![1; 600]).await.expect(204);
    assert_eq!((it.files("file"), it.files("slow")), (0, 1));
    assert_eq!(talk.get(&format!("/image/v2/images/{id}/file")).await.status, 200);
}

#[tokio::test]
async fn every_schema_is_there() {
    let it = start().await;
    let talk = it.talk.as_("reader@p1");
    for (path, name) in [
        ("image", "image"),
        ("images", "images"),
        ("member", "member"),
        ("members", "members"),
        ("task", "task"),
        ("tasks", "tasks"),
        ("metadefs/namespace", "namespace"),
        ("metadefs/namespaces", "namespaces"),
        ("metadefs/object", "object"),
        ("metadefs/objects", "objects"),
        ("metadefs/property", "property"),
        ("metadefs/properties", "properties"),
        ("metadefs/resource_type", "resource_type_association"),
        ("metadefs/resource_types", "resource_type_associations"),
        ("metadefs/tag", "tag"),
        ("metadefs/tags", "tags"),
    ] {
        let schema = talk.get(&format!("/image/v2/schemas/{path}")).await.expect(200);
        assert_eq!(schema["name"], name, "{path}");
        assert!(schema["properties"].as_object().is_some_and(|properties| !properties.is_empty()), "{path}");
    }
    it.talk.get("/image/v2/schemas/image").await.expect(401);
}

#[tokio::test]
async fn an_operator_keeps_images_at_hand() {
    let it = start().await;
    let (talk, admin) = (it.member(), it.admin());
    let id = create(&talk, "raw").await;
    talk.get("/image/v2/cache").await.expect(403);
    admin.put("/image/v2/cache/none", Value::Null).await.expect(404);
    admin.put(&format!("/image/v2/cache/{id}"), Value::Null).await.expect(400);
    upload(&talk, &id, vec![1; 600]).await.expect(204);
    admin.put(&format!("/image/v2/cache/{id}"), Value::Null).await.expect(202);
    let mut cached = Value::Null;
    for _ in 0..3000 {
        cached = admin.get("/image/v2/cache").await.expect(200)["cached_images"][0].clone();
        if !cached.is_null() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!((&cached["image_id"], &cached["size"], &cached["hits"]), (&json!(id), &json!(600), &json!(0)));
    talk.get(&format!("/image/v2/images/{id}/file")).await;
    assert_eq!(admin.get("/image/v2/cache").await.expect(200)["cached_images"][0]["hits"], 1);
    admin.header("x-image-cache-clear-target", "odd").delete("/image/v2/cache").await.expect(400);
    admin.header("x-image-cache-clear-target", "queue").delete("/image/v2/cache").await.expect(204);
    admin.delete(&format!("/image/v2/cache/{id}")).await.expect(204);
    admin.delete(&format!("/image/v2/cache/{id}")).await.expect(404);
    admin.delete("/image/v2/cache").await.expect(204);
    assert_eq!(admin.get("/image/v2/cache").await.expect(200), json!({"cached_images": [], "queued_images": []}));
}
