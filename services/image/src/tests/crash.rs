// SPDX-License-Identifier: Apache-2.0
//! The process dies at each crash point of an image's life and starts again over the same tables and folders.

use std::{path::Path, process::Command};

use contracts::audit::Audit;
use serde_json::{Value, json};
use store::Store;
use world::{Talk, World};

use super::{
    Room,
    conversion::converting,
    create,
    imports::{import, serve},
    message, nobody, patch, qemu_img, settings, show, stage, start, task_of, upload, workers_of,
};
use crate::{Image, ROOM};

const FOLDER: &str = "IMAGE_CRASH_FOLDER";
const DATABASE: &str = "IMAGE_CRASH_DATABASE";

const POINTS: &[&str] = &[
    "image.data.begun",
    "image.data.received",
    "image.data.held",
    "image.data.kept",
    "image.data.active",
    "image.stage.received",
    "image.stage.kept",
    "image.import.converting",
    "image.import.converted",
    "image.import.received",
    "image.import.received:2",
    "image.data.held:2",
    "image.data.kept:2",
    "image.data.kept:3",
    "image.import.kept",
    "image.import.kept:2",
    "image.import.active",
    "image.import.done",
    "image.import.failed",
    "image.store.released",
    "image.deleted",
    "image.location.begun",
    "image.import.received:3",
    "image.import.kept:3",
    "image.location.compared",
    // Of the disk that is converted, between its two stores.
    "image.import.kept:4",
];

async fn room_in(folder: &Path, database: &str) -> (Image, Talk) {
    let store = Store::open(database).await.unwrap();
    store.migrate(&[ROOM.migrations()]).await.unwrap();
    let world = World { store, folder: tempfile::tempdir().unwrap() };
    let mut settings = settings(folder);
    converting(&mut settings, disks::Format::Raw);
    let room = Image::open(world.store.clone(), settings).await.unwrap();
    let talk = world.talk(vec![room.service()], &ROOM.policies(), &ROOM.rules());
    // They work until the process ends.
    std::mem::forget(workers_of(&room));
    (room, talk)
}

/// An upload, an import into two stores, one that is refused, and deletes. Under `FERROSTACK_CRASH` it does not reach its end.
#[tokio::test]
#[ignore = "the sweep runs it in a process of its own"]
async fn a_life_in_a_process_of_its_own() {
    let (Ok(folder), Ok(database)) = (std::env::var(FOLDER), std::env::var(DATABASE)) else { return };
    let (_room, talk) = room_in(Path::new(&folder), &database).await;
    let (talk, admin) = (talk.as_("member@p1"), talk.as_("admin"));
    let whole = json!({"id": "00000000-0000-4000-8000-000000000001", "disk_format": "raw", "container_format": "bare"});
    talk.post("/image/v2/images", whole).await.expect(201);
    upload(&talk, "00000000-0000-4000-8000-000000000001", vec![1; 600]).await.expect(204);
    std::fs::write(Path::new(&folder).join("acknowledged"), b"").unwrap();
    let id = create(&talk, "raw").await;
    stage(&talk, &id, vec![2; 700]).await.expect(204);
    talk.post(&import(&id), json!({"method": {"name": "glance-direct"}, "all_stores": true})).await.expect(202);
    assert_eq!(task_of(&talk, &id).await["status"], "success");
    admin.delete(&format!("/image/v2/stores/file/{id}")).await.expect(204);
    let bad = create(&talk, "qcow2").await;
    stage(&talk, &bad, vec![3; 700]).await.expect(204);
    talk.post(&import(&bad), json!({"method": {"name": "glance-direct"}})).await.expect(202);
    assert_eq!(task_of(&talk, &bad).await["status"], "failure");
    talk.delete(&format!("/image/v2/images/{id}")).await.expect(204);
    let (url, id) = (serve(vec![4; 800]).await, create(&talk, "raw").await);
    for url in [url.clone(), format!("{url}#again")] {
        let location = json!({"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {}}});
        patch(&talk, &id, json!([location])).await.expect(200);
    }
    let disk = create(&talk, "qcow2").await;
    stage(&talk, &disk, qemu_img(Path::new(&folder), &["-f", "qcow2", "FILE", "1M"])).await.expect(204);
    talk.post(&import(&disk), json!({"method": {"name": "glance-direct"}, "all_stores": true})).await.expect(202);
    assert_eq!(task_of(&talk, &disk).await["status"], "success");
}

#[tokio::test]
async fn a_crash_at_any_point_leaves_nothing_half_made() {
    for point in POINTS {
        let folder = tempfile::tempdir().unwrap();
        let database = database::new_database(folder.path()).await;
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["tests::crash::a_life_in_a_process_of_its_own", "--exact", "--ignored"])
            .env("FERROSTACK_CRASH", point)
            .env(FOLDER, folder.path())
            .env(DATABASE, &database)
            .output()
            .unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&child.status);
        assert_eq!(signal, Some(6), "{point} was never passed: {}", String::from_utf8_lossy(&child.stdout));

        let (room, talk) = room_in(folder.path(), &database).await;
        let talk = talk.as_("member@p1");
        let page = talk.get("/image/v2/images").await.expect(200);
        let mut bytes = 0;
        for image in page["images"].as_array().unwrap() {
            let id = image["id"].as_str().unwrap();
            if image["status"] == "importing"
                || talk.get(&format!("/image/v2/images/{id}/tasks")).await.expect(200)["tasks"] != json!([])
            {
                task_of(&talk, id).await;
            }
            let image = show(&talk, id).await;
            let stores = image["stores"].as_str().map_or(0, |stores| stores.split(',').count() as u64);
            match image["status"].as_str().unwrap() {
                "active" => {
                    assert_eq!(image["disk_format"], "raw", "{point}");
                    let said = talk.get(&format!("/image/v2/images/{id}/file")).await;
                    assert_eq!(
                        (said.status.as_u16(), message(&said.body).len() as u64),
                        (200, image["size"].as_u64().unwrap()),
                        "{point}"
                    );
                    bytes += image["size"].as_u64().unwrap() * stores;
                }
                "queued" => {
                    assert_eq!((&image["size"], &image["locations"], stores), (&Value::Null, &json!([]), 0), "{point}");
                }
                // Staged data that was acknowledged waits for its import.
                "uploading" => assert!(folder.path().join("images/staging").join(id).exists(), "{point}"),
                other => panic!("{point}: {other}"),
            }
        }
        if folder.path().join("acknowledged").exists() {
            let kept = show(&talk, "00000000-0000-4000-8000-000000000001").await;
            assert_eq!(kept["status"], "active", "{point}: what was acknowledged is lost");
        }
        assert_eq!(room.audit().await.unwrap(), [], "{point}");
        let used = room.store.read(|tx| crate::quota::usage(tx, &"p1".into())).await.unwrap();
        assert_eq!((used.bytes, used.staged), (bytes, 0), "{point}");
        for image in page["images"].as_array().unwrap() {
            talk.delete(&format!("/image/v2/images/{}", image["id"].as_str().unwrap())).await.expect(204);
        }
        for place in ["images/file", "images/staging", "slow"] {
            assert_eq!(std::fs::read_dir(folder.path().join(place)).unwrap().count(), 0, "{point}: {place}");
        }
    }
}

#[tokio::test]
async fn what_a_crash_left_is_tidied() {
    let it = start().await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    let kept = create(&talk, "raw").await;
    upload(&talk, &kept, vec![1; 600]).await.expect(204);
    // As a crash in the middle of an upload leaves things: the row says `saving`, a file is half there.
    let saving = id.clone();
    it.world
        .store
        .write(move |tx| tx.execute("UPDATE images SET status = 'saving' WHERE id = $1", &[saving.as_str().into()]))
        .await
        .unwrap();
    let folder = it.world.folder.path().join("images/file");
    std::fs::write(folder.join(".x.partial"), b"half").unwrap();
    upload(&talk, &id, vec![1]).await.expect(409);
    let it = it.restart().await;
    assert_eq!(it.files("file"), 1);
    let talk = it.member();
    assert_eq!(show(&talk, &id).await["status"], "queued");
    upload(&talk, &id, vec![1; 512]).await.expect(204);
    assert_eq!(show(&talk, &kept).await["status"], "active");
    assert_eq!(it.room.audit().await.unwrap(), []);
}

/// Data from before there were stores lies in the room's own folder under the image's id.
#[tokio::test]
async fn data_of_the_first_layout_gets_its_place() {
    let it = start().await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    upload(&talk, &id, vec![1; 600]).await.expect(204);
    let images = it.world.folder.path().join("images");
    let blob = std::fs::read_dir(images.join("file")).unwrap().next().unwrap().unwrap().path();
    std::fs::rename(blob, images.join(&id)).unwrap();
    let wanted = id.clone();
    let undo = "UPDATE images SET content = NULL, holds = '[]', stores = '[]' WHERE id = $1";
    it.world.store.write(move |tx| tx.execute(undo, &[wanted.as_str().into()])).await.unwrap();
    let it = it.restart().await;
    let said = it.member().get(&format!("/image/v2/images/{id}/file")).await;
    assert_eq!((said.status.as_u16(), it.files("file"), images.join(&id).exists()), (200, 1, false));
    assert_eq!(it.room.audit().await.unwrap(), []);
}

/// The worker dies with the import half done; the next one takes it up.
#[tokio::test]
async fn an_import_goes_on_after_a_crash() {
    let mut it: Room = start().await;
    it.workers = nobody();
    let talk = it.member();
    let id = create(&talk, "raw").await;
    stage(&talk, &id, vec![2; 700]).await.expect(204);
    talk.post(&import(&id), json!({"method": {"name": "glance-direct"}})).await.expect(202);
    assert_eq!(show(&talk, &id).await["status"], "importing");
    assert_eq!(show(&talk, &id).await["os_glance_importing_to_stores"], "file");
    let it = it.restart().await;
    assert_eq!(task_of(&it.member(), &id).await["status"], "success");
    assert_eq!((show(&it.member(), &id).await["status"].clone(), it.files("staging")), (json!("active"), 0));
}
