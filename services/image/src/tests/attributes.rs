// SPDX-License-Identifier: Apache-2.0
//! What is said of an image, and by whom.

use serde_json::{Value, json};

use super::{create, patch, show, start, start_with, upload};
use crate::Protection;

#[tokio::test]
async fn tenants_see_their_own_and_what_is_public() {
    let it = start().await;
    let talk = &it.talk;
    let (mine, theirs, admin) = (talk.as_("member@p1"), talk.as_("member@p2"), talk.as_("admin"));
    let id = create(&mine, "raw").await;
    let public = json!({"name": "public", "visibility": "public", "disk_format": "raw", "container_format": "bare"});
    mine.post("/image/v2/images", public.clone()).await.expect(403);
    let public = admin.post("/image/v2/images", public).await.expect(201)["id"].as_str().unwrap().to_owned();
    theirs.get(&format!("/image/v2/images/{id}")).await.expect(404);
    theirs.delete(&format!("/image/v2/images/{id}")).await.expect(404);
    upload(&theirs, &id, vec![1]).await.expect(404);
    theirs.get(&format!("/image/v2/images/{public}")).await.expect(200);
    theirs.delete(&format!("/image/v2/images/{public}")).await.expect(403);
    let seen = theirs.get("/image/v2/images").await.expect(200);
    assert_eq!(
        seen["images"].as_array().unwrap().iter().map(|image| image["name"].clone()).collect::<Vec<_>>(),
        [json!("public")]
    );
    assert_eq!(mine.get("/image/v2/images?name=i").await.expect(200)["images"][0]["id"], json!(id));
    assert_eq!(mine.get("/image/v2/images?owner=p2").await.expect(200)["images"], json!([]));
    talk.as_("reader@p1").post("/image/v2/images", json!({"name": "x"})).await.expect(403);
    talk.get("/image/v2/images").await.expect(401);
}

#[tokio::test]
async fn attributes_change_by_patch() {
    let it = start().await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    let patch = talk.header("content-type", "application/openstack-images-v2.1-json-patch");
    let path = format!("/image/v2/images/{id}");
    let shown = patch
        .patch(
            &path,
            json!([{"op": "replace", "path": "/name", "value": "n"}, {"op": "add", "path": "/hw_disk_bus", "value": "virtio"}]),
        )
        .await
        .expect(200);
    assert_eq!((&shown["name"], &shown["hw_disk_bus"]), (&json!("n"), &json!("virtio")));
    patch.patch(&path, json!([{"op": "remove", "path": "/hw_disk_bus"}])).await.expect(200);
    for (change, status) in [
        (json!([{"op": "replace", "path": "/hw_disk_bus", "value": "x"}]), 409),
        (json!([{"op": "replace", "path": "/status", "value": "active"}]), 403),
        (json!([{"op": "replace", "path": "/owner", "value": "p2"}]), 403),
        (json!([{"op": "replace", "path": "/checksum", "value": "x"}]), 403),
        (json!([{"op": "remove", "path": "/name"}]), 403),
        (json!([{"op": "add", "path": "/a/b", "value": "x"}]), 400),
        (json!([{"op": "add", "path": "name", "value": "x"}]), 400),
        (json!([{"op": "add", "path": "/x"}]), 400),
        (json!([7]), 400),
        (json!([{"op": "replace", "path": "/visibility", "value": "public"}]), 403),
        (json!([{"op": "replace", "path": "/min_disk", "value": -1}]), 400),
        (json!([{"op": "add", "path": "/os_glance_x", "value": "1"}]), 403),
        (json!([{"op": "jump", "path": "/name"}]), 400),
        (json!({"op": "add"}), 400),
    ] {
        patch.patch(&path, change.clone()).await.expect(status);
    }
    talk.patch(&path, json!([])).await.expect(415);
    talk.put(&format!("{path}/tags/red"), json!(null)).await.expect(204);
    assert_eq!(talk.get("/image/v2/images?tag=red").await.expect(200)["images"][0]["tags"], json!(["red"]));
    talk.delete(&format!("{path}/tags/red")).await.expect(204);
    talk.delete(&format!("{path}/tags/red")).await.expect(404);
    patch.patch(&path, json!([{"op": "replace", "path": "/protected", "value": true}])).await.expect(200);
    talk.delete(&path).await.expect(403);
}

#[tokio::test]
async fn the_old_form_of_a_patch_is_read_too() {
    let it = start().await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    let old = talk.header("content-type", "application/openstack-images-v2.0-json-patch");
    let changes = json!([{"replace": "/name", "value": "n"}, {"add": "/x~1y", "value": "z"}]);
    let shown = old.patch(&format!("/image/v2/images/{id}"), changes).await.expect(200);
    assert_eq!((&shown["name"], &shown["x/y"]), (&json!("n"), &json!("z")));
    old.patch(&format!("/image/v2/images/{id}"), json!([{"replace": "/name", "add": "/x", "value": "n"}])).await.expect(400);
}

#[tokio::test]
async fn limits_of_properties_and_tags_hold() {
    let it = start_with(|settings| {
        settings.limits.properties = 2;
        settings.limits.tags = 2;
    })
    .await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    let add = |name: &str| json!([{"op": "add", "path": format!("/{name}"), "value": "v"}]);
    patch(&talk, &id, add("a")).await.expect(200);
    patch(&talk, &id, add("b")).await.expect(200);
    patch(&talk, &id, add("b")).await.expect(200);
    patch(&talk, &id, add("c")).await.expect(413);
    for (tag, status) in [("1", 204), ("2", 204), ("2", 204), ("3", 413)] {
        talk.put(&format!("/image/v2/images/{id}/tags/{tag}"), Value::Null).await.expect(status);
    }
    patch(&talk, &id, json!([{"op": "replace", "path": "/tags", "value": ["a", "b", "c"]}])).await.expect(413);
    assert_eq!(show(&talk, &id).await["tags"], json!(["1", "2"]));
}

fn role(name: &str) -> Vec<String> {
    vec![name.to_owned()]
}

#[tokio::test]
async fn protected_properties_obey_the_operators_rules_in_any_spelling() {
    let it = start_with(|settings| {
        let everybody = || role("@");
        settings.protections = vec![
            Protection {
                name: "x_secret".into(),
                create: role("admin"),
                read: role("admin"),
                update: role("admin"),
                delete: vec![],
            },
            Protection {
                name: "x_*".into(),
                create: role("admin"),
                read: everybody(),
                update: role("admin"),
                delete: role("admin"),
            },
            Protection { name: "*".into(), create: everybody(), read: everybody(), update: everybody(), delete: everybody() },
        ];
    })
    .await;
    let (mine, admin) = (it.member(), it.talk.as_("admin@p1"));
    for name in ["x_a", "X_A", "X_Secret"] {
        let ask = json!({"name": "n", name: "v"});
        mine.post("/image/v2/images", ask).await.expect(403);
    }
    let id = create(&mine, "raw").await;
    let one = |op: &str, name: &str| json!([{"op": op, "path": format!("/{name}"), "value": "v"}]);
    patch(&mine, &id, one("add", "X_a")).await.expect(403);
    patch(&mine, &id, one("add", "free")).await.expect(200);
    patch(&admin, &id, one("add", "x_a")).await.expect(200);
    patch(&admin, &id, one("add", "x_secret")).await.expect(200);
    patch(&mine, &id, one("replace", "x_a")).await.expect(403);
    patch(&mine, &id, one("remove", "x_a")).await.expect(403);
    patch(&admin, &id, one("remove", "x_secret")).await.expect(403);
    let seen = show(&mine, &id).await;
    assert_eq!((&seen["x_a"], seen.get("x_secret")), (&json!("v"), None));
    let listed = mine.get("/image/v2/images").await.expect(200);
    assert_eq!(listed["images"][0].get("x_secret"), None);
    assert_eq!(show(&admin, &id).await["x_secret"], "v");
}

#[tokio::test]
async fn formats_are_fixed_once_there_is_data() {
    let it = start().await;
    let talk = it.member();
    let id = create(&talk, "qcow2").await;
    let to = |format: &str| json!([{"op": "replace", "path": "/disk_format", "value": format}]);
    patch(&talk, &id, to("odd")).await.expect(400);
    patch(&talk, &id, to("raw")).await.expect(200);
    upload(&talk, &id, vec![1; 600]).await.expect(204);
    patch(&talk, &id, to("qcow2")).await.expect(403);
}
