// SPDX-License-Identifier: Apache-2.0
//! The cloud is killed at each crash point of a server's life, in a process of its own, and started again over the
//! same database and the same far side.

use std::{path::Path, process::Command, time::Duration};

use store::Store;
use world::World;

use super::{
    Cloud,
    far::{Far, Manner},
    server,
};
use crate::{CRASH_POINTS, Patience};

const FOLDER: &str = "COMPUTE_CRASH_FOLDER";
const DATABASE: &str = "COMPUTE_CRASH_DATABASE";
/// With it the first host fails all servers, so that they move to the second.
const MOVES: &str = "COMPUTE_CRASH_MOVES";

async fn cloud_in(folder: &Path, database: &str) -> Cloud {
    let store = Store::open(database).await.unwrap();
    store.migrate(&[crate::MIGRATIONS, placement::MIGRATIONS]).await.unwrap();
    let world = World { store, folder: tempfile::tempdir().unwrap() };
    let mut cloud = Cloud::over(world, Far::new(Some(folder.join("far.json")), &["h1", "h2"]), Patience::default()).await;
    cloud.wake();
    cloud
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
    let id = super::id_of(cloud.member().post("/compute/v2.1/servers", server("web")).await.expect(202));
    cloud.until(&id, "ACTIVE").await;
    cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
    cloud.until_gone(&id).await;
    // The last point lies after the last write that a client sees.
    tokio::time::sleep(Duration::from_secs(2)).await;
}

#[tokio::test]
async fn a_crash_at_any_point_leaves_nothing_behind() {
    for (point, moves) in CRASH_POINTS.iter().flat_map(|point| [(point, false), (point, true)]) {
        let folder = tempfile::tempdir().unwrap();
        let database = database::new_database(folder.path()).await;
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["tests::crash::a_life_in_a_process_of_its_own", "--exact", "--ignored"])
            .envs(moves.then_some((MOVES, "1")))
            .env("FERROSTACK_CRASH", point)
            .env(FOLDER, folder.path())
            .env(DATABASE, &database)
            .output()
            .unwrap();
        assert!(!child.status.success(), "{point} was never passed: {}", String::from_utf8_lossy(&child.stdout));
        let signal = std::os::unix::process::ExitStatusExt::signal(&child.status);
        assert_eq!(signal, Some(6), "{point}: {}", String::from_utf8_lossy(&child.stdout));

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
