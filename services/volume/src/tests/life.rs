// SPDX-License-Identifier: Apache-2.0
//! Volumes and snapshots from create to delete.

use serde_json::json;
use store::Actor;
use types::{NodeId, VolumeId};

use super::{Cloud, far::IMAGE};
use crate::volume;

#[tokio::test]
async fn a_volume_is_made_where_most_room_is_and_goes_when_its_host_says_so() {
    let cloud = Cloud::new().await;
    let made = cloud.begin(json!({"size": 3, "name": "data", "metadata": {"a": "b"}})).await;
    let shown = cloud.until(&made, "available").await;
    assert_eq!((&shown["size"], &shown["name"], &shown["metadata"]["a"]), (&json!(3), &json!("data"), &json!("b")));
    assert_eq!(shown["os-vol-host-attr:host"], "h2@disks#disks");
    assert_eq!(cloud.far.of_host("h2"), [VolumeId::new(made.as_str())]);
    cloud.member().delete(&format!("/volume/v3/volumes/{made}")).await.expect(202);
    cloud.until(&made, "gone").await;
    assert_eq!(cloud.far.of_host("h2"), []);
}

#[tokio::test]
async fn a_volume_whose_host_is_away_stays_until_it_is_back() {
    let cloud = Cloud::new().await;
    let id = cloud.volume(1).await;
    cloud.far.asleep.lock().unwrap().insert(NodeId::new("h2"));
    cloud.member().delete(&format!("/volume/v3/volumes/{id}")).await.expect(202);
    cloud.until(&id, "deleting").await;
    assert_eq!(cloud.far.of_host("h2").len(), 1);
    cloud.far.wake("h2").await;
    cloud.until(&id, "gone").await;
}

#[tokio::test]
async fn an_image_becomes_a_volume_that_one_can_boot_from() {
    let cloud = Cloud::new().await;
    let id = cloud.begin(json!({"size": 2, "imageRef": IMAGE})).await;
    let shown = cloud.until(&id, "available").await;
    assert_eq!((&shown["bootable"], &shown["volume_image_metadata"]["image_id"]), (&json!("true"), &json!(IMAGE)));
    assert_eq!(shown["volume_image_metadata"]["hw_disk_bus"], "virtio");
    let too_small = cloud.member().post("/volume/v3/volumes", json!({"volume": {"size": 1, "imageRef": IMAGE}})).await;
    assert!(too_small.expect(400)["badRequest"]["message"].as_str().unwrap().contains("cannot be smaller than the image"));
}

#[tokio::test]
async fn copies_lie_beside_their_source_which_waits_for_them() {
    let cloud = Cloud::new().await;
    let source = cloud.volume(2).await;
    let snapshot = cloud.snapshot(&source).await;
    cloud.far.asleep.lock().unwrap().insert(NodeId::new("h2"));
    let of_snapshot = cloud.begin(json!({"size": 3, "snapshot_id": snapshot})).await;
    let of_volume = cloud.begin(json!({"size": 2, "source_volid": source})).await;
    // Both the snapshot and its volume go, but not before what is made of them is there.
    cloud.member().delete(&format!("/volume/v3/volumes/{source}?cascade=true")).await.expect(202);
    cloud.until(&source, "deleting").await;
    cloud.far.wake("h2").await;
    for (id, size) in [(&of_snapshot, 3), (&of_volume, 2)] {
        let shown = cloud.until(id, "available").await;
        assert_eq!((&shown["size"], &shown["os-vol-host-attr:host"]), (&json!(size), &json!("h2@disks#disks")));
    }
    cloud.until(&source, "gone").await;
}

#[tokio::test]
async fn a_volume_grows() {
    let cloud = Cloud::new().await;
    let id = cloud.volume(1).await;
    cloud.act(&id, json!({"os-extend": {"new_size": 1}})).await.expect(400);
    cloud.act(&id, json!({"os-extend": {"new_size": "4"}})).await.expect(202);
    assert_eq!(cloud.until(&id, "available").await["size"], 4);
    let no_room = cloud.act(&id, json!({"os-extend": {"new_size": 500}})).await.expect(400);
    assert!(no_room["badRequest"]["message"].as_str().unwrap().contains("no room"), "{no_room}");
}

#[tokio::test]
async fn a_snapshot_is_taken_and_goes() {
    let cloud = Cloud::new().await;
    let id = cloud.volume(1).await;
    let snapshot = cloud.snapshot(&id).await;
    let held = cloud.member().delete(&format!("/volume/v3/volumes/{id}")).await.expect(400);
    assert!(held["badRequest"]["message"].as_str().unwrap().contains("have snapshots"), "{held}");
    cloud.member().delete(&format!("/volume/v3/snapshots/{snapshot}")).await.expect(202);
    cloud.until_it(&format!("/volume/v3/snapshots/{snapshot}"), "snapshot", "gone").await;
    cloud.member().delete(&format!("/volume/v3/volumes/{id}")).await.expect(202);
    cloud.until(&id, "gone").await;
}

#[tokio::test]
async fn what_cannot_be_made_says_why_and_can_be_deleted() {
    let cloud = Cloud::new().await;
    cloud.far.failing.lock().unwrap().insert(NodeId::new("h2"), "the disk is on fire".to_owned());
    let id = cloud.begin(json!({"size": 1})).await;
    cloud.until(&id, "error").await;
    let messages = cloud.member().get(&format!("/volume/v3/messages?resource_uuid={id}")).await.expect(200);
    let said = messages["messages"][0]["user_message"].as_str().unwrap();
    assert!(said.contains("the disk is on fire"), "{messages}");
    cloud.far.failing.lock().unwrap().clear();
    cloud.member().delete(&format!("/volume/v3/volumes/{id}")).await.expect(202);
    cloud.until(&id, "gone").await;
}

#[tokio::test]
async fn a_volume_for_which_no_host_has_room_fails() {
    let cloud = Cloud::with(&[("h1", 5)]).await;
    let first = cloud.volume(4).await;
    let second = cloud.begin(json!({"size": 2})).await;
    cloud.until(&second, "error").await;
    assert_eq!(cloud.show(&first).await["status"], "available");
}

#[tokio::test]
async fn a_volume_that_its_host_lost_is_in_error_and_not_made_anew() {
    let cloud = Cloud::new().await;
    let id = cloud.volume(1).await;
    cloud.far.volumes.lock().unwrap().clear();
    cloud.far.wake("h2").await;
    cloud.until(&id, "error").await;
    assert_eq!(cloud.far.of_host("h2"), []);
}

#[tokio::test]
async fn a_volume_becomes_an_image() {
    let cloud = Cloud::new().await;
    let id = cloud.volume(1).await;
    let asked = cloud.act(&id, json!({"os-volume_upload_image": {"image_name": "copy", "disk_format": "raw"}})).await.expect(202);
    let image = asked["os-volume_upload_image"]["image_id"].as_str().unwrap().to_owned();
    assert!(cloud.far.images.lock().unwrap().contains_key(&image.as_str().into()), "it is told of before it is there");
    cloud.until(&id, "available").await;
    assert_eq!(cloud.far.images.lock().unwrap().get(&image.as_str().into()), Some(&true));
}

#[tokio::test]
async fn a_change_of_a_volume_on_old_facts_changes_nothing() {
    let cloud = Cloud::new().await;
    let id = cloud.volume(1).await;
    let old = cloud.row(&id).await;
    cloud.member().put(&format!("/volume/v3/volumes/{id}"), json!({"volume": {"name": "new"}})).await.expect(200);
    let write = cloud.room.store.write(move |tx| {
        let mut after = old.clone();
        after.name = Some("old".to_owned());
        volume::table::save(tx, &Actor::system("test"), "volume.update", &old, after)
    });
    assert!(matches!(write.await, Err(crate::error::Error::Store(store::Error::Conflict))));
    assert_eq!(cloud.show(&id).await["name"], "new");
}
