// SPDX-License-Identifier: Apache-2.0
//! Many writers and readers at once.

use tokio::task::JoinSet;

use super::behaviour::{insert, names, run};
use super::fixture::Fixture;
use crate::{Error, Result, params};

pub(super) async fn a_failing_writer_takes_nobody_along(fixture: Fixture) {
    let mut writers = JoinSet::new();
    for number in 0..40 {
        let store = fixture.store.clone();
        writers.spawn(async move {
            let written: Result<()> = store
                .write(move |tx| {
                    insert(tx, &format!("{number:02}"), &format!("n{number:02}"))?;
                    match number % 4 {
                        0 => Err(Error::Conflict),
                        1 => panic!("a bug in one room"),
                        2 => insert(tx, "same", "same"),
                        _ => Ok(()),
                    }
                })
                .await;
            (number, written.is_ok())
        });
    }
    let mut kept: Vec<String> = Vec::new();
    while let Some(writer) = writers.join_next().await {
        let (number, written) = writer.unwrap();
        if written {
            kept.push(format!("n{number:02}"));
        }
    }
    // All of kind 3, and exactly one of those that wanted the same row.
    assert_eq!(kept.len(), 11, "{kept:?}");
    kept.push("same".to_owned());
    kept.sort();
    assert_eq!(names(&fixture.store).await, kept);
}

pub(super) async fn a_deferred_constraint_fails_only_its_own_writer(fixture: Fixture) {
    let mut writers = JoinSet::new();
    for number in 0..20 {
        let store = fixture.store.clone();
        writers.spawn(async move {
            let owner = (number % 5 == 0).then_some("nobody");
            let id = format!("{number:02}");
            let written = store
                .write(move |tx| {
                    insert(tx, &id, &id)?;
                    let sql = "UPDATE things SET owner_id = $1 WHERE id = $2";
                    tx.execute(sql, &params![owner, id.as_str()]).map(drop)
                })
                .await;
            (number, written)
        });
    }
    while let Some(writer) = writers.join_next().await {
        let (number, written) = writer.unwrap();
        if number % 5 == 0 {
            assert!(matches!(written, Err(Error::ForeignKey { .. })), "{written:?}");
        } else {
            written.unwrap();
        }
    }
    assert_eq!(names(&fixture.store).await.len(), 16);
}

pub(super) async fn sixty_four_writers_are_all_there(fixture: Fixture) {
    let store = &fixture.store;
    let (commits, writes) = (store.commits(), store.writes());
    let mut writers = JoinSet::new();
    for writer in 0..64 {
        let store = store.clone();
        writers.spawn(async move {
            for turn in 0..8 {
                let id = format!("{writer:02}-{turn}");
                store.write(move |tx| insert(tx, &id, &id)).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    assert_eq!(names(store).await.len(), 512);
    let (commits, writes) = (store.commits() - commits, store.writes() - writes);
    assert_eq!(writes, 512);
    // The whole point of groups; 64 waiting writers are far fewer commits than this bound.
    assert!(commits < writes / 4, "{commits} commits for {writes} writes");
}

pub(super) async fn no_update_is_lost(fixture: Fixture) {
    let store = &fixture.store;
    store.write(|tx| insert(tx, "counter", "c")).await.unwrap();
    run(store, "UPDATE things SET size = 0").await.unwrap();
    let mut writers = JoinSet::new();
    for _ in 0..32 {
        let store = store.clone();
        writers.spawn(async move {
            let counted: Result<()> = store
                .write(|tx| {
                    // Read, then write what was read plus one: right only if no other writer comes between.
                    let row = tx.query_one("SELECT size FROM things WHERE id = 'counter'", &[])?;
                    let size: i64 = row.get(0)?;
                    let sql = "UPDATE things SET size = $1 WHERE id = 'counter'";
                    tx.execute(sql, &params![size + 1]).map(drop)
                })
                .await;
            counted.unwrap();
        });
    }
    writers.join_all().await;
    let size = store.read(|tx| tx.query_one("SELECT size FROM things", &[])?.get::<i64>(0));
    assert_eq!(size.await.unwrap(), 32);
}

pub(super) async fn a_list_sees_one_state(fixture: Fixture) {
    let store = fixture.store.clone();
    let writer = tokio::spawn(async move {
        for number in 0..50 {
            let id = format!("{number:02}");
            store.write(move |tx| insert(tx, &id, &id)).await.unwrap();
        }
    });
    let mut different = 0;
    while !writer.is_finished() {
        let counts = fixture.store.list(|tx| {
            let mut count = || tx.query_one("SELECT count(*) FROM things", &[])?.get::<i64>(0);
            let first = count()?;
            std::thread::sleep(std::time::Duration::from_millis(5));
            Ok::<_, Error>((first, count()?))
        });
        let (first, second) = counts.await.unwrap();
        different += i32::from(first != second);
    }
    writer.await.unwrap();
    assert_eq!(different, 0);
    assert_eq!(names(&fixture.store).await.len(), 50);
}
