// SPDX-License-Identifier: Apache-2.0
//! Which status each persona gets, as Glance gives it: 404 for what he does not see, 403 for what he may not do.

use serde_json::{Value, json};
use world::Talk;

use super::{Room, create, patch, start, upload};

/// A way to ask something of one image, and the name of the policy that guards it.
const WAYS: [(&str, &str, &str); 16] = [
    ("PATCH", "", "modify_image"),
    ("DELETE", "", "delete_image"),
    ("PUT", "/file", "upload_image"),
    ("GET", "/file", "download_image"),
    ("PUT", "/stage", "stage_image"),
    ("POST", "/import", "import_image"),
    ("POST", "/actions/deactivate", "deactivate"),
    ("POST", "/actions/reactivate", "reactivate"),
    ("PUT", "/tags/t", "modify_image"),
    ("DELETE", "/tags/t", "modify_image"),
    ("POST", "/members", "add_member"),
    ("PUT", "/members/p2", "modify_member"),
    ("DELETE", "/members/p2", "delete_member"),
    ("POST", "/locations", "add_image_location"),
    ("GET", "/locations", "fetch_image_location"),
    ("GET", "", "get_image"),
];

async fn ask(talk: &Talk, (method, rest, _): (&str, &str, &str), id: &str) -> u16 {
    let path = format!("/image/v2/images/{id}{rest}");
    let kind = match (method, rest) {
        ("PATCH", "") => "application/openstack-images-v2.1-json-patch",
        (_, "/file" | "/stage") => "application/octet-stream",
        _ => "application/json",
    };
    let body = match (method, rest) {
        ("PATCH", "") => json!([{"op": "replace", "path": "/name", "value": "stolen"}]).to_string(),
        (_, "/import") => json!({"method": {"name": "glance-direct"}}).to_string(),
        ("POST", "/members") => json!({"member": "p9"}).to_string(),
        ("PUT", "/members/p2") => json!({"status": "accepted"}).to_string(),
        ("POST", "/locations") => json!({"url": "http://192.0.2.1/x"}).to_string(),
        _ => String::new(),
    };
    talk.header("content-type", kind).send(method, &path, body.into_bytes()).await.status.as_u16()
}

/// An image of `p1` that is seen by nobody else, by `p2`, or by all.
async fn image(it: &Room, visibility: &str) -> String {
    let owner = it.member();
    let id = create(&owner, "raw").await;
    upload(&owner, &id, vec![1; 600]).await.expect(204);
    if visibility == "shared" {
        owner.post(&format!("/image/v2/images/{id}/members"), json!({"member": "p2"})).await.expect(200);
    } else {
        let change = json!([{"op": "replace", "path": "/visibility", "value": visibility}]);
        patch(&it.admin(), &id, change).await.expect(200);
    }
    id
}

#[tokio::test]
async fn what_one_does_not_see_is_404_and_what_one_may_not_do_is_403() {
    let it = start().await;
    let hidden = image(&it, "private").await;
    let shared = image(&it, "shared").await;
    let public = image(&it, "public").await;
    for way in WAYS {
        for who in ["reader@p2", "member@p2", "manager@p2", "reader@p3", "nobody@p1"] {
            assert_eq!(ask(&it.talk.as_(who), way, &hidden).await, 404, "{who} {way:?}");
        }
        for (who, id) in [("reader@p3", &shared), ("member@p3", &shared)] {
            assert_eq!(ask(&it.talk.as_(who), way, id).await, 404, "{who} {way:?}");
        }
        // The owner's own readers see it, and change nothing.
        let expected = if way.2 == "get_image" { 200 } else { 403 };
        for (who, id) in [("reader@p1", &hidden), ("reader@p1", &public), ("reader@p2", &public), ("reader@p2", &shared)] {
            assert_eq!(ask(&it.talk.as_(who), way, id).await, expected, "{who} {way:?}");
        }
        // Whoever sees another's image reads it; what is its owner's business is forbidden.
        let theirs = it.talk.as_("member@p2");
        let expected = match way {
            ("GET", "" | "/file", _) => 200,
            ("PUT" | "DELETE", "/members/p2", _) => continue,
            _ => 403,
        };
        assert_eq!(ask(&theirs, way, &public).await, expected, "{way:?}");
        assert_eq!(ask(&theirs, way, &shared).await, expected, "{way:?}");
    }
    // Nothing was changed by any of that.
    for id in [&hidden, &shared, &public] {
        let shown = it.member().get(&format!("/image/v2/images/{id}")).await.expect(200);
        assert_eq!((&shown["name"], &shown["status"], &shown["tags"]), (&json!("i"), &json!("active"), &json!([])));
    }
    let nothing = "00000000-0000-4000-8000-000000000000";
    for way in WAYS {
        assert_eq!(ask(&it.admin(), way, nothing).await, 404, "{way:?}");
    }
}

#[tokio::test]
async fn a_namespace_that_one_does_not_see_is_not_there_whatever_one_asks() {
    let it = start().await;
    let root = "/image/v2/metadefs/namespaces";
    for (name, visibility) in [("open", "public"), ("closed", "private")] {
        let new = json!({
            "namespace": name, "visibility": visibility, "owner": "p1", "objects": [{"name": "o"}], "tags": [{"name": "t"}],
            "properties": {"p": {"title": "P", "type": "string"}}, "resource_type_associations": [{"name": "r"}],
        });
        it.admin().post(root, new).await.expect(201);
    }
    let property = json!({"name": "p", "title": "P", "type": "string"});
    let ways: [(&str, &str, Value); 13] = [
        ("PUT", "", json!({"namespace": "mine"})),
        ("DELETE", "", Value::Null),
        ("POST", "/objects", json!({"name": "x"})),
        ("PUT", "/objects/o", json!({"name": "x"})),
        ("DELETE", "/objects/o", Value::Null),
        ("POST", "/properties", property.clone()),
        ("PUT", "/properties/p", property),
        ("DELETE", "/properties/p", Value::Null),
        ("POST", "/tags", json!({"tags": []})),
        ("DELETE", "/tags/t", Value::Null),
        ("POST", "/tags/x", Value::Null),
        ("POST", "/resource_types", json!({"name": "x"})),
        ("DELETE", "/resource_types/r", Value::Null),
    ];
    for (method, rest, body) in &ways {
        for (who, name, status) in [
            ("member@p1", "open", 403),
            ("member@p1", "closed", 403),
            ("reader@p2", "open", 403),
            ("member@p2", "closed", 404),
            ("member@p2", "nothing", 404),
            ("nobody@p1", "closed", 404),
        ] {
            let said = it.talk.as_(who).send(method, &format!("{root}/{name}{rest}"), body.to_string().into_bytes()).await;
            assert_eq!(said.status.as_u16(), status, "{who} {method} {name}{rest}: {}", said.body);
        }
    }
    for rest in ["", "/objects", "/objects/o", "/properties", "/tags/t", "/resource_types"] {
        for (who, name, status) in [("reader@p1", "closed", 200), ("reader@p2", "open", 200), ("reader@p2", "closed", 404)] {
            let said = it.talk.as_(who).get(&format!("{root}/{name}{rest}")).await;
            assert_eq!(said.status.as_u16(), status, "{who} {name}{rest}: {}", said.body);
        }
    }
}

#[tokio::test]
async fn an_empty_raw_image_is_taken_and_given() {
    let it = start().await;
    let mine = it.member();
    let id = create(&mine, "raw").await;
    upload(&mine, &id, Vec::new()).await.expect(204);
    let shown = mine.get(&format!("/image/v2/images/{id}")).await.expect(200);
    assert_eq!((&shown["status"], &shown["size"], &shown["virtual_size"]), (&json!("active"), &json!(0), &Value::Null));
    let said = mine.get(&format!("/image/v2/images/{id}/file")).await;
    assert_eq!((said.status.as_u16(), said.headers["content-length"].to_str().unwrap()), (200, "0"));
    let other = create(&mine, "qcow2").await;
    upload(&mine, &other, Vec::new()).await.expect(400);
}

#[tokio::test]
async fn stores_of_one_weight_are_told_by_their_names() {
    let it = super::start_with(|settings| {
        settings.stores[0].id = "web".into();
        settings.stores[1].id = "attic".into();
        settings.stores[1].weight = 0;
    })
    .await;
    let mine = it.member();
    let id = create(&mine, "raw").await;
    super::stage(&mine, &id, vec![1; 600]).await.expect(204);
    let asked = json!({"method": {"name": "glance-direct"}, "all_stores": true});
    mine.post(&format!("/image/v2/images/{id}/import"), asked).await.expect(202);
    super::task_of(&mine, &id).await;
    assert_eq!(super::show(&mine, &id).await["stores"], "attic,web");
}

#[tokio::test]
async fn the_images_that_an_image_names_are_named_by_id_or_not_at_all() {
    let it = start().await;
    let mine = it.member();
    let id = "6f1b9e5c-6f3f-4d0a-9c58-3a2a9a3d6b11";
    let with = |name: &str, value: Value| {
        let mut body = json!({"name": "i", "disk_format": "raw", "container_format": "bare"});
        body[name] = value;
        body
    };
    for name in ["kernel_id", "ramdisk_id"] {
        let made = mine.post("/image/v2/images", with(name, Value::Null)).await.expect(201);
        assert_eq!(made.get(name), Some(&Value::Null));
        let path = format!("/{name}");
        let image = made["id"].as_str().unwrap();
        let change = |value: Value| json!([{"op": "replace", "path": path, "value": value}]);
        assert_eq!(patch(&mine, image, change(json!(id))).await.expect(200)[name], id);
        patch(&mine, image, change(json!("vmlinuz"))).await.expect(400);
        assert_eq!(patch(&mine, image, change(Value::Null)).await.expect(200)[name], Value::Null);
        for wrong in [json!(""), json!("vmlinuz"), json!(7), json!(id.replace('-', "")), json!([])] {
            mine.post("/image/v2/images", with(name, wrong)).await.expect(400);
        }
        let schema = mine.get("/image/v2/schemas/image").await.expect(200);
        assert_eq!(schema["properties"][name]["type"], json!(["null", "string"]));
        assert!(schema["properties"][name]["pattern"].is_string());
    }
    for other in ["architecture", "os_distro", "mine", "description"] {
        mine.post("/image/v2/images", with(other, Value::Null)).await.expect(400);
    }
    let policy = "cinder_encryption_key_deletion_policy";
    mine.post("/image/v2/images", with(policy, json!("at_once"))).await.expect(400);
    mine.post("/image/v2/images", with(policy, json!("do_not_delete"))).await.expect(201);
}
