// SPDX-License-Identifier: Apache-2.0
//! The volumes of servers: taken, opened to a node, moved, given back.

use contracts::{
    Refusal, RefusalKind,
    node::{VolumeState, Way},
    volumes::{VolumeAsk, VolumeSource, VolumeWish, Volumes},
};
use serde_json::json;
use std::sync::Arc;
use types::{Generation, NodeId, ProjectId, ServerId, VolumeId};
use world::caller;

use super::{Cloud, far};

fn project() -> ProjectId {
    "p1".into()
}

async fn plan(cloud: &Cloud, wish: VolumeWish) -> VolumeAsk {
    let caller = Arc::new(caller("member@p1").unwrap());
    cloud.room.plan(&caller, &[wish]).await.unwrap().remove(0)
}

/// Asks until the door is open to this node.
async fn ensure(cloud: &Cloud, server: &ServerId, node: &str, ask: &VolumeAsk) -> Way {
    let node = NodeId::new(node);
    for _ in 0..1000 {
        match cloud.room.ensure(&project(), server, &node, ask).await {
            Ok(facts) if facts.way.is_some() => return facts.way.unwrap(),
            Ok(_) => {}
            Err(Refusal { kind: RefusalKind::Unavailable, .. }) => {}
            Err(refusal) => panic!("{refusal:?}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the door of {} did not open in ten seconds", ask.volume_id);
}

async fn release(cloud: &Cloud, server: &ServerId, ask: &VolumeAsk, and_delete: bool) {
    for _ in 0..1000 {
        match cloud.room.release(server, ask, and_delete).await {
            Ok(()) => return,
            Err(refusal) => assert_eq!(refusal.kind, RefusalKind::Unavailable, "{refusal:?}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the door of {} did not close in ten seconds", ask.volume_id);
}

#[tokio::test]
async fn a_server_gets_its_volume_and_gives_it_back() {
    let cloud = Cloud::new().await;
    let id = cloud.volume(1).await;
    let ask = plan(&cloud, VolumeWish::Volume(id.as_str().into())).await;
    let server = ServerId::generate();
    cloud.room.reserve(&project(), &server, &ask).await.unwrap();
    assert_eq!(cloud.show(&id).await["status"], "reserved");
    assert_eq!(ensure(&cloud, &server, "h2", &ask).await, Way::Here);
    cloud.room.plugged(&server, &ask, "/dev/vdb").await.unwrap();
    let shown = cloud.show(&id).await;
    assert_eq!((&shown["status"], &shown["attachments"][0]["device"]), (&json!("in-use"), &json!("/dev/vdb")));
    assert_eq!(shown["attachments"][0]["server_id"], server.as_str());
    // Neither its owner nor an API of ours takes it from a server that has it open.
    cloud.act(&id, json!({"os-detach": {}})).await.expect(409);
    cloud.admin().post(&format!("/volume/v3/volumes/{id}/action"), json!({"os-force_detach": {}})).await.expect(409);
    let attachment = shown["attachments"][0]["attachment_id"].as_str().unwrap();
    cloud.member().delete(&format!("/volume/v3/attachments/{attachment}")).await.expect(409);
    cloud.member().delete(&format!("/volume/v3/volumes/{id}")).await.expect(400);
    cloud.room.unplugging(&server, &ask).await.unwrap();
    assert_eq!(cloud.show(&id).await["status"], "detaching");
    release(&cloud, &server, &ask, false).await;
    release(&cloud, &server, &ask, false).await;
    assert_eq!(cloud.show(&id).await["status"], "available");
    assert!(cloud.far.rung.lock().unwrap().contains(&server));
}

#[tokio::test]
async fn a_volume_that_is_made_for_a_server_goes_with_it() {
    let cloud = Cloud::new().await;
    let from = VolumeSource::Image(far::IMAGE.into());
    let ask = plan(&cloud, VolumeWish::New { from, size: Some(4), volume_type: None }).await;
    assert!(ask.bootable && ask.size == 4 && ask.new.is_some());
    let server = ServerId::generate();
    let way = ensure(&cloud, &server, "h1", &ask).await;
    assert!(matches!(way, Way::Nbd { peer, .. } if peer == NodeId::new("h2")));
    let of = cloud.room.of_servers(std::slice::from_ref(&server)).await.unwrap();
    assert_eq!(of[&server][0].id, ask.volume_id);
    release(&cloud, &server, &ask, true).await;
    cloud.until(ask.volume_id.as_str(), "gone").await;
}

#[tokio::test]
async fn a_door_moves_only_when_it_was_closed() {
    let cloud = Cloud::new().await;
    let id = cloud.volume(1).await;
    let ask = plan(&cloud, VolumeWish::Volume(id.as_str().into())).await;
    let server = ServerId::generate();
    ensure(&cloud, &server, "h1", &ask).await;
    cloud.far.stuck.lock().unwrap().insert(VolumeId::new(id.as_str()));
    for _ in 0..20 {
        let refused = cloud.room.ensure(&project(), &server, &NodeId::new("h2"), &ask).await.unwrap_err();
        assert_eq!(refused.kind, RefusalKind::Unavailable);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    cloud.far.stuck.lock().unwrap().clear();
    assert_eq!(ensure(&cloud, &server, "h2", &ask).await, Way::Here);
    assert_eq!(*cloud.far.opened_twice.lock().unwrap(), []);
}

#[tokio::test]
async fn a_door_is_closed_by_word_on_the_latest_only() {
    let cloud = Cloud::new().await;
    let id = cloud.volume(1).await;
    let ask = plan(&cloud, VolumeWish::Volume(id.as_str().into())).await;
    let server = ServerId::generate();
    ensure(&cloud, &server, "h1", &ask).await;
    let old = far::observed(&ask.volume_id, Generation(1), VolumeState::Ready { size: 1 << 30 });
    cloud.far.report("h2", old).await;
    assert!(cloud.row(&id).await.door_found.is_some(), "a late report took the door for closed");
}

#[tokio::test]
async fn of_many_who_want_a_volume_one_gets_it() {
    let cloud = Cloud::new().await;
    let id = cloud.volume(1).await;
    let mut racing = Vec::new();
    for _ in 0..8 {
        let ask = plan(&cloud, VolumeWish::Volume(id.as_str().into())).await;
        let room = cloud.room.clone();
        racing.push(tokio::spawn(async move { room.reserve(&project(), &ServerId::generate(), &ask).await }));
    }
    let mut won = 0;
    for racer in racing {
        match racer.await.unwrap() {
            Ok(()) => won += 1,
            Err(refusal) => assert!(matches!(refusal.kind, RefusalKind::Conflict | RefusalKind::Unavailable), "{refusal:?}"),
        }
    }
    assert_eq!(won, 1);
}
