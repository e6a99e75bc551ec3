// SPDX-License-Identifier: Apache-2.0
//! Many at once.

use futures_util::future::join_all;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_holds_for_uploads_at_once() {
    let it = start().await;
    let talk = it.member();
    container(&talk, "c").await;
    let quota = talk.header("x-container-meta-quota-bytes", "250000").header("x-container-meta-quota-count", "5");
    quota.send("POST", &format!("{ACCOUNT}/c"), Vec::new()).await.expect(204);
    let uploads = (0..8u8).map(|i| {
        let talk = talk.clone();
        tokio::spawn(async move { put(&talk, &format!("c/{i}"), large(i)).await.status.as_u16() })
    });
    let statuses: Vec<u16> = join_all(uploads).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 2, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 201 | 413)), "{statuses:?}");
    let said = talk.send("HEAD", &format!("{ACCOUNT}/c"), Vec::new()).await;
    assert_eq!(header(&said, "x-container-bytes-used"), "200000");
    let small = (0..8u8).map(|i| {
        let talk = talk.clone();
        tokio::spawn(async move { put(&talk, &format!("c/s{i}"), b"x".to_vec()).await.status.as_u16() })
    });
    let made = join_all(small).await.into_iter().filter(|status| *status.as_ref().unwrap() == 201).count();
    assert_eq!(made, 3);
    settle(&it).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_uploads_at_once_the_one_that_began_last_stays() {
    let it = start().await;
    let talk = it.member();
    container(&talk, "c").await;
    let uploads = (0..10u8).map(|i| {
        let talk = talk.clone();
        tokio::spawn(async move { put(&talk, "c/o", large(i)).await.status.as_u16() })
    });
    let statuses: Vec<u16> = join_all(uploads).await.into_iter().map(Result::unwrap).collect();
    assert!(statuses.iter().all(|status| matches!(status, 201 | 202)), "{statuses:?}");
    let said = get(&talk, "c/o").await;
    assert!((0..10u8).any(|i| said.body.as_str().unwrap().as_bytes() == large(i)));
    // One that began before this does not come in after it.
    let place = crate::place::Place::read("AUTH_p1/c/o").unwrap();
    let who = crate::grant::Who::asking(access::Asker::new(
        Arc::new(world::caller("member@p1").unwrap()),
        world::policies_in_force(&ROOM.policies(), &ROOM.rules()).now(),
    ));
    let admitted = crate::object::admit(&it.room, &who, &place, false).await.unwrap();
    let chunks = futures_util::stream::iter([Ok(bytes::Bytes::from(large(20)))]);
    let taken = crate::data::take(&it.room, "p1", None, u64::MAX, chunks).await.unwrap();
    let wanted = crate::object::Wanted {
        stamp: types::Timestamp::from_seconds(1),
        content_type: "text/x".into(),
        words: crate::object::Words::default(),
        kind: crate::object::Kind::Plain,
        delete_at: None,
        if_none: false,
    };
    let content = crate::object::Content::Taken(taken);
    let put = crate::object::commit(&it.room, admitted.granted, &place, wanted, content).await.unwrap();
    assert!(!put.is_there);
    assert_eq!(get(&talk, "c/o").await.body, said.body);
    settle(&it).await;
}

/// What was given up goes in a task of its own.
async fn settle(it: &Room) {
    for _ in 0..100 {
        if !it.room.arriving.are_any() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    it.work_until_nothing_is_left().await;
    it.is_sound().await;
}
