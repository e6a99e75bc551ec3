// SPDX-License-Identifier: Apache-2.0
//! Parts and conditions.

use super::*;

#[tokio::test]
async fn parts_are_read_and_conditions_hold() {
    let it = start().await;
    let talk = it.member();
    container(&talk, "c").await;
    let data = large(0);
    let made = put(&talk, "c/o", data.clone()).await;
    let etag = header(&made, "etag").to_owned();
    let part = |range: &str| {
        let talk = talk.header("range", range);
        async move { get(&talk, "c/o").await }
    };
    let said = part("bytes=70000-70009").await;
    assert_eq!((said.status.as_u16(), header(&said, "content-range")), (206, "bytes 70000-70009/100000"));
    assert_eq!(said.body.as_str().unwrap().as_bytes(), &data[70000..70010]);
    assert_eq!(part("bytes=-5").await.body.as_str().unwrap().as_bytes(), &data[99_995..]);
    let said = part("bytes=100000-").await;
    assert_eq!((said.status.as_u16(), header(&said, "content-range")), (416, "bytes */100000"));
    let said = part("bytes=0-1,5-6").await;
    assert_eq!(said.status, 206);
    let body = said.body.as_str().unwrap();
    assert_eq!(header(&said, "content-length"), body.len().to_string());
    assert!(body.contains("Content-Range: bytes 0-1/100000\r\n\r\nab\r\n--") && body.contains("\r\n\r\nfg\r\n--"), "{body}");

    for (name, value, status) in [
        ("if-match", etag.as_str(), 200),
        ("if-match", "other", 412),
        ("if-none-match", etag.as_str(), 304),
        ("if-none-match", "other", 200),
        ("if-modified-since", "Wed, 01 Jan 2020 00:00:00 GMT", 200),
        ("if-modified-since", "Wed, 01 Jan 2200 00:00:00 GMT", 304),
        ("if-unmodified-since", "Wed, 01 Jan 2020 00:00:00 GMT", 412),
        ("if-unmodified-since", "Wed, 01 Jan 2200 00:00:00 GMT", 200),
    ] {
        assert_eq!(get(&talk.header(name, value), "c/o").await.status, status, "{name}: {value}");
    }
    let said = talk.send("HEAD", &format!("{ACCOUNT}/c/o"), Vec::new()).await;
    assert_eq!((header(&said, "content-length"), header(&said, "accept-ranges")), ("100000", "bytes"));
}

#[tokio::test]
async fn what_is_being_read_stays_until_it_is_read() {
    use futures_util::TryStreamExt;
    let it = start().await;
    let talk = it.member();
    container(&talk, "c").await;
    put(&talk, "c/o", large(0)).await.expect(201);
    let place = crate::place::Place::read("AUTH_p1/c/o").unwrap();
    let who = crate::grant::Who::asking(access::Asker::new(
        Arc::new(world::caller("member@p1").unwrap()),
        world::policies_in_force(&ROOM.policies(), &ROOM.rules()).now(),
    ));
    let found = crate::object::find(&it.room, &who, &place, false).await.unwrap();
    let reading = found.content.read(&it.room, 0..100_000);
    talk.delete(&format!("{ACCOUNT}/c/o")).await.expect(204);
    let mut tasks = Tasks::new(Board::default());
    it.room.spawn(&mut tasks);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let read: Vec<bytes::Bytes> = reading.try_collect().await.unwrap();
    assert_eq!(read.concat(), large(0));
    tasks.end().await;
    it.work_until_nothing_is_left().await;
    it.is_sound().await;
}
