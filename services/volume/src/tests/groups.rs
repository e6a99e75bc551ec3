// SPDX-License-Identifier: Apache-2.0
//! Groups of volumes, and snapshots of them.

use serde_json::{Value, json};

use super::{Cloud, id_of};

async fn group_type(cloud: &Cloud, name: &str, specs: Value) -> String {
    let ask = json!({"group_type": {"name": name, "group_specs": specs}});
    id_of(&cloud.admin().post("/volume/v3/group_types", ask).await.expect(202)["group_type"])
}

/// A group with so many volumes of 1 GiB.
async fn group(cloud: &Cloud, volumes: usize) -> (String, Vec<String>) {
    let kind = group_type(cloud, "office", json!({})).await;
    let ask = json!({"group": {"name": "shop", "group_type": kind, "volume_types": ["__DEFAULT__"]}});
    let group = id_of(&cloud.member().post("/volume/v3/groups", ask).await.expect(202)["group"]);
    let mut ids = Vec::new();
    for _ in 0..volumes {
        let id = cloud.begin(json!({"size": 1, "group_id": group})).await;
        cloud.until(&id, "available").await;
        ids.push(id);
    }
    (group, ids)
}

async fn snapshot(cloud: &Cloud, group: &str) -> String {
    let ask = json!({"group_snapshot": {"group_id": group, "name": "evening"}});
    let id = id_of(&cloud.member().post("/volume/v3/group_snapshots", ask).await.expect(202)["group_snapshot"]);
    cloud.until_it(&format!("/volume/v3/group_snapshots/{id}"), "group_snapshot", "available").await;
    id
}

#[tokio::test]
async fn a_group_goes_with_its_volumes_and_not_without() {
    let cloud = Cloud::new().await;
    let (group, volumes) = group(&cloud, 2).await;
    let path = format!("/volume/v3/groups/{group}");
    let shown = cloud.member().get(&format!("{path}?list_volume=true")).await.expect(200)["group"].clone();
    assert_eq!((&shown["status"], shown["volumes"].as_array().unwrap().len()), (&json!("available"), 2));
    // A volume of a group goes with it, not by itself.
    cloud.member().delete(&format!("/volume/v3/volumes/{}", volumes[0])).await.expect(400);
    let action = format!("{path}/action");
    cloud.member().post(&action, json!({"delete": {}})).await.expect(400);
    cloud.member().post(&action, json!({"delete": {"delete-volumes": true}})).await.expect(202);
    for id in &volumes {
        cloud.until(id, "gone").await;
    }
    cloud.until_it(&path, "group", "gone").await;
}

#[tokio::test]
async fn volumes_come_to_a_group_and_leave_it() {
    let cloud = Cloud::new().await;
    let (group, volumes) = group(&cloud, 1).await;
    let path = format!("/volume/v3/groups/{group}");
    let own = cloud.volume(1).await;
    let ask = json!({"group": {"add_volumes": own, "remove_volumes": volumes[0], "name": "renamed"}});
    cloud.member().put(&path, ask.clone()).await.expect(202);
    cloud.member().put(&path, ask).await.expect(400);
    assert_eq!(cloud.show(&own).await["group_id"], group.as_str());
    assert_eq!(cloud.show(&volumes[0]).await["group_id"], Value::Null);
    cloud.member().delete(&format!("/volume/v3/volumes/{}", volumes[0])).await.expect(202);
    let others = cloud.talk.as_("member@p2").post("/volume/v3/volumes", json!({"volume": {"size": 1}})).await.expect(202);
    let theirs = id_of(&others["volume"]);
    cloud.until(&theirs, "available").await;
    cloud.member().put(&path, json!({"group": {"add_volumes": theirs}})).await.expect(404);
    cloud.admin().put(&path, json!({"group": {"add_volumes": theirs}})).await.expect(404);
    cloud.member().put(&path, json!({"group": {"add_volumes": "../../etc"}})).await.expect(400);
    cloud.talk.as_("member@p2").get(&path).await.expect(404);
    cloud.talk.as_("member@p2").post("/volume/v3/volumes", json!({"volume": {"size": 1, "group_id": group}})).await.expect(404);
    cloud.admin().post("/volume/v3/types", json!({"volume_type": {"name": "other"}})).await.expect(200);
    let of_another_type = json!({"volume": {"size": 1, "group_id": group, "volume_type": "other"}});
    cloud.member().post("/volume/v3/volumes", of_another_type).await.expect(400);
    cloud.act(&own, json!({"os-retype": {"new_type": "other"}})).await.expect(400);
}

#[tokio::test]
async fn a_group_is_taken_and_copied_and_goes_as_one() {
    let cloud = Cloud::new().await;
    let (group, _) = group(&cloud, 2).await;
    let whole = snapshot(&cloud, &group).await;
    let parts = cloud.member().get("/volume/v3/snapshots/detail").await.expect(200)["snapshots"].clone();
    let parts = parts.as_array().unwrap();
    assert!(parts.len() == 2 && parts.iter().all(|part| part["group_snapshot_id"] == whole.as_str()), "{parts:?}");
    cloud.member().delete(&format!("/volume/v3/snapshots/{}", id_of(&parts[0]))).await.expect(400);
    cloud
        .member()
        .post(&format!("/volume/v3/groups/{group}/action"), json!({"delete": {"delete-volumes": true}}))
        .await
        .expect(400);
    for source in [json!({"group_snapshot_id": whole}), json!({"source_group_id": group})] {
        let made = cloud.member().post("/volume/v3/groups/action", json!({"create-from-src": source})).await.expect(202);
        let copy = id_of(&made["group"]);
        cloud.until_it(&format!("/volume/v3/groups/{copy}"), "group", "available").await;
        let volumes = cloud.member().get(&format!("/volume/v3/volumes/detail?group_id={copy}")).await.expect(200);
        assert_eq!(volumes["volumes"].as_array().unwrap().len(), 2, "{volumes}");
    }
    let path = format!("/volume/v3/group_snapshots/{whole}");
    cloud.talk.as_("member@p2").delete(&path).await.expect(404);
    let stolen = json!({"create-from-src": {"group_snapshot_id": whole}});
    cloud.talk.as_("member@p2").post("/volume/v3/groups/action", stolen).await.expect(404);
    cloud.member().delete(&path).await.expect(202);
    cloud.until_it(&path, "group_snapshot", "gone").await;
    assert_eq!(cloud.member().get("/volume/v3/snapshots").await.expect(200)["snapshots"], json!([]));
}

#[tokio::test]
async fn a_project_has_as_many_groups_as_its_quota_says() {
    let cloud = Cloud::new().await;
    cloud.admin().put("/volume/v3/os-quota-sets/p1", json!({"quota_set": {"groups": 1, "volumes": 1}})).await.expect(200);
    let (group, _) = group(&cloud, 1).await;
    let source = json!({"create-from-src": {"source_group_id": group}});
    cloud.member().post("/volume/v3/groups/action", source.clone()).await.expect(413);
    cloud.admin().put("/volume/v3/os-quota-sets/p1", json!({"quota_set": {"groups": 2}})).await.expect(200);
    // Its volumes are one too many, so that nothing of the copy is left.
    cloud.member().post("/volume/v3/groups/action", source).await.expect(413);
    assert_eq!(cloud.member().get("/volume/v3/groups").await.expect(200)["groups"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_group_type_that_asks_for_one_moment_is_refused_and_one_that_is_not_public_unseen() {
    let cloud = Cloud::new().await;
    let kind = group_type(&cloud, "at once", json!({"consistent_group_snapshot_enabled": "<is> True"})).await;
    let ask = json!({"group": {"group_type": kind, "volume_types": ["__DEFAULT__"]}});
    let said = cloud.member().post("/volume/v3/groups", ask).await.expect(400);
    assert!(said["badRequest"]["message"].as_str().unwrap().contains("one by one"), "{said}");
    let path = format!("/volume/v3/group_types/{kind}");
    assert_eq!(cloud.member().get(&path).await.expect(200)["group_type"].get("group_specs"), None);
    cloud.member().post(&format!("{path}/group_specs"), json!({"group_specs": {"a": "b"}})).await.expect(403);
    cloud.admin().put(&path, json!({"group_type": {"is_public": false}})).await.expect(200);
    cloud.member().get(&path).await.expect(404);
    assert_eq!(cloud.member().get("/volume/v3/group_types").await.expect(200)["group_types"], json!([]));
    cloud.member().get("/volume/v3/group_types/default").await.expect(404);
}

#[tokio::test]
async fn the_operator_says_what_a_group_is() {
    let cloud = Cloud::new().await;
    let (group, _) = group(&cloud, 1).await;
    let whole = snapshot(&cloud, &group).await;
    for (path, key) in
        [(format!("/volume/v3/groups/{group}"), "group"), (format!("/volume/v3/group_snapshots/{whole}"), "group_snapshot")]
    {
        let action = format!("{path}/action");
        cloud.member().post(&action, json!({"reset_status": {"status": "error"}})).await.expect(403);
        cloud.admin().post(&action, json!({"reset_status": {"status": "lost"}})).await.expect(400);
        for status in ["error", "available"] {
            cloud.admin().post(&action, json!({"reset_status": {"status": status}})).await.expect(202);
            assert_eq!(cloud.member().get(&path).await.expect(200)[key]["status"], status);
        }
    }
}
