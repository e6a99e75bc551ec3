// SPDX-License-Identifier: Apache-2.0
//! The cloud is killed at each crash point of a server's life, in a process of its own, and started again over the
//! same database and the same far side.

use std::{path::Path, process::Command, time::Duration};

use serde_json::{Value, json};
use store::Store;
use world::World;

use super::{
    Cloud,
    far::{Far, Manner},
    server,
    snapshots::until_task,
};
use crate::{CRASH_POINTS, Patience};

const FOLDER: &str = "COMPUTE_CRASH_FOLDER";
const DATABASE: &str = "COMPUTE_CRASH_DATABASE";
/// With it the first host fails all servers, so that they move to the second.
const MOVES: &str = "COMPUTE_CRASH_MOVES";
const STAYS: &str = "COMPUTE_CRASH_STAYS";
/// With it the server is paused, rescued and resized, or goes on alone.
const CHANGES: &str = "COMPUTE_CRASH_CHANGES";
/// With it interfaces come to the server and go from it.
const INTERFACES: &str = "COMPUTE_CRASH_INTERFACES";
/// With it volumes come to the server and go from it, and it boots from one.
const VOLUMES: &str = "COMPUTE_CRASH_VOLUMES";
/// With it the server is made into images.
const SNAPSHOTS: &str = "COMPUTE_CRASH_SNAPSHOTS";

async fn cloud_in(folder: &Path, database: &str) -> Cloud {
    let store = Store::open(database).await.unwrap();
    store.migrate(&[crate::ROOM.migrations(), placement::ROOM.migrations()]).await.unwrap();
    let world = World { store, folder: tempfile::tempdir().unwrap() };
    let mut cloud = Cloud::over(world, Far::new(Some(folder.join("far.json")), &["h1", "h2"]), Patience::default()).await;
    cloud.wake();
    cloud
}

/// Waits until nothing is done to the server; false if it has gone.
async fn comes_to_rest(cloud: &Cloud, id: &str) -> bool {
    for _ in 0..1500 {
        let shown = cloud.admin().get(&format!("/compute/v2.1/servers/{id}")).await;
        if shown.status == 404 {
            return false;
        }
        if shown.expect(200)["server"]["OS-EXT-STS:task_state"].is_null() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("server {id} does not come to rest");
}

/// A whole life of a server. Under `FERROSTACK_CRASH` the process does not live to its end.
#[tokio::test]
#[ignore = "the sweep runs it in a process of its own"]
async fn a_life_in_a_process_of_its_own() {
    let (Ok(folder), Ok(database)) = (std::env::var(FOLDER), std::env::var(DATABASE)) else { return };
    let cloud = cloud_in(Path::new(&folder), &database).await;
    if std::env::var_os(MOVES).is_some() {
        cloud.far.set_manner("h1", Manner::Fails("no space left on device".to_owned()));
    }
    let wish = if std::env::var_os(VOLUMES).is_some() { super::volumes::with_a_root_and_data() } else { server("web") };
    let id = super::id_of(cloud.member().post("/compute/v2.1/servers", wish).await.expect(202));
    cloud.until(&id, "ACTIVE").await;
    if std::env::var_os(SNAPSHOTS).is_some() {
        take_snapshots(&cloud, &id).await;
    }
    if std::env::var_os(VOLUMES).is_some() {
        change_volumes(&cloud, &id).await;
    }
    if std::env::var_os(INTERFACES).is_some() {
        change_interfaces(&cloud, &id).await;
    }
    if std::env::var_os(CHANGES).is_some() {
        change_it(&cloud, &id).await;
    }
    cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
    cloud.until_gone(&id).await;
    // The last point lies after the last write that a client sees.
    tokio::time::sleep(Duration::from_secs(2)).await;
}

/// One comes, moves with its server and goes, and one comes to nothing.
async fn change_volumes(cloud: &Cloud, id: &str) {
    let path = format!("/compute/v2.1/servers/{id}");
    let volumes = format!("{path}/os-volume_attachments");
    let body = json!({"volumeAttachment": {"volumeId": super::volumes::VOLUME}});
    cloud.member().post(&volumes, body.clone()).await.expect(200);
    until_task(cloud, id, Value::Null).await;
    cloud.member().post(&format!("{path}/action"), json!({"resize": {"flavorRef": "m1.small"}})).await.expect(202);
    cloud.until(id, "VERIFY_RESIZE").await;
    cloud.member().post(&format!("{path}/action"), json!({"confirmResize": null})).await.expect(204);
    cloud.until(id, "ACTIVE").await;
    until_task(cloud, id, Value::Null).await;
    cloud.member().delete(&format!("{volumes}/{}", super::volumes::VOLUME)).await.expect(202);
    until_task(cloud, id, Value::Null).await;
    for host in ["h1", "h2"] {
        cloud.far.set_manner(host, Manner::CannotPlug("no slot is free".to_owned()));
    }
    cloud.member().post(&volumes, body).await.expect(200);
    until_task(cloud, id, Value::Null).await;
}

#[tokio::test]
async fn a_crash_while_volumes_come_and_go_leaves_none_half_way() {
    let points = crate::server::operation::volume::CRASH_POINTS.iter().map(|point| (*point).to_owned());
    let build =
        ["compute.server.recorded", "compute.server.volumes-opened", "compute.server.node-told", "compute.server.volumes-noted"];
    let moves = ["compute.resize.placed", "compute.resize.ports-moved", "compute.resize.moved"];
    let end = ["compute.server.volumes-released"];
    let recorded = (1..=4).map(|time| format!("compute.operation.recorded:{time}"));
    for point in points.chain(build.into_iter().chain(moves).chain(end).map(str::to_owned)).chain(recorded) {
        let folder = tempfile::tempdir().unwrap();
        let database = database::new_database(folder.path()).await;
        die_at(&point, VOLUMES, folder.path(), &database);
        let cloud = cloud_in(folder.path(), &database).await;
        cloud.far.bring_back("h1");
        cloud.far.bring_back("h2");
        let list = cloud.admin().get("/compute/v2.1/servers/detail").await.expect(200);
        if let Some(one) = list["servers"].as_array().unwrap().iter().find(|one| one["OS-EXT-STS:task_state"] != "deleting") {
            let id = one["id"].as_str().unwrap();
            let shown = until_task(&cloud, id, Value::Null).await;
            let attached = shown["os-extended-volumes:volumes_attached"].as_array().unwrap().clone();
            let mut attached: Vec<String> = attached.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
            attached.sort();
            // Its room says the same, and its machine has them.
            let volumes = cloud.far.volumes();
            let held: Vec<String> = volumes.iter().filter(|(_, one)| one.server.is_some()).map(|(id, _)| id.clone()).collect();
            assert_eq!(attached, held, "{point}: {volumes:?}");
            assert!(volumes.values().all(|one| one.server.is_none() || one.state == "in-use"), "{point}: {volumes:?}");
            let plugged = cloud.far.nics(id);
            let is_there = |id: &String| plugged.contains(&contracts::node::DeviceId::disk(&types::VolumeId::new(id.as_str())));
            assert!(attached.iter().all(is_there), "{point}: {attached:?} {plugged:?}");
            assert_eq!(contracts::audit::Audit::audit(&*cloud.compute).await.unwrap(), [], "{point}");
            cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
        }
        for one in list["servers"].as_array().unwrap() {
            cloud.until_gone(one["id"].as_str().unwrap()).await;
        }
        // What was made for the server and shall go with it is gone; nothing is held.
        let volumes = cloud.far.volumes();
        assert!(volumes.values().all(|one| one.server.is_none() && !one.made), "{point}: {volumes:?}");
        cloud.assert_clean().await;
    }
}

/// One that becomes an image, and one that comes to nothing since its image is deleted.
async fn take_snapshots(cloud: &Cloud, id: &str) {
    let action = format!("/compute/v2.1/servers/{id}/action");
    for deleted in [false, true] {
        for host in ["h1", "h2"] {
            cloud.far.set_manner(host, if deleted { Manner::Copies } else { Manner::Works });
        }
        let asked = json!({"createImage": {"name": "web, as it was"}});
        let image = cloud.member().post(&action, asked).await.expect(202)["image_id"].clone();
        if deleted {
            cloud.far.delete_image(image.as_str().unwrap());
            cloud.far.bring_back("h1");
        }
        until_task(cloud, id, Value::Null).await;
    }
}

/// Everything that a server comes back from.
async fn change_it(cloud: &Cloud, id: &str) {
    let action = format!("/compute/v2.1/servers/{id}/action");
    for (wish, status) in [
        (json!({"pause": null}), "PAUSED"),
        (json!({"unpause": null}), "ACTIVE"),
        (json!({"rescue": null}), "RESCUE"),
        (json!({"unrescue": null}), "ACTIVE"),
        (json!({"resize": {"flavorRef": "m1.small"}}), "VERIFY_RESIZE"),
        (json!({"revertResize": null}), "ACTIVE"),
        (json!({"resize": {"flavorRef": "m1.small"}}), "VERIFY_RESIZE"),
        (json!({"confirmResize": null}), "ACTIVE"),
    ] {
        let done = cloud.member().post(&action, wish.clone()).await.status;
        assert!(done.is_success(), "{wish}: {done}");
        cloud.until(id, status).await;
    }
}

/// One comes and goes, and one comes to nothing.
async fn change_interfaces(cloud: &Cloud, id: &str) {
    let path = format!("/compute/v2.1/servers/{id}/os-interface");
    let made = cloud.member().post(&path, json!({})).await.expect(200);
    until_task(cloud, id, Value::Null).await;
    let port = made["interfaceAttachment"]["port_id"].as_str().unwrap();
    cloud.member().delete(&format!("{path}/{port}")).await.expect(202);
    until_task(cloud, id, Value::Null).await;
    for host in ["h1", "h2"] {
        cloud.far.set_manner(host, Manner::CannotPlug("no slot is free".to_owned()));
    }
    cloud.member().post(&path, json!({})).await.expect(200);
    until_task(cloud, id, Value::Null).await;
}

#[tokio::test]
async fn a_crash_while_interfaces_come_and_go_leaves_none_half_way() {
    let points = crate::server::operation::interface::CRASH_POINTS.iter().map(|point| (*point).to_owned());
    let again = ["compute.interface.released:2", "compute.interface.forgotten:2"].map(str::to_owned);
    let recorded = (1..=3).map(|time| format!("compute.operation.recorded:{time}"));
    let observed = (2..=5).map(|time| format!("compute.server.observed:{time}"));
    for point in points.chain(again).chain(recorded).chain(observed) {
        let folder = tempfile::tempdir().unwrap();
        let database = database::new_database(folder.path()).await;
        die_at(&point, INTERFACES, folder.path(), &database);
        let cloud = cloud_in(folder.path(), &database).await;
        cloud.far.bring_back("h1");
        cloud.far.bring_back("h2");
        let list = cloud.admin().get("/compute/v2.1/servers").await.expect(200);
        let id = list["servers"][0]["id"].as_str().unwrap();
        // How many reports there are is a matter of how they fall together: at the last it may have been going already.
        if !comes_to_rest(&cloud, id).await {
            cloud.assert_clean().await;
            continue;
        }
        // What is shown is plugged in, and nothing else is.
        let shown = cloud.member().get(&format!("/compute/v2.1/servers/{id}/os-interface")).await.expect(200);
        let shown: Vec<String> = shown["interfaceAttachments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["port_id"].as_str().unwrap().to_owned())
            .collect();
        let mut plugged = cloud.far.nics(id).iter().map(ToString::to_string).collect::<Vec<_>>();
        plugged.sort();
        assert!(shown.iter().all(|port| plugged.iter().any(|nic| nic.contains(port.as_str()))), "{point}: {shown:?} {plugged:?}");
        assert_eq!((shown.len(), cloud.far.ports().len()), (plugged.len(), plugged.len()), "{point}: {shown:?} {plugged:?}");
        cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
        cloud.until_gone(id).await;
        cloud.assert_clean().await;
    }
}

/// Dies at each point of what is done to a server, and at reports on it: it is found in a legal state, can be used, and goes.
#[tokio::test]
async fn a_crash_while_a_server_is_resized_ends_in_a_legal_state() {
    let points = crate::server::operation::resize::CRASH_POINTS.iter().map(|point| (*point).to_owned());
    // Each of the operations once, as it was written down, and at some of the reports that they wait for.
    let recorded = (2..=8).map(|time| format!("compute.operation.recorded:{time}"));
    let observed = [2, 3, 4, 5, 7, 9, 11, 13].map(|time| format!("compute.server.observed:{time}"));
    for point in points.chain(recorded).chain(observed) {
        let folder = tempfile::tempdir().unwrap();
        let database = database::new_database(folder.path()).await;
        die_at(&point, CHANGES, folder.path(), &database);
        let cloud = cloud_in(folder.path(), &database).await;
        cloud.far.bring_back("h1");
        cloud.far.bring_back("h2");
        let list = cloud.admin().get("/compute/v2.1/servers").await.expect(200);
        let id = list["servers"][0]["id"].as_str().unwrap();
        let shown = until_task(&cloud, id, Value::Null).await;
        let status = shown["status"].as_str().unwrap().to_owned();
        assert!(["ACTIVE", "PAUSED", "RESCUE", "VERIFY_RESIZE"].contains(&status.as_str()), "{point}: {shown}");
        // It is where the tables say, once, and can go on from there.
        let way_out = match status.as_str() {
            "PAUSED" => json!({"unpause": null}),
            "RESCUE" => json!({"unrescue": null}),
            "VERIFY_RESIZE" => json!({"revertResize": null}),
            _ => json!({"reboot": {"type": "HARD"}}),
        };
        let path = format!("/compute/v2.1/servers/{id}");
        let done = cloud.member().post(&format!("{path}/action"), way_out).await;
        // A confirmation that was written down is on its way, or is done by now.
        let is_confirmed = status == "VERIFY_RESIZE" && (done.status == 400 || done.status == 409);
        assert!(done.status.is_success() || is_confirmed, "{point}: {}", done.body);
        cloud.until(id, "ACTIVE").await;
        until_task(&cloud, id, Value::Null).await;
        assert_eq!(cloud.far.places(id).len(), 1, "{point}: {:?}", cloud.far.places(id));
        assert_eq!(contracts::audit::Audit::audit(&*cloud.compute).await.unwrap(), [], "{point}");
        cloud.member().delete(&path).await.expect(204);
        cloud.until_gone(id).await;
        cloud.assert_clean().await;
    }
}

#[tokio::test]
async fn a_crash_while_a_snapshot_is_taken_leaves_nothing_behind() {
    for point in crate::server::snapshot::CRASH_POINTS {
        let folder = tempfile::tempdir().unwrap();
        let database = database::new_database(folder.path()).await;
        die_at(point, SNAPSHOTS, folder.path(), &database);
        let cloud = cloud_in(folder.path(), &database).await;
        cloud.far.bring_back("h1");
        cloud.far.bring_back("h2");
        let list = cloud.admin().get("/compute/v2.1/servers").await.expect(200);
        let id = list["servers"][0]["id"].as_str().unwrap();
        until_task(&cloud, id, Value::Null).await;
        assert!(cloud.far.images().iter().all(|(_, is_whole)| *is_whole), "{point}");
        cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
        cloud.until_gone(id).await;
        cloud.assert_clean().await;
    }
}

/// Runs a life in a process that ends at this point.
fn die_at(point: &str, manner: &str, folder: &Path, database: &str) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["tests::crash::a_life_in_a_process_of_its_own", "--exact", "--ignored"])
        .env(manner, "1")
        .env("FERROSTACK_CRASH", point)
        .env(FOLDER, folder)
        .env(DATABASE, database)
        .output()
        .unwrap();
    assert!(!child.status.success(), "{point} was never passed: {}", String::from_utf8_lossy(&child.stdout));
    let signal = std::os::unix::process::ExitStatusExt::signal(&child.status);
    assert_eq!(signal, Some(6), "{point}: {}", String::from_utf8_lossy(&child.stdout));
}

#[tokio::test]
async fn a_crash_at_any_point_leaves_nothing_behind() {
    for (point, moves) in CRASH_POINTS.iter().flat_map(|point| [(point, false), (point, true)]) {
        let folder = tempfile::tempdir().unwrap();
        let database = database::new_database(folder.path()).await;
        die_at(point, if moves { MOVES } else { STAYS }, folder.path(), &database);

        let cloud = cloud_in(folder.path(), &database).await;
        // The hosts' sessions begin anew, with a whole report.
        cloud.far.bring_back("h1");
        cloud.far.bring_back("h2");
        let list = cloud.admin().get("/compute/v2.1/servers/detail?all_tenants=1").await.expect(200);
        for server in list["servers"].as_array().unwrap() {
            let id = server["id"].as_str().unwrap();
            if server["OS-EXT-STS:task_state"] != "deleting" {
                cloud.until(id, "ACTIVE").await;
                cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
            }
            cloud.until_gone(id).await;
        }
        cloud.assert_clean().await;
    }
}
