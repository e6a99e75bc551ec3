// SPDX-License-Identifier: Apache-2.0
//! Our answers, key by key, beside the examples of Glance's API reference (see the crate `shapes`): each is really asked for.
//! Where one deliberately is not as the example, the list says why.

use serde_json::{Value, json};
use shapes::{Examples, Exception, GLANCE};
use world::Talk;

use super::{Room, create, imports::import, patch, stage, start_with, task_of, upload};
use crate::Quota;

/// Examples for which nothing is asked.
const NOT_ASKED: &[(&str, &str)] = &[];

const EXCEPTIONS: &[Exception] = &[
    ("cache-list", "/cached_images/[]", "what lies here is not cached; the tests of stores look at one that is"),
    ("cache-list", "/queued_images/[]", "what lies here is not queued for the cache"),
    ("image-tasks-show", "/tasks/[]/request-id", "Glance answers with what its table holds, where it is `request_id`"),
    ("image-tasks-show", "/tasks/[]/user", "Glance answers with what its table holds, where it is `user_id`"),
];

struct Taken(Examples);

impl Taken {
    async fn get(&mut self, talk: &Talk, example: &str, path: &str) -> Value {
        let answer = talk.get(&format!("/image{path}")).await;
        assert!(answer.status.is_success() || answer.status == 300, "{path}: {} {}", answer.status, answer.body);
        self.0.put(example, answer.body.clone());
        answer.body
    }

    fn put(&mut self, example: &str, answer: world::Said) -> Value {
        assert!(answer.status.is_success(), "{example}: {} {}", answer.status, answer.body);
        self.0.put(example, answer.body.clone());
        answer.body
    }
}

#[tokio::test]
async fn answers_have_the_keys_of_glances_examples() {
    let it = start_with(|settings| {
        settings.quota = Quota { size_total: Some(9), stage_total: Some(9), count_total: Some(99), count_uploading: Some(9) };
    })
    .await;
    let mut taken = Taken(Examples::of(GLANCE, "v2/samples"));
    images(&mut taken, &it).await;
    members(&mut taken, &it).await;
    tasks(&mut taken, &it).await;
    discovery(&mut taken, &it).await;
    definitions(&mut taken, &it).await;
    schemas(&mut taken, &it).await;
    let wrong = taken.0.compare(EXCEPTIONS, NOT_ASKED);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

async fn images(taken: &mut Taken, it: &Room) {
    let talk = it.member();
    let body = json!({"name": "u", "disk_format": "raw", "container_format": "bare", "visibility": "private"});
    let made = taken.put("image-create", talk.post("/image/v2/images", body).await);
    let id = made["id"].as_str().unwrap();
    let path = format!("/v2/images/{id}");
    upload(&talk, id, vec![1; 600]).await.expect(204);
    taken.get(&talk, "image-show", &path).await;
    taken.get(&it.talk.as_("service"), "locations-list-detail", &format!("{path}/locations")).await;
    let change = patch(&talk, id, json!([{"op": "replace", "path": "/tags", "value": ["fedora"]}])).await;
    taken.put("image-update", change);
    taken.get(&talk, "images-list", "/v2/images?status=active").await;
    it.admin().post(&format!("/image{path}/actions/deactivate"), Value::Null).await.expect(204);
    taken.get(&it.admin(), "image-details-deactivate", &path).await;
}

async fn members(taken: &mut Taken, it: &Room) {
    let talk = it.member();
    let id = create(&talk, "raw").await;
    patch(&talk, &id, json!([{"op": "replace", "path": "/visibility", "value": "shared"}])).await.expect(200);
    let path = format!("/v2/images/{id}/members");
    let made = talk.post(&format!("/image{path}"), json!({"member": "p2"})).await;
    taken.put("image-member-create", made);
    taken.get(&talk, "image-members-list", &path).await;
    taken.get(&talk, "image-member-details", &format!("{path}/p2")).await;
    let accepted = it.talk.as_("member@p2").put(&format!("/image{path}/p2"), json!({"status": "accepted"})).await;
    taken.put("image-member-update", accepted);
}

async fn tasks(taken: &mut Taken, it: &Room) {
    let (talk, admin) = (it.member(), it.admin());
    let id = create(&talk, "raw").await;
    stage(&talk, &id, vec![2; 700]).await.expect(204);
    let asked = json!({"method": {"name": "glance-direct"}, "all_stores": true, "all_stores_must_succeed": true});
    talk.post(&import(&id), asked).await.expect(202);
    task_of(&talk, &id).await;
    taken.get(&talk, "image-tasks-show", &format!("/v2/images/{id}/tasks")).await;

    let url = super::imports::serve(vec![3; 100]).await;
    let task = |from: &str| {
        json!({"type": "import", "input": {"import_from": from, "import_from_format": "raw",
            "image_properties": {"disk_format": "raw", "container_format": "bare"}}})
    };
    let made = taken.put("task-create", admin.post("/image/v2/tasks", task(&url)).await);
    let failing = admin.post("/image/v2/tasks", task("http://127.0.0.1:1/nothing")).await.expect(201);
    let path = |task: &Value| format!("/v2/tasks/{}", task["id"].as_str().unwrap());
    taken.get(&admin, "task-show-processing", &path(&made)).await;
    for (task, status, example) in [(made, "success", "task-show-success"), (failing, "failure", "task-show-failure")] {
        for _ in 0..3000 {
            if taken.get(&admin, example, &path(&task)).await["status"] == status {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(taken.get(&admin, example, &path(&task)).await["status"], status);
    }
    taken.get(&admin, "tasks-list", "/v2/tasks").await;
}

async fn discovery(taken: &mut Taken, it: &Room) {
    let (talk, admin) = (it.member(), it.admin());
    taken.get(&talk, "versions/samples/image-versions", "/versions").await;
    taken.get(&talk, "image-info-import", "/v2/info/import").await;
    taken.get(&talk, "stores-list", "/v2/info/stores").await;
    taken.get(&admin, "stores-list-detail", "/v2/info/stores/detail").await;
    taken.get(&talk, "usage", "/v2/info/usage").await;
    taken.get(&admin, "cache-list", "/v2/cache").await;
}

async fn definitions(taken: &mut Taken, it: &Room) {
    let admin = it.admin();
    let property = |name: &str| json!({"title": name, "description": "d", "type": "string", "enum": ["a", "b"]});
    let namespace = json!({"namespace": "N", "display_name": "n", "description": "d", "visibility": "public", "protected": false,
        "properties": {"boot_menu": property("boot menu"), "vm_mode": property("mode")},
        "resource_type_associations": [{"name": "OS::Glance::Image", "prefix": "hw_", "properties_target": "image"}]});
    let root = "/v2/metadefs/namespaces";
    taken.put("metadef-namespace-create", admin.post(&format!("/image{root}"), namespace).await);
    let ports = json!({"name": "ports", "title": "t", "description": "d", "type": "integer", "minimum": 0});
    admin.post(&format!("/image{root}/N/properties"), ports).await.expect(201);
    taken.get(&admin, "metadef-namespace-details", &format!("{root}/N")).await;
    let with_type = format!("{root}/N?resource_type=OS::Glance::Image");
    taken.get(&admin, "metadef-namespace-details-with-rt", &with_type).await;
    let change = json!({"namespace": "N", "display_name": "other", "description": "d", "visibility": "public"});
    taken.put("metadef-namespace-update", admin.put(&format!("/image{root}/N"), change).await);
    taken.get(&admin, "metadef-namespaces-list", &format!("{root}?limit=100")).await;
    taken.get(&admin, "metadef-resource-types-list", "/v2/metadefs/resource_types").await;

    let at = |rest: &str| format!("{root}/N/{rest}");
    let post = async |rest: &str, body: Value| admin.post(&format!("/image{}", at(rest)), body).await;
    let put = async |rest: &str, body: Value| admin.put(&format!("/image{}", at(rest)), body).await;
    let association = json!({"name": "OS::Cinder::Volume", "prefix": "hw_", "properties_target": "image"});
    taken.put("metadef-resource-type-assoc-create", post("resource_types", association).await);
    taken.get(&admin, "metadef-resource-type-assoc-list", &at("resource_types")).await;

    let object = json!({"name": "limits", "description": "d", "required": [], "properties": {
        "period": {"title": "t", "description": "d", "type": "integer", "minimum": 1, "maximum": 9}}});
    taken.put("metadef-object-create", post("objects", object.clone()).await);
    taken.get(&admin, "metadef-object-details", &at("objects/limits")).await;
    taken.get(&admin, "metadef-objects-list", &at("objects")).await;
    taken.put("metadef-object-update", put("objects/limits", object).await);

    let property = json!({"name": "p", "title": "P", "description": "d", "type": "string", "enum": ["a"]});
    taken.put("metadef-property-create", post("properties", property.clone()).await);
    taken.get(&admin, "metadef-property-details", &at("properties/p")).await;
    taken.put("metadef-property-update", put("properties/p", property).await);
    taken.get(&admin, "metadef-properties-list", &at("properties")).await;

    taken.put("metadef-tag-create", post("tags/one", Value::Null).await);
    taken.get(&admin, "metadef-tag-details", &at("tags/one")).await;
    taken.put("metadef-tag-update", put("tags/one", json!({"name": "two"})).await);
    taken.put("metadef-tags-create", post("tags", json!({"tags": [{"name": "three"}]})).await);
    taken.get(&admin, "metadef-tags-list", &at("tags")).await;
}

async fn schemas(taken: &mut Taken, it: &Room) {
    let talk = it.member();
    for (example, path) in [
        ("schemas-image-show", "image"),
        ("schemas-images-list", "images"),
        ("schemas-image-member-show", "member"),
        ("schemas-image-members-list", "members"),
        ("schemas-task-show", "task"),
        ("schemas-tasks-list", "tasks"),
        ("schemas-metadef-namespace-show", "metadefs/namespace"),
        ("schemas-metadef-namespaces-list", "metadefs/namespaces"),
        ("schemas-metadef-object-show", "metadefs/object"),
        ("schemas-metadef-objects-list", "metadefs/objects"),
        ("schemas-metadef-property-show", "metadefs/property"),
        ("schemas-metadef-properties-list", "metadefs/properties"),
        ("schemas-metadef-resource-type-association-show", "metadefs/resource_type"),
        ("schemas-metadef-resource-type-associations-list", "metadefs/resource_types"),
        ("schemas-metadef-tag-show", "metadefs/tag"),
        ("schemas-metadef-tags-list", "metadefs/tags"),
    ] {
        taken.get(&talk, example, &format!("/v2/schemas/{path}")).await;
    }
}
