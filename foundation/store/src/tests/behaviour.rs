// SPDX-License-Identifier: Apache-2.0
//! What a room relies on, whichever engine is underneath.

use super::fixture::Fixture;
use crate::{Error, Result, Store, Tx, params};

pub(super) async fn what_is_committed_is_seen_and_survives_reopening(fixture: Fixture) {
    fixture.store.write(|tx| insert(tx, "a", "web")).await.unwrap();
    assert_eq!(names(&fixture.store).await, ["web"]);
    let reopened = fixture.reopen().await;
    assert_eq!(names(&reopened.store).await, ["web"]);
}

pub(super) async fn an_error_leaves_nothing_behind(fixture: Fixture) {
    let failed: Result<()> = fixture
        .store
        .write(|tx| {
            insert(tx, "a", "web")?;
            Err(Error::Conflict)
        })
        .await;
    assert!(matches!(failed, Err(Error::Conflict)), "{failed:?}");
    assert!(names(&fixture.store).await.is_empty());
}

pub(super) async fn a_stale_generation_is_a_conflict(fixture: Fixture) {
    let rename = |name: &'static str, generation: i64| {
        fixture.store.write(move |tx| {
            tx.execute_cas(
                "UPDATE things SET name = $1, generation = generation + 1 WHERE id = $2 AND generation = $3",
                &params![name, "a", generation],
            )
        })
    };
    fixture.store.write(|tx| insert(tx, "a", "web")).await.unwrap();
    rename("mail", 1).await.unwrap();
    let stale = rename("late", 1).await;
    assert!(matches!(stale, Err(Error::Conflict)), "{stale:?}");
    assert_eq!(names(&fixture.store).await, ["mail"]);
}

pub(super) async fn broken_rules_have_types(fixture: Fixture) {
    let store = &fixture.store;
    store.write(|tx| insert(tx, "a", "web")).await.unwrap();

    let same_name = store.write(|tx| insert(tx, "b", "web")).await.unwrap_err();
    assert!(same_name.is_unique("name"), "{same_name:?}");
    assert_eq!(same_name.to_string(), "a row with the same project_id, name exists in things already");
    let same_id = store.write(|tx| insert(tx, "a", "mail")).await.unwrap_err();
    assert!(same_id.is_unique("id"), "{same_id:?}");
    assert!(!same_id.is_unique("name"), "{same_id:?}");

    let half = run(store, "UPDATE things SET enabled = 2").await.unwrap_err();
    assert!(matches!(half, Error::Constraint { .. }), "{half:?}");
    let none = run(store, "UPDATE things SET project_id = NULL").await;
    assert!(matches!(none, Err(Error::Constraint { .. })), "{none:?}");
    let orphan = run(store, "UPDATE things SET owner_id = 'nobody'").await;
    assert!(matches!(orphan, Err(Error::ForeignKey { .. })), "{orphan:?}");
}

pub(super) async fn reads_cannot_write(fixture: Fixture) {
    let read = fixture.store.read(|tx| insert(tx, "a", "web")).await;
    assert!(read.is_err());
    let list = fixture.store.list(|tx| insert(tx, "a", "web")).await;
    assert!(list.is_err());
    assert!(names(&fixture.store).await.is_empty());
}

pub(super) async fn after_a_failed_statement_nothing_more_is_done(fixture: Fixture) {
    let store = &fixture.store;
    store.write(|tx| insert(tx, "a", "web")).await.unwrap();
    let swallowed: Result<()> = store
        .write(|tx| {
            insert(tx, "b", "mail")?;
            assert!(insert(tx, "c", "web").is_err());
            let more = insert(tx, "d", "dns");
            assert!(matches!(more, Err(Error::Aborted)), "{more:?}");
            Ok(())
        })
        .await;
    assert!(matches!(swallowed, Err(Error::Aborted)), "{swallowed:?}");
    assert_eq!(names(store).await, ["web"]);
}

pub(super) async fn a_panic_is_an_error_and_the_store_goes_on(fixture: Fixture) {
    let store = &fixture.store;
    let written: Result<()> = store
        .write(|tx| {
            insert(tx, "a", "web")?;
            panic!("a bug in a room")
        })
        .await;
    let said = written.unwrap_err().to_string();
    assert!(said.contains("a bug in a room"), "{said}");
    let read: Result<()> = store.read(|_| panic!("another")).await;
    assert!(matches!(read, Err(Error::Panicked { .. })), "{read:?}");
    assert!(names(store).await.is_empty());
    store.write(|tx| insert(tx, "b", "mail")).await.unwrap();
    assert_eq!(names(store).await, ["mail"]);
}

pub(super) async fn statements_are_counted(fixture: Fixture) {
    let store = &fixture.store;
    let before = store.statements();
    store
        .write(|tx| {
            insert(tx, "a", "web")?;
            insert(tx, "b", "mail")
        })
        .await
        .unwrap();
    assert_eq!(store.statements() - before, 2);
    names(store).await;
    assert_eq!(store.statements() - before, 3);
}

pub(super) async fn a_current_thread_runtime_works_too(fixture: Fixture) {
    let Fixture { store, url, _dir } = fixture;
    drop(store);
    let elsewhere = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = Store::open(&url).await.unwrap();
            store.write(|tx| insert(tx, "a", "web")).await.unwrap();
            let count = store.list(|tx| tx.query_one("SELECT count(*) FROM things", &[])?.get(0));
            let count: i64 = count.await.unwrap();
            assert_eq!(count, 1);
            names(&store).await
        })
    });
    let names = tokio::task::spawn_blocking(|| elsewhere.join().unwrap());
    assert_eq!(names.await.unwrap(), ["web"]);
}

pub(super) fn insert(tx: &mut Tx, id: &str, name: &str) -> Result<()> {
    let sql = "INSERT INTO things (id, project_id, name) VALUES ($1, 'p', $2)";
    tx.execute(sql, &params![id, name]).map(drop)
}

pub(super) async fn run(store: &Store, sql: &'static str) -> Result<u64> {
    store.write(move |tx| tx.execute(sql, &[])).await
}

pub(super) async fn names(store: &Store) -> Vec<String> {
    let read = store.read(|tx| {
        let rows = tx.query("SELECT name FROM things ORDER BY id", &[])?;
        rows.iter().map(|row| row.get(0)).collect::<Result<_>>()
    });
    read.await.unwrap()
}
