// SPDX-License-Identifier: Apache-2.0
//! Steps run once, in order, and a database that this version does not understand is left alone.

use super::behaviour::{insert, names, run};
use super::fixture::{Fixture, TABLES, THINGS};
use crate::{Error, Migrations, Step, Store};

const COLOUR: Step = Step { number: 2, name: "colour", sql: "ALTER TABLE things ADD COLUMN colour TEXT NOT NULL DEFAULT 'red';" };

const WITH_COLOUR: Migrations = Migrations::new("tests", &[THINGS, COLOUR]);

pub(super) async fn migrations_run_once(fixture: Fixture) {
    let store = &fixture.store;
    store.write(|tx| insert(tx, "a", "web")).await.unwrap();
    store.migrate(&[TABLES]).await.unwrap();
    store.migrate(&[WITH_COLOUR]).await.unwrap();
    store.migrate(&[WITH_COLOUR]).await.unwrap();
    let colour = store.read(|tx| tx.query_one("SELECT colour FROM things", &[])?.get::<String>(0));
    assert_eq!(colour.await.unwrap(), "red");
    let noted = store.read(|tx| {
        let sql = "SELECT count(*) FROM schema_migrations WHERE room = 'tests'";
        tx.query_one(sql, &[])?.get::<i64>(0)
    });
    assert_eq!(noted.await.unwrap(), 2);
}

pub(super) async fn a_changed_migration_is_refused(fixture: Fixture) {
    const CHANGED: Migrations = Migrations::new("tests", &[Step { sql: "CREATE TABLE other (id TEXT PRIMARY KEY);", ..THINGS }]);
    let refused = fixture.store.migrate(&[CHANGED]).await.unwrap_err();
    assert_eq!(refused.to_string(), "migration 1 (things) of `tests` was changed after this database had run it");
}

pub(super) async fn newer_tables_are_refused(fixture: Fixture) {
    fixture.store.migrate(&[WITH_COLOUR]).await.unwrap();
    let refused = fixture.store.migrate(&[TABLES]).await;
    let expected = Error::NewerSchema { room: "tests".to_owned(), found: 2, known: 1 };
    assert_eq!(refused.unwrap_err().to_string(), expected.to_string());
}

pub(super) async fn a_newer_store_is_refused_when_opened(fixture: Fixture) {
    let Fixture { store, url, _dir } = fixture;
    let sql = "INSERT INTO schema_migrations VALUES ('store', 99, 'future', '', 0)";
    run(&store, sql).await.unwrap();
    drop(store);
    let opened = Store::open(&url).await;
    assert!(matches!(opened, Err(Error::NewerSchema { found: 99, .. })), "{opened:?}");
}

pub(super) async fn a_failing_migration_leaves_nothing_behind(fixture: Fixture) {
    const BAD: Step = Step { number: 3, name: "broken", sql: "CREATE TABLE half (id TEXT); INSERT INTO nowhere VALUES (1);" };
    const BROKEN: Migrations = Migrations::new("tests", &[THINGS, COLOUR, BAD]);
    let store = &fixture.store;
    let failed = store.migrate(&[BROKEN]).await.unwrap_err();
    assert_eq!(failed.to_string(), "apply migration 3 (broken) of `tests`");
    let half = store.read(|tx| tx.query("SELECT id FROM half", &[])).await;
    assert!(half.is_err());
    store.migrate(&[WITH_COLOUR]).await.unwrap();
    assert!(names(store).await.is_empty());
}
