// SPDX-License-Identifier: Apache-2.0
//! What the operator sees and does.

use contracts::{
    audit::Audit,
    node::{ThingId, Want},
    nodes::DesiredSource,
};
use serde_json::json;
use types::{NodeId, VolumeId};

use super::{Cloud, far::Kept};

#[tokio::test]
async fn hosts_are_listed_and_can_be_closed_to_new_volumes() {
    let cloud = Cloud::new().await;
    cloud.volume(5).await;
    let pools = cloud.admin().get("/volume/v3/scheduler-stats/get_pools?detail=true").await.expect(200);
    let second = &pools["pools"][1];
    assert_eq!((&second["name"], &second["capabilities"]["free_capacity_gb"]), (&json!("h2@disks#disks"), &json!(195)));
    let body = json!({"host": "h2@disks", "binary": "cinder-volume", "disabled_reason": "a disk is noisy"});
    cloud.admin().put("/volume/v3/os-services/disable-log-reason", body).await.expect(200);
    let services = cloud.admin().get("/volume/v3/os-services?binary=cinder-volume").await.expect(200);
    assert_eq!(
        (&services["services"][1]["status"], &services["services"][1]["disabled_reason"]),
        (&json!("disabled"), &json!("a disk is noisy"))
    );
    for host in ["controller", "h1@disks", "h2"] {
        let found = cloud.admin().get(&format!("/volume/v3/os-services?host={host}")).await.expect(200);
        let [service] = found["services"].as_array().unwrap().as_slice() else { panic!("{host}: {found}") };
        assert!(service["host"].as_str().unwrap().starts_with(host), "{found}");
    }
    let hosts = cloud.admin().get("/volume/v3/os-hosts").await.expect(200);
    let named: Vec<_> = hosts["hosts"].as_array().unwrap().iter().map(|host| host["host_name"].as_str().unwrap()).collect();
    assert_eq!(named, ["controller", "h1@disks", "h2@disks"]);
    let next = cloud.volume(1).await;
    assert_eq!(cloud.show(&next).await["os-vol-host-attr:host"], "h1@disks#disks");
    cloud.member().get("/volume/v3/os-services").await.expect(403);
}

#[tokio::test]
async fn a_volume_that_no_table_knows_is_kept_until_the_operator_says_that_it_shall_go() {
    let cloud = Cloud::new().await;
    let known = cloud.volume(1).await;
    let unknown = VolumeId::new("22222222-2222-4222-8222-222222222222");
    let strays = [unknown.as_str(), &known].map(|id| ThingId::volume(&id.into()));
    cloud.far.volumes.lock().unwrap().insert((NodeId::new("h2"), unknown.clone()), Kept::default());
    cloud.far.nodes.lock().unwrap().get_mut(&NodeId::new("h2")).unwrap().strays = strays.to_vec();
    let findings = cloud.room.audit().await.unwrap();
    let [stray] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((stray.kind.as_str(), stray.place.as_str()), ("stray", "h2"));
    cloud.far.wake("h2").await;
    assert!(cloud.far.of_host("h2").contains(&unknown), "it is kept");

    // A host that sleeps hears of it when it wakes, and is not told any more when it has said that it is gone.
    cloud.far.asleep.lock().unwrap().insert(NodeId::new("h2"));
    cloud.room.remove_stray(stray).await.unwrap();
    assert_eq!(cloud.room.all(&NodeId::new("h2")).await.unwrap().iter().filter(|thing| thing.want == Want::Released).count(), 1);
    cloud.far.wake("h2").await;
    assert!(!cloud.far.of_host("h2").contains(&unknown));
    assert!(cloud.room.all(&NodeId::new("h2")).await.unwrap().iter().all(|thing| thing.want != Want::Released));
    let mine = contracts::audit::Finding { id: known.clone(), ..stray.clone() };
    assert!(cloud.room.remove_stray(&mine).await.is_err(), "what is known is deleted, not removed");
}

#[tokio::test]
async fn a_status_can_be_set_and_is_another_when_something_is_done() {
    let cloud = Cloud::new().await;
    let id = cloud.volume(1).await;
    let path = format!("/volume/v3/volumes/{id}/action");
    cloud.admin().post(&path, json!({"os-reset_status": {"status": "error"}})).await.expect(202);
    assert_eq!(cloud.show(&id).await["status"], "error");
    cloud.admin().post(&path, json!({"os-reset_status": {"status": "available"}})).await.expect(202);
    assert_eq!(cloud.show(&id).await["status"], "available");
    cloud.admin().post(&path, json!({"os-reset_status": {"status": "in pieces"}})).await.expect(400);
    cloud.member().post(&path, json!({"os-reset_status": {"status": "error"}})).await.expect(403);
}

#[tokio::test]
async fn on_a_frozen_host_nothing_is_made_changed_or_deleted() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin();
    let id = cloud.volume(1).await;
    let snapshot = cloud.snapshot(&id).await;
    let put = async |verb: &str, host: &str| admin.put(&format!("/volume/v3/os-services/{verb}"), json!({"host": host})).await;
    put("freeze", "h9@disks").await.expect(400);
    put("freeze", "h2@disks").await.expect(202);
    put("freeze", "h2@disks").await.expect(202);
    let services = admin.get("/volume/v3/os-services?host=h2@disks").await.expect(200)["services"][0].clone();
    assert_eq!(
        (&services["frozen"], &services["status"], &services["disabled_reason"]),
        (&json!(true), &json!("disabled"), &json!("frozen"))
    );
    let member = cloud.member();
    cloud.act(&id, json!({"os-extend": {"new_size": 2}})).await.expect(400);
    member.post("/volume/v3/snapshots", json!({"snapshot": {"volume_id": id}})).await.expect(400);
    member.post("/volume/v3/volumes", json!({"volume": {"size": 1, "source_volid": id}})).await.expect(400);
    member.delete(&format!("/volume/v3/snapshots/{snapshot}")).await.expect(400);
    member.delete(&format!("/volume/v3/volumes/{id}?cascade=true")).await.expect(400);
    assert_eq!(cloud.show(&cloud.volume(1).await).await["os-vol-host-attr:host"], "h1@disks#disks");
    member.put("/volume/v3/os-services/thaw", json!({"host": "h2@disks"})).await.expect(403);
    put("thaw", "h2@disks").await.expect(202);
    member.delete(&format!("/volume/v3/volumes/{id}?cascade=true")).await.expect(202);
    cloud.until(&id, "gone").await;
    assert_eq!(cloud.show(&cloud.volume(1).await).await["os-vol-host-attr:host"], "h2@disks#disks");
}

#[tokio::test]
async fn of_messages_the_latest_thousand_stay() {
    let cloud = Cloud::new().await;
    let volume = cloud.row(&cloud.volume(1).await).await;
    let write = cloud.room.store.write(move |tx| -> crate::error::Result<i64> {
        for number in 0..1003 {
            let message = crate::message::Message::of_volume(&volume, "keep", &number.to_string());
            crate::message::table::insert(tx, &store::Actor::system("test"), &message)?;
        }
        Ok(tx.query_one("SELECT count(*) FROM volume_messages", &[])?.get(0)?)
    });
    assert_eq!(write.await.unwrap(), 1000);
    let said = cloud.member().get("/volume/v3/messages?limit=1").await.expect(200);
    assert_eq!(said["messages"][0]["user_message"], "keep volume:1002");
}
