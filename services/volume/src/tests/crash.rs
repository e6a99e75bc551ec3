// SPDX-License-Identifier: Apache-2.0
//! The cloud is killed at each crash point of a volume's life, in a process of its own, and started again over the same
//! database and the same far side.

use std::{path::Path, process::Command};

use contracts::volumes::{VolumeAsk, VolumeWish, Volumes};
use serde_json::json;
use std::sync::Arc;
use store::Store;
use types::{NodeId, ServerId};
use world::{World, caller};

use super::{Cloud, far::Far, id_of};
use crate::CRASH_POINTS;

const FOLDER: &str = "VOLUME_CRASH_FOLDER";
const DATABASE: &str = "VOLUME_CRASH_DATABASE";
const SERVER: &str = "33333333-3333-4333-8333-333333333333";

async fn cloud_in(folder: &Path, database: &str) -> Cloud {
    let store = Store::open(database).await.unwrap();
    store.migrate(&[crate::ROOM.migrations()]).await.unwrap();
    let world = World { store, folder: tempfile::tempdir().unwrap() };
    let mut cloud = Cloud::over(world, Far::kept_in(Some(folder.join("far.json")), &[("h1", 100), ("h2", 200)])).await;
    cloud.wake();
    cloud
}

/// Gives the volume to a server and takes it back, as compute does.
async fn serve(cloud: &Cloud, ask: &VolumeAsk) {
    let (server, project) = (ServerId::new(SERVER), "p1".into());
    while cloud.room.ensure(&project, &server, &NodeId::new("h1"), ask).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    release(cloud, ask).await;
}

async fn release(cloud: &Cloud, ask: &VolumeAsk) {
    while cloud.room.release(&ServerId::new(SERVER), ask, false).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// A whole life of a volume. Under `FERROSTACK_CRASH` the process does not live to its end.
#[tokio::test]
#[ignore = "the sweep runs it in a process of its own"]
async fn a_life_in_a_process_of_its_own() {
    let (Ok(folder), Ok(database)) = (std::env::var(FOLDER), std::env::var(DATABASE)) else { return };
    let cloud = cloud_in(Path::new(&folder), &database).await;
    let id = cloud.volume(1).await;
    let snapshot = cloud.snapshot(&id).await;
    cloud.act(&id, json!({"os-extend": {"new_size": 2}})).await.expect(202);
    cloud.until(&id, "available").await;
    let wish = VolumeWish::Volume(id.as_str().into());
    let ask = cloud.room.plan(&Arc::new(caller("member@p1").unwrap()), &[wish]).await.unwrap().remove(0);
    std::fs::write(Path::new(&folder).join("ask.json"), serde_json::to_vec(&ask).unwrap()).unwrap();
    serve(&cloud, &ask).await;
    cloud.act(&id, json!({"os-volume_upload_image": {"image_name": "copy"}})).await.expect(202);
    cloud.until(&id, "available").await;
    cloud.member().delete(&format!("/volume/v3/snapshots/{snapshot}")).await.expect(202);
    cloud.until_it(&format!("/volume/v3/snapshots/{snapshot}"), "snapshot", "gone").await;
    cloud.member().delete(&format!("/volume/v3/volumes/{id}")).await.expect(202);
    cloud.until(&id, "gone").await;
}

#[tokio::test]
async fn a_crash_at_any_point_of_a_volumes_life_ends_in_a_legal_state() {
    // Each of these is passed in such a life; the others need a host that fails, or is gone.
    let passed = |point: &&&str| !["volume.failed", "volume.removed", "volume.copy.image-released"].contains(point);
    let once = CRASH_POINTS.iter().filter(passed).map(|point| (*point).to_owned());
    let again = (2..=8).map(|time| format!("volume.observed:{time}"));
    for point in once.chain(again).chain(["volume.released:2".to_owned()]) {
        let folder = tempfile::tempdir().unwrap();
        let database = database::new_database(folder.path()).await;
        let life = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "tests::crash::a_life_in_a_process_of_its_own"])
            .env(FOLDER, folder.path())
            .env(DATABASE, &database)
            .env("FERROSTACK_CRASH", &point)
            .output()
            .unwrap();
        assert!(!life.status.success(), "{point} was not passed");

        let cloud = cloud_in(folder.path(), &database).await;
        for host in ["h1", "h2"] {
            cloud.far.wake(host).await;
        }
        // Compute knows what it asked for, and gives it back.
        if let Ok(asked) = std::fs::read(folder.path().join("ask.json")) {
            release(&cloud, &serde_json::from_slice(&asked).unwrap()).await;
        }
        let list = cloud.admin().get("/volume/v3/volumes?all_tenants=1").await.expect(200);
        for volume in list["volumes"].as_array().unwrap() {
            let id = id_of(volume);
            for _ in 0..500 {
                let status = cloud.admin().get(&format!("/volume/v3/volumes/{id}")).await.body["volume"]["status"].clone();
                if status == "available" || status.is_null() {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            cloud.member().delete(&format!("/volume/v3/volumes/{id}?cascade=true")).await;
            cloud.until(&id, "gone").await;
        }
        assert_eq!((cloud.far.of_host("h1"), cloud.far.of_host("h2")), (vec![], vec![]), "{point}");
        assert_eq!(*cloud.far.opened_twice.lock().unwrap(), [], "{point}");
    }
}
