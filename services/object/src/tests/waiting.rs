// SPDX-License-Identifier: Apache-2.0
//! Uploads in parts, as the S3 door asks for them, and what becomes of those that nobody goes on with.

use bytes::Bytes;
use contracts::objects::{At, Objects as _, Refused, Said};
use futures_util::stream;

use super::*;
use crate::{Buckets, Objects};

pub type Who = Arc<contracts::caller::Caller>;

pub fn door(room: &Objects) -> (Buckets, Who) {
    let policies = world::policies_in_force(&ROOM.policies(), &ROOM.rules());
    (room.buckets(policies), Arc::new(world::caller("member@p1").unwrap()))
}

pub async fn part(buckets: &Buckets, who: &Who, at: &At, upload: &str, number: u32, bytes: usize) -> Result<String, Refused> {
    let content = Bytes::from(vec![b'a' + u8::try_from(number).unwrap(); bytes]);
    let incoming = Box::pin(stream::iter([Ok(content)]));
    let stored = buckets.put_part(who, at, upload, number, Some(bytes as u64), incoming).await?;
    Ok(stored.etag)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_nobody_goes_on_with_ends() {
    let mut it = start().await;
    let (buckets, who) = door(&it.room);
    buckets.create_bucket(&who, "c").await.unwrap();
    let at = At { bucket: "c".into(), key: "o".into() };
    let upload = buckets.begin_upload(&who, &at, Said::default()).await.unwrap();
    part(&buckets, &who, &at, &upload, 1, 100_000).await.unwrap();
    let said = it.member().send("HEAD", ACCOUNT, Vec::new()).await;
    assert_eq!(header(&said, "x-account-bytes-used"), "100000");
    // A week is not over.
    it.work_until_nothing_is_left().await;
    part(&buckets, &who, &at, &upload, 2, 10).await.unwrap();

    it.room.settings = Arc::new(Settings { patience: Duration::ZERO, grace: Duration::ZERO, ..Settings::default() });
    let mut tasks = Tasks::new(Board::default());
    it.room.spawn(&mut tasks);
    for _ in 0..400 {
        let left = it.world.store.read(|tx| tx.query_one("SELECT COUNT(*) FROM object_uploads", &[])?.get::<i64>(0));
        if left.await.unwrap() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    tasks.end().await;
    assert_eq!(part(&buckets, &who, &at, &upload, 3, 10).await, Err(Refused::NoUpload));
    it.work_until_nothing_is_left().await;
    let said = it.member().send("HEAD", ACCOUNT, Vec::new()).await;
    assert_eq!(header(&said, "x-account-bytes-used"), "0");
    assert_eq!(it.room.data.survey(None, types::Timestamp::now(), 10).await.unwrap(), []);
    it.is_sound().await;
}

#[tokio::test]
async fn a_prefix_is_one_of_ten_thousand_objects_at_most() {
    let it = start().await;
    let talk = it.member();
    container(&talk, "c").await;
    put(&talk, "c/p/00000", b"x".to_vec()).await.expect(201);
    put(&talk.header("x-object-manifest", "c/p/"), "c/all", Vec::new()).await.expect(201);
    let more = |count: usize| {
        it.world.store.write(move |tx| {
            let columns = "container_id, data_id, size, shown_size, etag, kind, content_type, metadata, stamp, delete_at";
            let sql = format!(
                "INSERT INTO object_objects (name, {columns}) SELECT $1, {columns} FROM object_objects WHERE name = 'p/00000'"
            );
            (1..count).try_for_each(|number| tx.execute(&sql, &store::params![format!("p/{number:05}")]).map(drop))
        })
    };
    more(10_001).await.unwrap();
    get(&talk, "c/all").await.expect(409);
    assert_eq!(get(&talk, "c/p/10000").await.status, 200);
}
