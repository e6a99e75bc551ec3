// SPDX-License-Identifier: Apache-2.0
//! A database is known again, and says when it was put back to an earlier state.

use types::{DatabaseId, DatabaseMark};

use super::behaviour::run;
use super::fixture::{Fixture, TABLES};
use crate::{Actor, Error, Event, EventFilter, Store};

async fn something_happens(store: &Store) -> i64 {
    let event = Event {
        actor: Actor::system("test"),
        action: "thing.create".to_owned(),
        resource_type: "thing",
        resource_id: "a".to_owned(),
        project_id: None,
        before: None,
        after: None,
    };
    store.write(move |tx| tx.record(event.clone())).await.unwrap();
    store.mark().await.unwrap().event
}

pub(super) async fn a_database_has_one_id_for_life(fixture: Fixture) {
    let first = fixture.store.mark().await.unwrap();
    assert!(!fixture.store.is_new().await.unwrap());
    fixture.store.migrate(&[TABLES]).await.unwrap();
    let again = fixture.reopen().await;
    assert_eq!(again.store.mark().await.unwrap(), first);
}

pub(super) async fn a_copy_that_is_older_than_what_was_seen_says_so_once(fixture: Fixture) {
    let store = &fixture.store;
    let newest = something_happens(store).await;
    let database = store.mark().await.unwrap().database;
    let seen = |event| DatabaseMark { database: database.clone(), event };
    assert!(!store.compare(&seen(newest), "host one").await.unwrap(), "as far as it was seen is fine");
    let other = DatabaseMark { database: DatabaseId::generate(), event: i64::MAX };
    assert!(!store.compare(&other, "host one").await.unwrap(), "another database says nothing");
    assert_eq!(store.put_back().await.unwrap(), None);

    let later = newest + (77 << 20);
    assert!(store.compare(&seen(later), "host one").await.unwrap());
    assert!(!store.compare(&seen(later), "host two").await.unwrap(), "it is found once");
    assert_eq!(store.put_back().await.unwrap().unwrap().seen_by, "host one");
    let next = something_happens(store).await;
    assert!(next > later, "{next} is not above {later}: an id of a lost event was given again");
    let all = store.events(newest, 10, EventFilter { resource_type: Some("thing".to_owned()), ..EventFilter::default() }).await;
    assert_eq!(all.unwrap().len(), 1, "who followed what was lost goes on with what comes");
}

pub(super) async fn a_table_or_column_that_is_missing_is_told_at_the_start(fixture: Fixture) {
    let store = &fixture.store;
    run(store, "ALTER TABLE things DROP COLUMN note").await.unwrap();
    let refused = store.migrate(&[TABLES]).await.unwrap_err();
    assert!(matches!(&refused, Error::NotWhole { missing } if missing == "the column note of the table things"), "{refused}");
    run(store, "DROP TABLE things").await.unwrap();
    let refused = store.migrate(&[TABLES]).await.unwrap_err().to_string();
    assert!(refused.contains("the table things is missing") && refused.contains("restore it from a backup"), "{refused}");
}
