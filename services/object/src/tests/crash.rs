// SPDX-License-Identifier: Apache-2.0
//! The process dies at each crash point of an object's life and starts again over the same tables and folder.

use std::process::Command;

use contracts::objects::{At, Objects as _, Said};

use super::*;

const FOLDER: &str = "OBJECT_CRASH_FOLDER";
const DATABASE: &str = "OBJECT_CRASH_DATABASE";

const POINTS: &[&str] = &[
    "object.container.made",
    "object.data.drawn",
    "object.data.put",
    "object.put.committed",
    "object.data.drawn:2",
    "object.data.put:2",
    "object.put.committed:2",
    "object.put.committed:3",
    "object.deleted",
    "object.upload.part",
    "object.upload.part:2",
    "object.upload.completed",
    "object.expired",
    "object.released.read",
    "object.released.given",
];

async fn room_in(folder: &Path, database: &str) -> Room {
    let store = Store::open(database).await.unwrap();
    store.migrate(&[ROOM.migrations()]).await.unwrap();
    let world = World { store, folder: tempfile::tempdir().unwrap() };
    let room = open(world.store.clone(), folder).await;
    let talk = world.talk(vec![room.service()], &ROOM.policies(), &ROOM.rules());
    Room { world, room, talk }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the sweep runs it in a process of its own"]
async fn a_life_in_a_process_of_its_own() {
    let (Ok(folder), Ok(database)) = (std::env::var(FOLDER), std::env::var(DATABASE)) else { return };
    let it = room_in(Path::new(&folder), &database).await;
    let talk = it.member();
    container(&talk, "c").await;
    put(&talk, "c/kept", large(1)).await.expect(201);
    std::fs::write(Path::new(&folder).join("acknowledged"), b"").unwrap();
    put(&talk, "c/over", large(2)).await.expect(201);
    put(&talk, "c/over", large(3)).await.expect(201);
    put(&talk.header("x-delete-after", "1"), "c/due", large(4)).await.expect(201);
    put(&talk, "c/gone", large(5)).await.expect(201);
    talk.delete(&format!("{ACCOUNT}/c/gone")).await.expect(204);
    let (buckets, who) = waiting::door(&it.room);
    let at = At { bucket: "c".into(), key: "joined".into() };
    let upload = buckets.begin_upload(&who, &at, Said::default()).await.unwrap();
    let mut parts = Vec::new();
    for (number, bytes) in [(1, 5 << 20), (2, 100)] {
        parts.push((number, waiting::part(&buckets, &who, &at, &upload, number, bytes).await.unwrap()));
    }
    buckets.complete_upload(&who, &at, &upload, parts, false).await.unwrap();
    it.work_until_nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_point_loses_and_leaves_nothing() {
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

        let it = room_in(folder.path(), &database).await;
        let talk = it.member();
        if folder.path().join("acknowledged").exists() {
            let said = get(&talk, "c/kept").await;
            assert_eq!(said.body.as_str().unwrap().as_bytes(), large(1), "{point}: what was acknowledged is lost");
        }
        let listed = get(&talk, "c?format=json").await.expect(200);
        for object in listed.as_array().unwrap() {
            let said = get(&talk, &format!("c/{}", object["name"].as_str().unwrap())).await;
            let whole = if object["name"] == "joined" { (5 << 20) + 100 } else { 100_000 };
            // What was due a moment ago may be so now.
            assert!(said.status == 404 || said.body.as_str().unwrap().len() == whole, "{point}: {object}");
        }
        it.work_until_nothing_is_left().await;
        it.is_sound().await;
        let lying = it.room.data.survey(None, types::Timestamp::now(), 100).await.unwrap();
        let bytes: u64 = lying.iter().map(|piece| piece.length).sum();
        let said = talk.send("HEAD", ACCOUNT, Vec::new()).await;
        assert_eq!(header(&said, "x-account-bytes-used"), bytes.to_string(), "{point}");
    }
}
