// SPDX-License-Identifier: Apache-2.0
//! What tenants may have, and what they see of each other.

use serde_json::json;

use super::Cloud;

#[tokio::test]
async fn another_tenants_things_are_not_there() {
    let cloud = Cloud::new().await;
    let id = cloud.volume(1).await;
    let snapshot = cloud.snapshot(&id).await;
    let other = cloud.talk.as_("member@p2");
    for path in [format!("volumes/{id}"), format!("snapshots/{snapshot}"), format!("volumes/{id}/metadata")] {
        other.get(&format!("/volume/v3/{path}")).await.expect(404);
        other.delete(&format!("/volume/v3/{path}")).await;
    }
    other.post("/volume/v3/volumes", json!({"volume": {"size": 1, "source_volid": id}})).await.expect(404);
    other.post("/volume/v3/volumes", json!({"volume": {"size": 1, "snapshot_id": snapshot}})).await.expect(404);
    other.post(&format!("/volume/v3/volumes/{id}/action"), json!({"os-extend": {"new_size": 9}})).await.expect(404);
    assert_eq!(other.get("/volume/v3/volumes/detail?all_tenants=1").await.expect(200)["volumes"], json!([]));
    assert_eq!(cloud.show(&id).await["status"], "available");
}

#[tokio::test]
async fn racing_creates_of_volumes_stay_within_the_quota() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin();
    admin.put("/volume/v3/os-quota-sets/p1", json!({"quota_set": {"volumes": 3, "gigabytes": 5}})).await.expect(200);
    let mut racing = Vec::new();
    for _ in 0..10 {
        let member = cloud.member();
        racing.push(tokio::spawn(async move { member.post("/volume/v3/volumes", json!({"volume": {"size": 2}})).await }));
    }
    let mut made = 0;
    for racer in racing {
        let said = racer.await.unwrap();
        match said.status.as_u16() {
            202 => made += 1,
            413 => assert!(said.body["overLimit"]["message"].as_str().unwrap().contains("quota"), "{}", said.body),
            other => panic!("{other}: {}", said.body),
        }
    }
    assert_eq!(made, 2, "of 5 GiB two volumes of 2 GiB");
    let used = admin.get("/volume/v3/os-quota-sets/p1?usage=true").await.expect(200);
    assert_eq!(used["quota_set"]["gigabytes"]["in_use"], 4);
    assert_eq!(used["quota_set"]["volumes___DEFAULT__"]["in_use"], 2);
}

#[tokio::test]
async fn a_volume_has_forty_snapshots_and_no_more() {
    let cloud = Cloud::new().await;
    cloud.admin().put("/volume/v3/os-quota-sets/p1", json!({"quota_set": {"snapshots": -1, "gigabytes": -1}})).await.expect(200);
    let id = cloud.volume(1).await;
    for _ in 0..40 {
        cloud.snapshot(&id).await;
    }
    let body = json!({"snapshot": {"volume_id": id}});
    let said = cloud.member().post("/volume/v3/snapshots", body).await.expect(413);
    assert!(said["overLimit"]["message"].as_str().unwrap().contains("40 snapshots"), "{said}");
}

#[tokio::test]
async fn a_type_is_for_those_whom_it_was_given() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin();
    let hidden = json!({"volume_type": {"name": "fast", "os-volume-type-access:is_public": false}});
    let id = admin.post("/volume/v3/types", hidden).await.expect(200)["volume_type"]["id"].as_str().unwrap().to_owned();
    let ask = json!({"volume": {"size": 1, "volume_type": "fast"}});
    cloud.member().post("/volume/v3/volumes", ask.clone()).await.expect(404);
    cloud.member().get(&format!("/volume/v3/types/{id}")).await.expect(404);
    let action = format!("/volume/v3/types/{id}/action");
    admin.post(&action, json!({"addProjectAccess": {"project": "p1"}})).await.expect(202);
    admin.post(&action, json!({"addProjectAccess": {"project": "p1"}})).await.expect(409);
    cloud.member().post("/volume/v3/volumes", ask).await.expect(202);
    admin.delete(&format!("/volume/v3/types/{id}")).await.expect(400);
}

#[tokio::test]
async fn of_two_who_add_metadata_at_once_neither_is_lost() {
    let cloud = Cloud::new().await;
    let id = cloud.volume(1).await;
    let snapshot = cloud.snapshot(&id).await;
    for path in [format!("/volume/v3/volumes/{id}/metadata"), format!("/volume/v3/snapshots/{snapshot}/metadata")] {
        let mut racing = Vec::new();
        for number in 0..16 {
            let (member, path) = (cloud.member(), path.clone());
            let item = json!({"metadata": {format!("key{number}"): "v"}});
            racing.push(tokio::spawn(async move { member.post(&path, item).await.expect(200) }));
        }
        for racer in racing {
            racer.await.unwrap();
        }
        let kept = cloud.member().get(&path).await.expect(200)["metadata"].clone();
        assert_eq!(kept.as_object().unwrap().len(), 16, "{path}: {kept}");
    }
}

#[tokio::test]
async fn a_snapshot_that_is_not_there_is_no_source_whatever_its_owner_says_of_it() {
    let cloud = Cloud::new().await;
    let id = cloud.volume(1).await;
    cloud.far.asleep.lock().unwrap().insert(types::NodeId::new("h2"));
    let made = cloud.member().post("/volume/v3/snapshots", json!({"snapshot": {"volume_id": id}})).await.expect(202);
    let snapshot = made["snapshot"]["id"].as_str().unwrap().to_owned();
    let action = format!("/volume/v3/snapshots/{snapshot}/action");
    let said = json!({"os-update_snapshot_status": {"status": "available"}});
    cloud.member().post(&action, said).await.expect(202);
    let ask = json!({"volume": {"size": 1, "snapshot_id": snapshot}});
    cloud.member().post("/volume/v3/volumes", ask).await.expect(400);
}

#[tokio::test]
async fn who_only_reads_changes_nothing() {
    let cloud = Cloud::new().await;
    let id = cloud.volume(1).await;
    let snapshot = cloud.snapshot(&id).await;
    let reader = cloud.talk.as_("reader@p1");
    reader.get(&format!("/volume/v3/volumes/{id}")).await.expect(200);
    reader.post("/volume/v3/volumes", json!({"volume": {"size": 1}})).await.expect(403);
    reader.put(&format!("/volume/v3/volumes/{id}"), json!({"volume": {"name": "x"}})).await.expect(403);
    reader.delete(&format!("/volume/v3/volumes/{id}")).await.expect(403);
    reader.delete(&format!("/volume/v3/snapshots/{snapshot}")).await.expect(403);
    for action in [
        json!({"os-extend": {"new_size": 2}}),
        json!({"os-reserve": {}}),
        json!({"os-attach": {"mountpoint": "/dev/vdb", "host_name": "h"}}),
        json!({"os-set_bootable": {"bootable": true}}),
        json!({"os-volume_upload_image": {"image_name": "x"}}),
        json!({"os-set_image_metadata": {"metadata": {"a": "b"}}}),
        json!({"os-initialize_connection": {"connector": {}}}),
    ] {
        reader.post(&format!("/volume/v3/volumes/{id}/action"), action).await.expect(403);
    }
    reader.post("/volume/v3/volume-transfers", json!({"transfer": {"volume_id": id}})).await.expect(403);
    reader.post("/volume/v3/attachments", json!({"attachment": {"volume_uuid": id}})).await.expect(403);
}
