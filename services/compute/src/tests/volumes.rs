// SPDX-License-Identifier: Apache-2.0
//! Volumes that come to servers and go from them, and servers that boot from one.

use std::time::Duration;

use contracts::node::{DeviceId, Feature};
use serde_json::{Value, json};
use types::VolumeId;
use world::World;

use super::{
    Cloud, IMAGE, NETWORK,
    far::{ANOTHERS, DATA, Far, Manner, TAKEN},
    id_of,
    operations::outcome,
    server_with,
    snapshots::until_task,
};
use crate::Patience;

pub(super) const VOLUME: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const SECOND: &str = "aaaaaaaa-0000-4000-8000-000000000002";

fn of(first: &str) -> String {
    format!("{first}aaaaaa-0000-4000-8000-000000000001")
}

async fn with_server_of(patience: Patience, hosts: &[&str]) -> (Cloud, String, String) {
    let world = World::new(&[crate::ROOM.migrations(), placement::ROOM.migrations()]).await;
    let mut cloud = Cloud::over(world, Far::new(None, hosts), patience).await;
    cloud.wake();
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    let path = format!("/compute/v2.1/servers/{id}/os-volume_attachments");
    (cloud, id, path)
}

async fn attach(cloud: &Cloud, path: &str, volume: &str) -> Value {
    let body = json!({"volumeAttachment": {"volumeId": volume}});
    cloud.member().post(path, body).await.expect(200)["volumeAttachment"].clone()
}

/// What the volume room says of it, once it is this.
async fn until_state(cloud: &Cloud, volume: &str, state: &str) {
    for _ in 0..2000 {
        if cloud.far.volume(volume).is_some_and(|volume| volume.state == state) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{volume} is not {state}: {:?}", cloud.far.volume(volume));
}

async fn until(holds: impl Fn() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it came to nothing");
}

fn has(cloud: &Cloud, id: &str, volume: &str) -> bool {
    cloud.far.nics(id).contains(&DeviceId::disk(&VolumeId::new(volume)))
}

async fn act(cloud: &Cloud, id: &str, wish: Value, status: &str) {
    let done = cloud.member().post(&format!("/compute/v2.1/servers/{id}/action"), wish).await;
    assert!(done.status.is_success(), "{}", done.body);
    cloud.until(id, status).await;
    until_task(cloud, id, Value::Null).await;
}

async fn end(cloud: &Cloud, id: &str) {
    cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
    cloud.until_gone(id).await;
    assert!(cloud.far.volumes().values().all(|volume| volume.server.is_none()), "{:?}", cloud.far.volumes());
    cloud.assert_clean().await;
}

#[tokio::test]
async fn a_volume_comes_and_goes_whether_a_server_runs_is_paused_or_stopped() {
    let (cloud, id, path) = with_server_of(Patience::default(), &["h1"]).await;
    for (wish, status) in [
        (None, "ACTIVE"),
        (Some(json!({"pause": null})), "PAUSED"),
        (Some(json!({"unpause": null})), "ACTIVE"),
        (Some(json!({"os-stop": null})), "SHUTOFF"),
    ] {
        if let Some(wish) = wish {
            act(&cloud, &id, wish, status).await;
        }
        let made = attach(&cloud, &path, VOLUME).await;
        assert_eq!((&made["device"], &made["volumeId"], &made["id"]), (&json!("/dev/vdb"), &json!(VOLUME), &json!(VOLUME)));
        until_state(&cloud, VOLUME, "in-use").await;
        until_task(&cloud, &id, Value::Null).await;
        assert!(has(&cloud, &id, VOLUME));
        let shown = cloud.until(&id, status).await["os-extended-volumes:volumes_attached"].clone();
        assert_eq!(shown, json!([{"id": VOLUME, "delete_on_termination": false}]));
        assert_eq!(outcome(&cloud, &id, "attach_volume").await.0, "Success");

        cloud.member().delete(&format!("{path}/{VOLUME}")).await.expect(202);
        until_state(&cloud, VOLUME, "available").await;
        until_task(&cloud, &id, Value::Null).await;
        assert!(!has(&cloud, &id, VOLUME));
        assert_eq!(outcome(&cloud, &id, "detach_volume").await.0, "Success");
        cloud.member().get(&format!("{path}/{VOLUME}")).await.expect(404);
    }
    end(&cloud, &id).await;
}

#[tokio::test]
async fn an_attachment_is_told_as_each_version_has_it() {
    let (cloud, id, path) = with_server_of(Patience::default(), &["h1"]).await;
    let body =
        json!({"volumeAttachment": {"volumeId": VOLUME, "tag": "data", "delete_on_termination": true, "device": "/dev/sdb"}});
    let made = cloud.member().post(&path, body).await.expect(200)["volumeAttachment"].clone();
    assert_eq!(
        made,
        json!({"id": VOLUME, "serverId": id, "volumeId": VOLUME, "device": "/dev/vdb", "tag": "data", "delete_on_termination": true})
    );
    until_task(&cloud, &id, Value::Null).await;
    let keys = |view: &Value| {
        let mut keys: Vec<String> = view.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys.join(" ")
    };
    for (version, expected) in [
        ("2.1", "device id serverId volumeId"),
        ("2.70", "device id serverId tag volumeId"),
        ("2.79", "delete_on_termination device id serverId tag volumeId"),
        ("2.89", "attachment_id bdm_uuid delete_on_termination device serverId tag volumeId"),
    ] {
        let talk = cloud.member().version(&format!("compute {version}"));
        let one = talk.get(&format!("{path}/{VOLUME}")).await.expect(200)["volumeAttachment"].clone();
        assert_eq!(keys(&one), expected, "{version}");
        let list = talk.get(&path).await.expect(200)["volumeAttachments"].clone();
        assert_eq!(list, json!([one]), "{version}");
        assert_eq!(talk.get(&format!("{path}?offset=1")).await.expect(200)["volumeAttachments"], json!([]));
    }
    let early = cloud.member().version("compute 2.1").get(&format!("/compute/v2.1/servers/{id}")).await.expect(200);
    assert_eq!(early["server"]["os-extended-volumes:volumes_attached"], json!([{"id": VOLUME}]));

    let one = format!("{path}/{VOLUME}");
    let put = async |version: &str, body: Value, status: u16| {
        let talk = cloud.member().version(&format!("compute {version}"));
        talk.put(&one, json!({"volumeAttachment": body})).await.expect(status);
    };
    put("2.84", json!({"volumeId": VOLUME, "delete_on_termination": false}), 400).await;
    put("2.84", json!({"volumeId": VOLUME}), 409).await;
    put("2.85", json!({"volumeId": SECOND}), 409).await;
    put("2.85", json!({"volumeId": VOLUME, "device": "/dev/vdz"}), 400).await;
    put(
        "2.85",
        json!({"volumeId": VOLUME, "tag": "data", "serverId": id, "device": "/dev/vdb", "delete_on_termination": false}),
        202,
    )
    .await;
    let shown = cloud.member().get(&one).await.expect(200)["volumeAttachment"]["delete_on_termination"].clone();
    assert_eq!(shown, false);
    put("2.85", json!({"volumeId": VOLUME, "delete_on_termination": true}), 202).await;
    cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
    cloud.until_gone(&id).await;
    assert_eq!(cloud.far.volume(VOLUME), None, "it went with its server");
    cloud.assert_clean().await;
}

#[tokio::test]
async fn an_attachment_is_asked_for_as_nova_has_it() {
    let (cloud, id, path) = with_server_of(Patience::default(), &["h1"]).await;
    let asks =
        async |body: Value, status: u16| cloud.member().post(&path, json!({"volumeAttachment": body})).await.expect(status);
    for body in [
        json!({}),
        json!({"volumeId": "disk"}),
        json!({"volumeId": VOLUME, "device": "/dev/../x"}),
        json!({"volumeId": VOLUME, "tag": "a,b"}),
        json!({"volumeId": VOLUME, "delete_on_termination": "perhaps"}),
        json!({"volumeId": VOLUME, "name": "data"}),
        json!({"volumeId": of(TAKEN)}),
    ] {
        asks(body, 400).await;
    }
    cloud
        .member()
        .version("compute 2.48")
        .post(&path, json!({"volumeAttachment": {"volumeId": VOLUME, "tag": "a"}}))
        .await
        .expect(400);
    asks(json!({"volumeId": of(ANOTHERS)}), 404).await;
    cloud.member().delete(&format!("{path}/{VOLUME}")).await.expect(404);
    for other in [cloud.talk.as_("member@p2"), cloud.talk.as_("reader@p1")] {
        let status = other.post(&path, json!({"volumeAttachment": {"volumeId": VOLUME}})).await.status;
        assert!(status == 404 || status == 403, "{status}");
    }
    attach(&cloud, &path, VOLUME).await;
    // What follows at once waits for the first, as it would not have to with Nova.
    attach(&cloud, &path, SECOND).await;
    asks(json!({"volumeId": VOLUME}), 400).await;
    until_state(&cloud, SECOND, "in-use").await;
    let other = cloud.create("other").await;
    cloud.until(&other, "ACTIVE").await;
    let others = format!("/compute/v2.1/servers/{other}/os-volume_attachments");
    cloud.member().post(&others, json!({"volumeAttachment": {"volumeId": VOLUME}})).await.expect(400);
    cloud.member().delete(&format!("/compute/v2.1/servers/{other}")).await.expect(204);
    cloud.until_gone(&other).await;
    cloud.far.forget("h1", Feature::HotPlug);
    cloud.member().delete(&format!("{path}/{SECOND}")).await.expect(409);
    cloud.far.forget("h1", Feature::Volumes);
    asks(json!({"volumeId": of("bb")}), 409).await;
    end(&cloud, &id).await;
}

#[tokio::test]
async fn a_volume_that_cannot_be_plugged_in_is_free_again() {
    let (cloud, id, path) = with_server_of(Patience::default(), &["h1"]).await;
    cloud.far.set_manner("h1", Manner::CannotPlug("no slot is free".to_owned()));
    attach(&cloud, &path, VOLUME).await;
    until_state(&cloud, VOLUME, "available").await;
    until_task(&cloud, &id, Value::Null).await;
    assert_eq!(outcome(&cloud, &id, "attach_volume").await, (json!("Error"), json!("no slot is free")));
    assert_eq!(cloud.member().get(&path).await.expect(200)["volumeAttachments"], json!([]));
    end(&cloud, &id).await;
}

#[tokio::test]
async fn a_volume_that_its_guest_keeps_stays_attached_until_the_server_is_stopped() {
    let short = Patience { guest: Duration::from_secs(2), ..Patience::default() };
    let (cloud, id, path) = with_server_of(short, &["h1"]).await;
    attach(&cloud, &path, VOLUME).await;
    until_state(&cloud, VOLUME, "in-use").await;
    until_task(&cloud, &id, Value::Null).await;
    cloud.far.set_manner("h1", Manner::KeepsCards);
    cloud.member().delete(&format!("{path}/{VOLUME}")).await.expect(202);
    until_state(&cloud, VOLUME, "detaching").await;
    until_state(&cloud, VOLUME, "in-use").await;
    until_task(&cloud, &id, Value::Null).await;
    let (result, message) = outcome(&cloud, &id, "detach_volume").await;
    assert_eq!(result, "Error");
    assert!(message.as_str().unwrap().contains("stays attached"), "{message}");
    act(&cloud, &id, json!({"os-stop": null}), "SHUTOFF").await;
    cloud.member().delete(&format!("{path}/{VOLUME}")).await.expect(202);
    until_state(&cloud, VOLUME, "available").await;
    end(&cloud, &id).await;
}

#[tokio::test]
async fn a_server_that_moves_takes_its_volumes_along_and_back() {
    let (cloud, id, path) = with_server_of(Patience::default(), &["h1", "h2"]).await;
    attach(&cloud, &path, VOLUME).await;
    until_state(&cloud, VOLUME, "in-use").await;
    until_task(&cloud, &id, Value::Null).await;
    let node = || cloud.far.volume(VOLUME).unwrap().node;
    let first = node();
    act(&cloud, &id, json!({"resize": {"flavorRef": "m1.small"}}), "VERIFY_RESIZE").await;
    assert_ne!(node(), first);
    act(&cloud, &id, json!({"revertResize": null}), "ACTIVE").await;
    assert_eq!(node(), first);
    act(&cloud, &id, json!({"resize": {"flavorRef": "m1.small"}}), "VERIFY_RESIZE").await;
    act(&cloud, &id, json!({"confirmResize": null}), "ACTIVE").await;
    assert!(node() != first && has(&cloud, &id, VOLUME));
    // And a volume that grows, grows in its machine.
    cloud.far.extend(VOLUME, 7);
    for _ in 0..500 {
        if disk_size(&cloud, VOLUME).await == 7 << 30 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(disk_size(&cloud, VOLUME).await, 7 << 30);
    end(&cloud, &id).await;
}

/// As the hosts are told.
async fn disk_size(cloud: &Cloud, volume: &str) -> u64 {
    let mut size = 0;
    for node in cloud.far.hosts() {
        for device in cloud.wanted(&node).await.into_iter().flat_map(|machine| machine.devices) {
            if let contracts::node::Device::Disk(disk) = device
                && disk.volume_id.as_str() == volume
            {
                size = disk.size;
            }
        }
    }
    size
}

/// A server that boots from a volume and has another, which both go with it.
pub(super) fn with_a_root_and_data() -> Value {
    let made = |source: Value| {
        let mut device = json!({"destination_type": "volume", "volume_size": 1, "delete_on_termination": true});
        device.as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
        device
    };
    booting(json!([made(json!({"source_type": "image", "uuid": IMAGE, "boot_index": 0})), made(json!({"source_type": "blank"}))]))
}

fn booting(devices: Value) -> Value {
    let mut body = server_with("block_device_mapping_v2", devices);
    body["server"].as_object_mut().unwrap().remove("imageRef");
    body
}

#[tokio::test]
async fn a_server_boots_from_a_volume_of_each_kind_and_gives_it_back() {
    let cloud = Cloud::with_hosts(&["h1", "h2"]).await;
    let root = |source: Value| {
        let mut device = json!({"boot_index": 0, "destination_type": "volume", "delete_on_termination": true});
        device.as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
        json!([device, {"source_type": "blank", "destination_type": "volume", "volume_size": 2, "boot_index": -1, "tag": "data"}])
    };
    for source in [
        json!({"source_type": "volume", "uuid": VOLUME}),
        json!({"source_type": "image", "uuid": IMAGE, "volume_size": "3"}),
        json!({"source_type": "snapshot", "uuid": SECOND}),
    ] {
        let made = cloud.member().post("/compute/v2.1/servers", booting(root(source))).await.expect(202);
        let id = id_of(made);
        let shown = cloud.until(&id, "ACTIVE").await;
        assert_eq!((&shown["image"], shown["os-extended-volumes:volumes_attached"].as_array().unwrap().len()), (&json!(""), 2));
        let all = cloud.member().get(&format!("/compute/v2.1/servers/{id}/os-volume_attachments")).await.expect(200);
        let devices: Vec<&str> =
            all["volumeAttachments"].as_array().unwrap().iter().map(|one| one["device"].as_str().unwrap()).collect();
        assert_eq!(devices, ["/dev/vda", "/dev/vdb"]);
        assert!(cloud.far.volumes().values().filter(|volume| volume.server.is_some()).all(|volume| volume.state == "in-use"));
        let boots = all["volumeAttachments"][0]["volumeId"].as_str().unwrap().to_owned();
        let one = format!("/compute/v2.1/servers/{id}/os-volume_attachments/{boots}");
        cloud.member().delete(&one).await.expect(403);
        let action = format!("/compute/v2.1/servers/{id}/action");
        for refused in [json!({"rebuild": {"imageRef": IMAGE}}), json!({"rescue": null}), json!({"createImage": {"name": "no"}})]
        {
            cloud.member().post(&action, refused).await.expect(400);
        }
        act(&cloud, &id, json!({"resize": {"flavorRef": "m1.small"}}), "VERIFY_RESIZE").await;
        act(&cloud, &id, json!({"confirmResize": null}), "ACTIVE").await;
        let data = all["volumeAttachments"][1]["volumeId"].as_str().unwrap().to_owned();
        end(&cloud, &id).await;
        assert_eq!(cloud.far.volume(&boots), None, "it shall go with its server");
        assert_eq!(cloud.far.volume(&data).unwrap().state, "available");
    }
}

#[tokio::test]
async fn disks_of_a_new_server_are_asked_for_as_nova_has_it() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let volume = |boot: Value| json!({"source_type": "volume", "destination_type": "volume", "uuid": VOLUME, "boot_index": boot});
    let blank = json!({"source_type": "blank", "destination_type": "volume", "boot_index": null});
    for body in [
        booting(json!([])),
        booting(json!([volume(json!(null))])),
        booting(json!([volume(json!(1)), volume(json!(0)), volume(json!(3))])),
        booting(json!([{"source_type": "volume", "destination_type": "local", "uuid": VOLUME, "boot_index": 0}])),
        booting(json!([{"source_type": "volume", "destination_type": "volume", "boot_index": 0}])),
        booting(json!([{"source_type": "image", "destination_type": "volume", "uuid": IMAGE, "boot_index": 0}])),
        booting(json!([{"source_type": "nothing", "destination_type": "volume", "uuid": IMAGE, "boot_index": 0}])),
        booting(json!([{"source_type": "volume", "destination_type": "volume", "uuid": of(DATA), "boot_index": 0}])),
        booting(json!([{"source_type": "volume", "destination_type": "volume", "uuid": of(TAKEN), "boot_index": 0}])),
        booting(json!([{"source_type": "volume", "destination_type": "volume", "uuid": of(ANOTHERS), "boot_index": 0}])),
        server_with("block_device_mapping_v2", json!([volume(json!(0))])),
        server_with("block_device_mapping_v2", json!([blank])),
        server_with("block_device_mapping_v2", json!([{"source_type": "blank", "destination_type": "local", "boot_index": -1}])),
        server_with(
            "block_device_mapping_v2",
            json!([{"source_type": "blank", "destination_type": "volume", "volume_size": 1, "name": "x"}]),
        ),
        server_with("block_device_mapping", json!([{"volume_size": 1}])),
    ] {
        cloud.member().post("/compute/v2.1/servers", body.clone()).await.expect(400);
    }
    let mut two = server_with("block_device_mapping_v2", json!([volume(json!(null))]));
    two["server"]["max_count"] = json!(2);
    cloud.member().post("/compute/v2.1/servers", two).await.expect(400);

    // Beside the image, in the older words, and of several servers each its own.
    let older =
        server_with("block_device_mapping", json!([{"device_name": "vdb", "volume_id": VOLUME, "delete_on_termination": "1"}]));
    let id = id_of(cloud.member().post("/compute/v2.1/servers", older).await.expect(202));
    cloud.until(&id, "ACTIVE").await;
    assert!(has(&cloud, &id, VOLUME));
    end(&cloud, &id).await;
    assert_eq!(cloud.far.volume(VOLUME), None);
    let mut several = server_with(
        "block_device_mapping_v2",
        json!([{"source_type": "blank", "destination_type": "volume", "volume_size": 1, "delete_on_termination": true}]),
    );
    several["server"]["max_count"] = json!(2);
    several["server"]["networks"] = json!([{"uuid": NETWORK}]);
    cloud.member().post("/compute/v2.1/servers", several).await.expect(202);
    let list = cloud.member().get("/compute/v2.1/servers").await.expect(200)["servers"].as_array().unwrap().clone();
    for one in &list {
        cloud.until(one["id"].as_str().unwrap(), "ACTIVE").await;
    }
    assert_eq!((list.len(), cloud.far.volumes().len()), (2, 2));
    for one in &list {
        let path = format!("/compute/v2.1/servers/{}", one["id"].as_str().unwrap());
        cloud.member().delete(&path).await.expect(204);
        cloud.until_gone(one["id"].as_str().unwrap()).await;
    }
    assert_eq!(cloud.far.volumes().len(), 0);
    cloud.assert_clean().await;
}

#[tokio::test]
async fn what_was_brought_to_a_server_that_never_ran_stays() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    cloud.far.set_manner("h1", Manner::Fails("the disk is full".to_owned()));
    let goes = |mut device: Value| {
        device
            .as_object_mut()
            .unwrap()
            .extend([("destination_type".to_owned(), json!("volume")), ("delete_on_termination".to_owned(), json!(true))]);
        device
    };
    let brought = goes(json!({"source_type": "volume", "uuid": VOLUME, "boot_index": 0}));
    let made = goes(json!({"source_type": "blank", "volume_size": 1}));
    let body = booting(json!([brought, made]));
    let id = id_of(cloud.member().post("/compute/v2.1/servers", body).await.expect(202));
    cloud.until(&id, "ERROR").await;
    until_task(&cloud, &id, Value::Null).await;
    // They are given up after it is said that there will be no server.
    until_state(&cloud, VOLUME, "available").await;
    until(|| cloud.far.volumes().len() == 1).await;
    assert!(cloud.far.volume(VOLUME).is_some());
    end(&cloud, &id).await;
    assert!(cloud.far.volume(VOLUME).is_some());
}
