// SPDX-License-Identifier: Apache-2.0
//! Data outlives tables that do not know of it.

use contracts::audit::{Audit, Finding, STRAY};
use lab::ObjectStore;
use serde_json::json;
use world::World;

use super::{Room, bucket::bucket, create, nobody, show, stage, start, start_with, upload, workers_of};
use crate::{Image, ROOM, Settings};

/// The room of a cloud that begins with empty tables over the folders and buckets of another.
async fn over_empty_tables(it: &Room) -> Room {
    let world = World::new(&[ROOM.migrations()]).await;
    let settings: Settings = it.room.settings.as_ref().clone();
    let room = Image::open(world.store.clone(), settings).await.unwrap();
    let talk = world.talk(vec![room.service()], &ROOM.policies(), &ROOM.rules());
    let workers = workers_of(&room);
    Room { world, room, talk, workers }
}

fn places(findings: &[Finding]) -> Vec<&str> {
    let mut places: Vec<&str> = findings.iter().map(|finding| finding.place.as_str()).collect();
    places.sort_unstable();
    places
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_the_tables_do_not_know_is_kept() {
    let bucketed = ObjectStore::start().unwrap();
    let it = start_with(|settings| settings.stores.push(bucket(settings, &bucketed, &bucketed.secret))).await;
    let talk = it.member();
    let (here, far, staged) = (create(&talk, "raw").await, create(&talk, "raw").await, create(&talk, "raw").await);
    upload(&talk, &here, vec![1; 600]).await.expect(204);
    upload(&talk.header("x-image-meta-store", "far"), &far, vec![2; 700]).await.expect(204);
    stage(&talk, &staged, vec![3; 800]).await.expect(204);
    contracts::images::Images::file(&it.room, &far.as_str().into()).await.unwrap();

    let other = over_empty_tables(&it).await;
    let mut again = other.restart().await;
    let strays = again.room.audit().await.unwrap();
    assert!(strays.iter().all(|stray| stray.kind == STRAY), "{strays:?}");
    assert_eq!(places(&strays), ["near", "staging", "store far", "store file"]);

    // The tables come back, and all is as it was.
    again.workers = nobody();
    let it = it.restart().await;
    for id in [&here, &far] {
        let said = it.member().get(&format!("/image/v2/images/{id}/file")).await;
        assert_eq!(said.status.as_u16(), 200);
    }
    assert_eq!(it.room.audit().await.unwrap(), []);
}

#[tokio::test]
async fn a_stray_goes_when_the_operator_says_so_and_no_image_has_it_by_then() {
    let it = start().await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    upload(&talk, &id, vec![1; 600]).await.expect(204);
    let other = over_empty_tables(&it).await;
    let strays = other.room.audit().await.unwrap();
    assert_eq!(strays.len(), 1, "{strays:?}");

    // An image with the same data came meanwhile.
    let same = create(&other.member(), "raw").await;
    upload(&other.member(), &same, vec![1; 600]).await.expect(204);
    let refused = other.room.remove_stray(&strays[0]).await.unwrap_err();
    assert!(refused.message.contains("An image has this data by now"), "{refused}");
    other.member().delete(&format!("/image/v2/images/{same}")).await.expect(204);
    assert_eq!(it.files("file"), 0, "what an image of these tables gave up goes");

    let folder = it.world.folder.path().join("images/file");
    std::fs::write(folder.join("ab".repeat(64)), b"of nobody").unwrap();
    let strays = other.room.audit().await.unwrap();
    assert_eq!(strays[0].place, "store file");
    other.room.remove_stray(&strays[0]).await.unwrap();
    assert_eq!((it.files("file"), other.room.audit().await.unwrap()), (0, vec![]));
}

#[tokio::test]
async fn what_an_older_copy_of_the_tables_does_not_know_is_kept_and_what_it_knows_stays() {
    let it = start().await;
    let talk = it.member();
    let older = create(&talk, "raw").await;
    upload(&talk, &older, vec![1; 600]).await.expect(204);
    let rows = it.world.store.list(|tx| tx.query("SELECT id FROM images", &[])).await.unwrap();
    assert_eq!(rows.len(), 1);
    let newer = create(&talk, "raw").await;
    upload(&talk, &newer, vec![2; 700]).await.expect(204);
    // As the tables were before the second image.
    let forgotten = newer.clone();
    let forget = move |tx: &mut store::Tx| tx.execute("DELETE FROM images WHERE id = $1", &[forgotten.as_str().into()]);
    it.world.store.write(forget).await.unwrap();

    let it = it.restart().await;
    assert_eq!(it.files("file"), 2);
    let strays = it.room.audit().await.unwrap();
    assert_eq!((strays.len(), strays[0].kind.as_str()), (1, STRAY));
    assert_eq!(show(&it.member(), &older).await["status"], json!("active"));
}
