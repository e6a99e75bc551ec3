// SPDX-License-Identifier: Apache-2.0
//! The cloud is killed at each crash point of a load balancer's life, in a process of its own, and started again over the same
//! database and the same far side.

use std::{path::Path, process::Command};

use store::Store;
use world::World;

use super::{Cloud, far::Far, id, path};
use crate::CRASH_POINTS;

const FOLDER: &str = "BALANCER_CRASH_FOLDER";
const DATABASE: &str = "BALANCER_CRASH_DATABASE";

async fn cloud_in(folder: &Path, database: &str) -> Cloud {
    let store = Store::open(database).await.unwrap();
    store.migrate(&[crate::ROOM.migrations()]).await.unwrap();
    let world = World { store, folder: tempfile::tempdir().unwrap() };
    let mut cloud = Cloud::over(world, Far::kept_in(Some(folder.join("far.json"))));
    cloud.wake();
    cloud
}

/// A whole life of a load balancer. Under `FERROSTACK_CRASH` the process does not live to its end.
#[tokio::test]
#[ignore = "the sweep runs it in a process of its own"]
async fn a_life_in_a_process_of_its_own() {
    let (Ok(folder), Ok(database)) = (std::env::var(FOLDER), std::env::var(DATABASE)) else { return };
    let cloud = cloud_in(Path::new(&folder), &database).await;
    let (balancer, _, pool) = cloud.balancer().await;
    cloud.add(&pool, "192.0.2.11").await;
    cloud.until_active(&balancer).await;
    cloud.member().delete(&path(&format!("loadbalancers/{balancer}?cascade=true"))).await.expect(204);
    cloud.until(&format!("loadbalancers/{balancer}"), "loadbalancer", "id", "gone").await;
    // Whoever looks sees that it is gone before the last point is passed.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_crash_at_any_point_of_a_load_balancers_life_ends_in_a_legal_state() {
    for point in CRASH_POINTS {
        let folder = tempfile::tempdir().unwrap();
        let database = database::new_database(folder.path()).await;
        let life = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "tests::crash::a_life_in_a_process_of_its_own"])
            .env(FOLDER, folder.path())
            .env(DATABASE, &database)
            .env("FERROSTACK_CRASH", point)
            .output()
            .unwrap();
        assert!(!life.status.success(), "{point} was not passed");

        let cloud = cloud_in(folder.path(), &database).await;
        let list = cloud.member().get(&path("loadbalancers")).await.expect(200);
        for balancer in list["loadbalancers"].as_array().unwrap() {
            let balancer = id(balancer);
            let of = format!("loadbalancers/{balancer}");
            // It goes on to where it was going, without a further word.
            let mut last = serde_json::Value::Null;
            for _ in 0..1000 {
                let said = cloud.member().get(&path(&of)).await;
                last = said.body["loadbalancer"]["provisioning_status"].clone();
                if said.status == 404 || last == "ACTIVE" {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            assert!(last == "ACTIVE" || last.is_null(), "{point}: {last}");
            cloud.member().delete(&path(&format!("{of}?cascade=true"))).await;
            cloud.until(&of, "loadbalancer", "id", "gone").await;
        }
        let left = cloud.far.look();
        assert!(left.ports.is_empty() && left.spreads.is_empty(), "{point}");
    }
}
