// SPDX-License-Identifier: Apache-2.0
//! Writers of one process on PostgreSQL, who share a transaction.

use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::behaviour::{insert, names, run};
use super::fixture;
use crate::lead::Controller;
use crate::store::Backend;
use crate::{Actor, Error, Event, PostgresSettings, Result, Store, params};

const PATIENCE: Duration = Duration::from_secs(30);

fn waiting(store: &Store) -> usize {
    match store.backend() {
        Backend::Postgres(postgres) => postgres.waiting(),
        Backend::Sqlite(_) => 0,
    }
}

/// With so few connections one group runs at a time.
async fn one_group() -> Store {
    let url = fixture::postgres().await.url;
    Store::open_with(&url, &PostgresSettings { connections: 4, ..PostgresSettings::default() }).await.unwrap()
}

/// Holds a group open, from when this returns until so many others stand in line: those come into it, or form the next.
pub(super) async fn hold_up(store: &Store, others: usize) -> JoinHandle<()> {
    let (held, line) = (store.clone(), store.clone());
    let (begun, has_begun) = oneshot::channel();
    let begun = Mutex::new(Some(begun));
    let holding = tokio::spawn(async move {
        let hold = held.write(move |_| {
            // It may be run again with the others.
            let Some(begun) = begun.lock().unwrap().take() else { return Ok(()) };
            let _ = begun.send(());
            let began = Instant::now();
            while waiting(&line) < others && began.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok::<_, Error>(())
        });
        // What becomes of it is what becomes of those who came into its group.
        let _ = hold.await;
    });
    has_begun.await.unwrap();
    holding
}

fn write<T: Send + 'static>(
    store: &Store,
    job: impl Fn(&mut crate::Tx) -> Result<T> + Send + Sync + 'static,
) -> JoinHandle<Result<T>> {
    let store = store.clone();
    tokio::spawn(async move { store.write(job).await })
}

/// Lets this one stand in line before the next.
async fn stands(store: &Store, count: usize) {
    let there = async {
        while waiting(store) < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, there).await.expect("it stands in line");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_wait_together_share_one_commit_and_one_look_at_the_lead() {
    let store = one_group().await;
    let lead = store.take_lead(&Controller { name: "a:1".to_owned(), addresses: vec![] }).await.unwrap();
    let led = store.led(&lead);
    let (commits, statements) = (store.commits(), store.statements());
    let held = hold_up(&store, 20).await;
    let writers = (0..20).map(|number| write(&led, move |tx| insert(tx, &format!("{number:02}"), &format!("{number:02}"))));
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap().unwrap();
    }
    held.await.unwrap();
    let commits = store.commits() - commits;
    assert!(commits <= 2, "{commits}");
    assert!(store.statements() - statements <= 20 + commits);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_not_waited_for() {
    let store = one_group().await;
    let mut waits = Vec::new();
    for events in [1, 9] {
        let before = store.round_trips();
        let written = store.write(move |tx| {
            insert(tx, &events.to_string(), &events.to_string())?;
            for _ in 0..events {
                tx.record(Event {
                    actor: Actor::system("test"),
                    action: "thing.create".to_owned(),
                    resource_type: "thing",
                    resource_id: events.to_string(),
                    project_id: None,
                    before: None,
                    after: None,
                })?;
            }
            Ok::<_, Error>(())
        });
        written.await.unwrap();
        waits.push(store.round_trips() - before);
    }
    assert_eq!(waits[0], waits[1]);
    assert_eq!(store.events(0, 100, crate::EventFilter::default()).await.unwrap().len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_a_statement_failed_which_nobody_waited_for_is_said_by_the_commit_and_to_its_writer_alone() {
    let store = one_group().await;
    run(&store, "INSERT INTO things (id, project_id, name) VALUES ('same', 'p', 'same')").await.unwrap();
    let held = hold_up(&store, 3).await;
    let sql = "INSERT INTO things (id, project_id, name) VALUES ($1, 'p', $1)";
    let writers = ["one", "same", "two"].map(|id| write(&store, move |tx| tx.later(sql, &params![id])));
    let mut answers = Vec::new();
    for writer in writers {
        answers.push(writer.await.unwrap());
    }
    held.await.unwrap();
    assert!(matches!(answers[..], [Ok(()), Err(Error::Unique { .. }), Ok(())]), "{answers:?}");
    assert_eq!(names(&store).await, ["one", "same", "two"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_refused_for_a_change_that_came_to_nothing() {
    let store = one_group().await;
    let held = hold_up(&store, 2).await;
    let first = write(&store, |tx| {
        insert(tx, "first", "same")?;
        // Seen at the commit only.
        tx.execute("UPDATE things SET owner_id = 'nobody' WHERE id = 'first'", &[]).map(drop)
    });
    stands(&store, 1).await;
    let second = write(&store, |tx| insert(tx, "second", "same"));
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    held.await.unwrap();
    assert!(matches!(first, Err(Error::ForeignKey { .. })), "{first:?}");
    second.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_group_only_the_writes_of_a_lead_that_is_over_are_refused() {
    let store = one_group().await;
    let lead = store.take_lead(&Controller { name: "a:1".to_owned(), addresses: vec![] }).await.unwrap();
    let led = store.led(&lead);
    run(&store, "UPDATE lead SET generation = generation + 1").await.unwrap();
    let held = hold_up(&store, 4).await;
    let open = ["one", "two"].map(|id| write(&store, move |tx| insert(tx, id, id)));
    let late = ["three", "four"].map(|id| write(&led, move |tx| insert(tx, id, id)));
    for open in open {
        open.await.unwrap().unwrap();
    }
    for late in late {
        let late = late.await.unwrap();
        assert!(matches!(late, Err(Error::NotLeading)), "{late:?}");
    }
    held.await.unwrap();
    assert_eq!(names(&store).await, ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_stands_still_holds_nobody_up_for_long() {
    let store = fixture::postgres().await.store;
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let may_go_on = Mutex::new(may_go_on);
    let (begins, began) = oneshot::channel();
    let begins = Mutex::new(Some(begins));
    let stands_still = write(&store, move |tx| {
        insert(tx, "slow", "slow")?;
        if let Some(begins) = begins.lock().unwrap().take() {
            begins.send(()).unwrap();
        }
        // Whoever runs it again finds the channel closed.
        let _ = may_go_on.lock().unwrap().recv();
        Ok(())
    });
    // Who stood in the line before it would share its group, and its wait.
    timeout(PATIENCE, began).await.unwrap().unwrap();
    let others = (0..8).map(|number| write(&store, move |tx| insert(tx, &number.to_string(), &number.to_string())));
    for other in others.collect::<Vec<_>>() {
        timeout(PATIENCE, other).await.expect("it does not wait for the slow one").unwrap().unwrap();
    }
    drop(go_on);
    stands_still.await.unwrap().unwrap();
    assert_eq!(names(&store).await.len(), 9);
}
