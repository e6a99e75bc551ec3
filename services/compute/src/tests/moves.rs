// SPDX-License-Identifier: Apache-2.0
//! Pause, rescue, resize and migration, as their user and their hosts see them.

use std::time::Duration;

use contracts::placement::Placement as _;
use serde_json::{Value, json};
use types::{AllocationConsumer, ProviderId};
use world::World;

use super::{
    Cloud, IMAGE,
    far::{Far, Manner, node_id},
    operations::outcome,
    snapshots::until_task,
};
use crate::Patience;

async fn active(hosts: &[&str]) -> (Cloud, String) {
    let cloud = Cloud::with_hosts(hosts).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    (cloud, id)
}

async fn act(cloud: &Cloud, id: &str, wish: Value) -> world::Said {
    cloud.admin().post(&format!("/compute/v2.1/servers/{id}/action"), wish).await
}

fn resize() -> Value {
    json!({"resize": {"flavorRef": "m1.small"}})
}

async fn delete(cloud: &Cloud, id: &str) {
    cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
    cloud.until_gone(id).await;
    cloud.assert_clean().await;
}

/// Where room is held for a consumer.
async fn held(cloud: &Cloud, consumer: &str) -> Option<ProviderId> {
    cloud.placement.held(&AllocationConsumer::new(consumer)).await.unwrap()
}

#[tokio::test]
async fn a_paused_server_stands_still_until_it_goes_on() {
    let (cloud, id) = active(&["h1"]).await;
    act(&cloud, &id, json!({"unpause": null})).await.expect(409);
    act(&cloud, &id, json!({"pause": null})).await.expect(202);
    let shown = cloud.until(&id, "PAUSED").await;
    assert_eq!(
        (&shown["OS-EXT-STS:vm_state"], &shown["OS-EXT-STS:power_state"], &shown["OS-EXT-STS:task_state"]),
        (&json!("paused"), &json!(3), &Value::Null)
    );
    assert_eq!(cloud.far.places(&id), ["h1 paused 512"]);
    for refused in [json!({"pause": null}), json!({"os-stop": null}), json!({"rescue": null}), resize()] {
        act(&cloud, &id, refused.clone()).await.expect(409);
    }
    act(&cloud, &id, json!({"unpause": null})).await.expect(202);
    cloud.until(&id, "ACTIVE").await;
    // A hard reboot leads out of it, too.
    act(&cloud, &id, json!({"pause": null})).await.expect(202);
    cloud.until(&id, "PAUSED").await;
    act(&cloud, &id, json!({"reboot": {"type": "HARD"}})).await.expect(202);
    cloud.until(&id, "ACTIVE").await;
    assert_eq!(outcome(&cloud, &id, "pause").await.0, "Success");
    delete(&cloud, &id).await;
}

#[tokio::test]
async fn a_rescued_server_boots_from_another_image_until_its_owner_is_done() {
    let (cloud, id) = active(&["h1"]).await;
    let taken = json!({"rescue": {"rescue_image_ref": "99999999-9999-4999-8999-999999999999"}});
    let said = act(&cloud, &id, taken).await.expect(400);
    assert!(said["badRequest"]["message"].as_str().unwrap().starts_with("Requested rescue image"), "{said}");
    act(&cloud, &id, json!({"rescue": {"rescue_image_ref": "none"}})).await.expect(400);
    act(&cloud, &id, json!({"rescue": {"what": 1}})).await.expect(400);
    let said = act(&cloud, &id, json!({"rescue": {"adminPass": "open sesame", "rescue_image_ref": IMAGE}})).await.expect(200);
    assert_eq!(said, json!({"adminPass": "open sesame"}));
    let shown = cloud.until(&id, "RESCUE").await;
    assert_eq!((&shown["OS-EXT-STS:vm_state"], &shown["OS-EXT-STS:task_state"]), (&json!("rescued"), &Value::Null));
    assert_eq!(cloud.far.places(&id), ["h1 rescued 512"]);
    let told = cloud.wanted(&node_id("h1")).await.remove(0);
    assert_eq!((told.rescue().unwrap().image_id.as_str(), told.root().is_some()), (IMAGE, true));
    assert_eq!(told.metadata.admin_password.unwrap().reveal(), "open sesame");
    for refused in
        [json!({"rescue": null}), json!({"reboot": {"type": "HARD"}}), json!({"os-stop": null}), json!({"pause": null})]
    {
        act(&cloud, &id, refused.clone()).await.expect(409);
    }
    act(&cloud, &id, json!({"unrescue": null})).await.expect(202);
    cloud.until(&id, "ACTIVE").await;
    assert_eq!(cloud.far.places(&id), ["h1 runs 512"]);
    assert_eq!(
        (outcome(&cloud, &id, "rescue").await.0, outcome(&cloud, &id, "unrescue").await.0),
        (json!("Success"), json!("Success"))
    );
    act(&cloud, &id, json!({"unrescue": null})).await.expect(409);

    // One that is off, with a password of our making, and gone from there.
    act(&cloud, &id, json!({"os-stop": null})).await.expect(202);
    cloud.until(&id, "SHUTOFF").await;
    let said = act(&cloud, &id, json!({"rescue": null})).await.expect(200);
    assert_eq!(said["adminPass"].as_str().unwrap().len(), 12);
    cloud.until(&id, "RESCUE").await;
    delete(&cloud, &id).await;
}

#[tokio::test]
async fn a_resized_server_moves_and_is_confirmed() {
    let (cloud, id) = active(&["h1", "h2"]).await;
    let from = cloud.until(&id, "ACTIVE").await["OS-EXT-SRV-ATTR:host"].as_str().unwrap().to_owned();
    let to = if from == "h1" { "h2" } else { "h1" };
    act(&cloud, &id, resize()).await.expect(202);
    let shown = cloud.until(&id, "VERIFY_RESIZE").await;
    assert_eq!(
        (&shown["OS-EXT-STS:vm_state"], &shown["OS-EXT-STS:task_state"], &shown["OS-EXT-STS:power_state"]),
        (&json!("resized"), &Value::Null, &json!(1))
    );
    assert_eq!((&shown["OS-EXT-SRV-ATTR:host"], &shown["flavor"]["original_name"]), (&json!(to), &json!("m1.small")));
    let mut places = cloud.far.places(&id);
    places.sort_by_key(|place| place.contains("keeps"));
    assert_eq!(places, [format!("{to} runs 2048"), format!("{from} keeps 512")]);
    assert_eq!(outcome(&cloud, &id, "resize").await.0, "Success");
    // Room is held on both sides: the server's own on the target, the source's under the name of the move.
    assert_eq!(held(&cloud, &id).await.unwrap().as_str(), node_id(to).as_str());
    let consumers = cloud.placement.consumers().await.unwrap();
    let other = consumers.iter().find(|consumer| consumer.as_str() != id).unwrap();
    assert_eq!(held(&cloud, other.as_str()).await.unwrap().as_str(), node_id(&from).as_str());
    assert_eq!(contracts::audit::Audit::audit(&*cloud.compute).await.unwrap(), []);
    act(&cloud, &id, resize()).await.expect(409);
    act(&cloud, &id, json!({"os-stop": null})).await.expect(409);

    act(&cloud, &id, json!({"confirmResize": null})).await.expect(204);
    cloud.until(&id, "ACTIVE").await;
    assert_eq!(cloud.far.places(&id), [format!("{to} runs 2048")]);
    assert_eq!(cloud.placement.consumers().await.unwrap().len(), 1);
    assert_eq!(outcome(&cloud, &id, "confirmResize").await.0, "Success");
    act(&cloud, &id, json!({"confirmResize": null})).await.expect(409);
    delete(&cloud, &id).await;
}

#[tokio::test]
async fn a_resized_server_goes_back() {
    for hosts in [&["h1", "h2"][..], &["h1"][..]] {
        let (cloud, id) = active(hosts).await;
        act(&cloud, &id, json!({"os-stop": null})).await.expect(202);
        let host = cloud.until(&id, "SHUTOFF").await["OS-EXT-SRV-ATTR:host"].clone();
        act(&cloud, &id, resize()).await.expect(202);
        let shown = cloud.until(&id, "VERIFY_RESIZE").await;
        assert_eq!(shown["OS-EXT-STS:power_state"], 4, "what was off stays off");
        act(&cloud, &id, json!({"revertResize": null})).await.expect(202);
        let shown = cloud.until(&id, "SHUTOFF").await;
        assert_eq!((&shown["OS-EXT-SRV-ATTR:host"], &shown["flavor"]["original_name"]), (&host, &json!("m1.tiny")));
        assert_eq!(cloud.far.places(&id).len(), 1);
        assert_eq!(outcome(&cloud, &id, "revertResize").await.0, "Success");
        act(&cloud, &id, json!({"os-start": null})).await.expect(202);
        cloud.until(&id, "ACTIVE").await;
        assert_eq!(cloud.far.places(&id), [format!("{} runs 512", host.as_str().unwrap())]);
        delete(&cloud, &id).await;
    }
}

#[tokio::test]
async fn a_server_without_another_host_is_resized_where_it_is() {
    let (cloud, id) = active(&["h1"]).await;
    act(&cloud, &id, resize()).await.expect(202);
    cloud.until(&id, "VERIFY_RESIZE").await;
    assert_eq!(cloud.far.places(&id), ["h1 runs 2048 with a copy"]);
    act(&cloud, &id, json!({"revertResize": null})).await.expect(202);
    cloud.until(&id, "ACTIVE").await;
    assert_eq!(cloud.wanted(&node_id("h1")).await[0].kept, None);
    act(&cloud, &id, resize()).await.expect(202);
    cloud.until(&id, "VERIFY_RESIZE").await;
    act(&cloud, &id, json!({"confirmResize": null})).await.expect(204);
    cloud.until(&id, "ACTIVE").await;
    assert_eq!(cloud.wanted(&node_id("h1")).await[0].kept, None);
    // There is no second host to which it could move.
    act(&cloud, &id, json!({"migrate": null})).await.expect(202);
    until_task(&cloud, &id, Value::Null).await;
    assert_eq!(outcome(&cloud, &id, "migrate").await.0, "Error");
    cloud.until(&id, "ACTIVE").await;
    delete(&cloud, &id).await;
}

#[tokio::test]
async fn a_resize_that_comes_to_nothing_leaves_the_server_as_it_was() {
    let (cloud, id) = active(&["h1", "h2"]).await;
    let from = cloud.until(&id, "ACTIVE").await["OS-EXT-SRV-ATTR:host"].as_str().unwrap().to_owned();
    let to = if from == "h1" { "h2" } else { "h1" };
    cloud.far.set_manner(to, Manner::Fails("the disk is full".to_owned()));
    act(&cloud, &id, resize()).await.expect(202);
    until_task(&cloud, &id, Value::Null).await;
    let shown = cloud.until(&id, "ACTIVE").await;
    assert_eq!((&shown["OS-EXT-SRV-ATTR:host"], &shown["flavor"]["original_name"]), (&json!(from), &json!("m1.tiny")));
    assert_eq!(cloud.far.places(&id), [format!("{from} runs 512")]);
    assert_eq!(outcome(&cloud, &id, "resize").await, (json!("Error"), json!("the disk is full")));
    assert_eq!(cloud.placement.consumers().await.unwrap().len(), 1);

    // Nowhere is so much room.
    let huge = json!({"flavor": {"name": "huge", "vcpus": 8, "ram": 8192, "disk": 9000}});
    let huge = cloud.admin().post("/compute/v2.1/flavors", huge).await.expect(200)["flavor"]["id"].clone();
    act(&cloud, &id, json!({"resize": {"flavorRef": huge}})).await.expect(202);
    until_task(&cloud, &id, Value::Null).await;
    let (result, message) = outcome(&cloud, &id, "resize").await;
    assert_eq!(result, "Error");
    // Neither where it is nor elsewhere, and for the same reason.
    assert!(message.as_str().unwrap().ends_with("2 hosts: 2 lack DISK_GB (needs 9000)."), "{message}");
    assert_eq!(held(&cloud, &id).await.unwrap().as_str(), node_id(&from).as_str());
    assert_eq!(cloud.far.places(&id), [format!("{from} runs 512")]);
    delete(&cloud, &id).await;
}

#[tokio::test]
async fn a_resize_whose_target_falls_silent_is_given_up_in_time() {
    let world = World::new(&[crate::ROOM.migrations(), placement::ROOM.migrations()]).await;
    let patience = Patience { transfer: Duration::from_millis(500), ..Patience::default() };
    let mut cloud = Cloud::over(world, Far::new(None, &["h1", "h2"]), patience).await;
    cloud.wake();
    let id = cloud.create("web").await;
    let from = cloud.until(&id, "ACTIVE").await["OS-EXT-SRV-ATTR:host"].as_str().unwrap().to_owned();
    let to = if from == "h1" { "h2" } else { "h1" };
    cloud.far.set_manner(to, Manner::Sleeps);
    act(&cloud, &id, resize()).await.expect(202);
    until_task(&cloud, &id, json!("resize_migrating")).await;
    let given_up = async {
        while outcome(&cloud, &id, "resize").await.0 != "Error" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), given_up).await.expect("it is given up");
    cloud.far.set_manner(to, Manner::Works);
    cloud.far.bring_back(to);
    until_task(&cloud, &id, Value::Null).await;
    cloud.until(&id, "ACTIVE").await;
    assert_eq!(cloud.far.places(&id), [format!("{from} runs 512")]);
    assert!(outcome(&cloud, &id, "resize").await.1.as_str().unwrap().starts_with("It was not done within"));
    delete(&cloud, &id).await;
}

#[tokio::test]
async fn a_server_moves_to_the_host_that_the_operator_chose_and_goes_from_there() {
    let (cloud, id) = active(&["h1", "h2", "h3"]).await;
    let from = cloud.until(&id, "ACTIVE").await["OS-EXT-SRV-ATTR:host"].as_str().unwrap().to_owned();
    let to = if from == "h3" { "h1" } else { "h3" };
    let member = cloud.member();
    member.post(&format!("/compute/v2.1/servers/{id}/action"), json!({"migrate": null})).await.expect(403);
    act(&cloud, &id, json!({"migrate": {"host": from}})).await.expect(400);
    act(&cloud, &id, json!({"migrate": {"host": "h9"}})).await.expect(400);
    act(&cloud, &id, json!({"migrate": {"host": to}})).await.expect(202);
    assert_eq!(cloud.until(&id, "VERIFY_RESIZE").await["OS-EXT-SRV-ATTR:host"], to);
    // With both sides held.
    delete(&cloud, &id).await;
}

#[tokio::test]
async fn resizes_that_cannot_be_are_refused() {
    let (cloud, id) = active(&["h1"]).await;
    let flavor = async |name: &str, vcpus: u32, ram: u32, disk: u32| {
        let body = json!({"flavor": {"name": name, "vcpus": vcpus, "ram": ram, "disk": disk}});
        cloud.admin().post("/compute/v2.1/flavors", body).await.expect(200)["flavor"]["id"].clone()
    };
    let (no_disk, small, wide) =
        (flavor("no disk", 1, 512, 0).await, flavor("small", 1, 32, 1).await, flavor("wide", 30, 512, 1).await);
    for (flavor, status) in
        [(json!("m1.tiny"), 400), (json!("none"), 400), (json!(""), 400), (no_disk, 400), (small, 400), (wide, 403)]
    {
        act(&cloud, &id, json!({"resize": {"flavorRef": flavor}})).await.expect(status);
    }
    act(&cloud, &id, json!({"resize": {}})).await.expect(400);
    act(&cloud, &id, json!({"resize": {"flavorRef": "m1.small", "what": 1}})).await.expect(400);
    act(&cloud, &id, json!({"revertResize": null})).await.expect(409);
    cloud.until(&id, "ACTIVE").await;
    // It grew, and a disk does not shrink.
    act(&cloud, &id, resize()).await.expect(202);
    cloud.until(&id, "VERIFY_RESIZE").await;
    act(&cloud, &id, json!({"confirmResize": null})).await.expect(204);
    cloud.until(&id, "ACTIVE").await;
    act(&cloud, &id, json!({"resize": {"flavorRef": "m1.tiny"}})).await.expect(400);
    delete(&cloud, &id).await;
}
