// SPDX-License-Identifier: Apache-2.0
//! Volumes that go from one project to another.

use contracts::volumes::{VolumeWish, Volumes};
use serde_json::{Value, json};
use std::sync::Arc;
use types::ServerId;
use world::caller;

use super::{Cloud, id_of};

async fn offer(cloud: &Cloud, id: &str) -> (String, Value) {
    let made = cloud.member().post("/volume/v3/volume-transfers", json!({"transfer": {"volume_id": id, "name": "gift"}})).await;
    let made = made.expect(202)["transfer"].clone();
    (format!("/volume/v3/volume-transfers/{}", id_of(&made)), json!({"accept": {"auth_key": made["auth_key"]}}))
}

#[tokio::test]
async fn a_volume_goes_to_whom_it_is_offered_with_its_snapshots() {
    let cloud = Cloud::new().await;
    let id = cloud.volume(1).await;
    let snapshot = cloud.snapshot(&id).await;
    let (path, key) = offer(&cloud, &id).await;
    assert_eq!(cloud.show(&id).await["status"], "awaiting-transfer");
    let other = cloud.talk.as_("member@p2");
    other.get(&path).await.expect(404);
    other.delete(&path).await.expect(404);
    cloud.talk.as_("reader@p2").post(&format!("{path}/accept"), key.clone()).await.expect(403);
    other.post(&format!("{path}/accept"), json!({"accept": {"auth_key": "guess"}})).await.expect(400);
    other.post(&format!("{path}/accept"), key.clone()).await.expect(202);
    other.post(&format!("{path}/accept"), key).await.expect(404);
    assert_eq!(other.get(&format!("/volume/v3/volumes/{id}")).await.expect(200)["volume"]["status"], "available");
    other.get(&format!("/volume/v3/snapshots/{snapshot}")).await.expect(200);
    cloud.member().get(&format!("/volume/v3/volumes/{id}")).await.expect(404);
    cloud.member().get(&format!("/volume/v3/snapshots/{snapshot}")).await.expect(404);
}

#[tokio::test]
async fn an_offer_is_over_when_somebody_has_the_volume() {
    let cloud = Cloud::new().await;
    let id = cloud.volume(1).await;
    let (path, key) = offer(&cloud, &id).await;
    // The operator says that it is free, and a server takes it.
    let action = format!("/volume/v3/volumes/{id}/action");
    cloud.admin().post(&action, json!({"os-reset_status": {"status": "available"}})).await.expect(202);
    let wish = VolumeWish::Volume(id.as_str().into());
    let ask = cloud.room.plan(&Arc::new(caller("member@p1").unwrap()), &[wish]).await.unwrap().remove(0);
    cloud.room.reserve(&"p1".into(), &ServerId::generate(), &ask).await.unwrap();
    let said = cloud.talk.as_("member@p2").post(&format!("{path}/accept"), key).await.expect(400);
    assert!(said["badRequest"]["message"].as_str().unwrap().contains("not offered any more"), "{said}");
    cloud.member().get(&format!("/volume/v3/volumes/{id}")).await.expect(200);
}

#[tokio::test]
async fn who_may_not_use_its_type_does_not_take_a_volume() {
    let cloud = Cloud::new().await;
    let hidden = json!({"volume_type": {"name": "fast", "os-volume-type-access:is_public": false}});
    let kind = id_of(&cloud.admin().post("/volume/v3/types", hidden).await.expect(200)["volume_type"]);
    let access = format!("/volume/v3/types/{kind}/action");
    cloud.admin().post(&access, json!({"addProjectAccess": {"project": "p1"}})).await.expect(202);
    let id = cloud.begin(json!({"size": 1, "volume_type": "fast"})).await;
    cloud.until(&id, "available").await;
    let (path, key) = offer(&cloud, &id).await;
    let other = cloud.talk.as_("member@p2");
    other.post(&format!("{path}/accept"), key.clone()).await.expect(400);
    cloud.admin().post(&access, json!({"addProjectAccess": {"project": "p2"}})).await.expect(202);
    cloud.admin().put("/volume/v3/os-quota-sets/p2", json!({"quota_set": {"volumes": 0}})).await.expect(200);
    other.post(&format!("{path}/accept"), key.clone()).await.expect(413);
    cloud.admin().put("/volume/v3/os-quota-sets/p2", json!({"quota_set": {"volumes": 1}})).await.expect(200);
    other.post(&format!("{path}/accept"), key).await.expect(202);
}
