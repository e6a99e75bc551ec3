// SPDX-License-Identifier: Apache-2.0
//! The lead among several controllers on one PostgreSQL.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use tokio::time::timeout;

use super::behaviour::{insert, names};
use super::fixture::{self, Fixture};
use crate::lead::{Controller, Lead};
use crate::{Error, Store};

/// Longer than a busy machine needs, and than the server waits for a silent session.
const PATIENCE: Duration = Duration::from_secs(30);
/// Long enough for a wrong step to be taken.
const WHILE: Duration = Duration::from_millis(1500);

fn controller(name: &str) -> Controller {
    Controller { name: name.to_owned(), addresses: vec![name.to_owned()] }
}

async fn take(store: &Store, name: &str) -> Lead {
    timeout(PATIENCE, store.take_lead(&controller(name))).await.expect("the lead is free").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_controllers_one_leads_and_the_other_follows_it() {
    let Fixture { store: one, url, .. } = fixture::postgres().await;
    let other = Store::open(&url).await.unwrap();
    let (a, b) = (controller("a:1"), controller("b:1"));
    let (first, second) = tokio::join!(timeout(WHILE, one.take_lead(&a)), timeout(WHILE, other.take_lead(&b)));
    assert_eq!(u8::from(first.is_ok()) + u8::from(second.is_ok()), 1, "{first:?} {second:?}");
    let (lead, waiting, waiter) =
        if let Ok(lead) = first { (lead.unwrap(), &other, &b) } else { (second.unwrap().unwrap(), &one, &a) };
    assert_eq!(lead.generation(), 1);
    assert_ne!(one.leader().await.unwrap().unwrap().name, waiter.name);

    drop(lead);
    let lead = take(waiting, &waiter.name).await;
    assert_eq!(lead.generation(), 2);
    let leader = one.leader().await.unwrap().unwrap();
    assert_eq!((leader.name, leader.generation), (waiter.name.clone(), 2));
    let known: Vec<String> = one.controllers().await.unwrap().into_iter().map(|seen| seen.controller.name).collect();
    assert_eq!(known, ["a:1", "b:1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lead_that_was_lost_writes_nothing() {
    let Fixture { store: one, url, .. } = fixture::postgres().await;
    let other = Store::open(&url).await.unwrap();
    let mut lead = take(&one, "a:1").await;
    let led = one.led(&lead);
    led.write(|tx| insert(tx, "first", "first")).await.unwrap();

    // A write that is under way when the lead is lost.
    let (begun, has_begun) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let may_go_on = Mutex::new(may_go_on);
    let under_way = tokio::spawn({
        let led = led.clone();
        async move {
            let write = led.write(move |tx| {
                insert(tx, "under way", "under way")?;
                let _ = begun.send(());
                // Whoever runs it again finds the channel closed.
                let _ = may_go_on.lock().unwrap().recv();
                Ok::<_, Error>(())
            });
            write.await
        }
    });
    tokio::task::spawn_blocking(move || has_begun.recv().unwrap()).await.unwrap();
    lose(&other).await;
    timeout(PATIENCE, lead.lost()).await.expect("it is told that it lost the lead");

    let taking = tokio::spawn({
        let other = other.clone();
        async move { take(&other, "b:1").await }
    });
    tokio::time::sleep(WHILE).await;
    assert!(!taking.is_finished(), "the lead was taken while a write of the one before was not over");
    go_on.send(()).unwrap();
    drop(go_on);
    let next = taking.await.unwrap();
    assert_eq!(next.generation(), 2);
    let kept = under_way.await.unwrap();
    let seen = names(&other).await;
    assert_eq!(kept.is_ok(), seen.contains(&"under way".to_owned()), "{kept:?}, and the next leader saw {seen:?}");

    let late = led.write(|tx| insert(tx, "late", "late")).await;
    assert!(matches!(late, Err(Error::NotLeading)), "{late:?}");
    assert_eq!(names(&one).await, seen);
    // What needs no lead goes on.
    one.write(|tx| insert(tx, "open", "open")).await.unwrap();
    other.led(&next).write(|tx| insert(tx, "next", "next")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lead_is_above_what_was_seen_outside() {
    let store = fixture::postgres().await.store;
    let mut lead = take(&store, "a:1").await;
    let led = store.led(&lead);
    led.outbid(41).await.unwrap();
    timeout(PATIENCE, lead.lost()).await.expect("the lead is lost by that");
    assert!(matches!(led.outbid(100).await, Err(Error::NotLeading)));
    drop(lead);
    assert_eq!(take(&store, "a:1").await.generation(), 42);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_whoever_opened_the_file_leads() {
    let store = fixture::sqlite().await.store;
    let lead = take(&store, "a:1").await;
    store.led(&lead).write(|tx| insert(tx, "mine", "mine")).await.unwrap();
    assert_eq!(take(&store, "a:1").await.generation(), 2);
    store.led(&lead).write(|tx| insert(tx, "still mine", "still mine")).await.unwrap();
    assert_eq!(store.leader().await.unwrap().unwrap().generation, 2);
}

/// Ends the session that holds the lock.
async fn lose(store: &Store) {
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database \
               WHERE locktype = 'advisory' AND objid = 7311103 AND datname = current_database()";
    let ended: i64 = store.read(|tx| tx.query_one(end, &[])?.get(0)).await.unwrap();
    assert_eq!(ended, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn controllers_that_start_together_know_of_each_other() {
    let Fixture { store: one, url, .. } = fixture::postgres().await;
    assert_eq!(one.others(&controller("a:1")).await.unwrap(), []);
    // It was killed, and starts again.
    assert_eq!(one.others(&controller("a:1")).await.unwrap(), []);
    let other = Store::open(&url).await.unwrap();
    let (b, c) = (controller("b:1"), controller("c:1"));
    let (seen_by_b, seen_by_c) = tokio::join!(one.others(&b), other.others(&c));
    let (seen_by_b, seen_by_c) = (seen_by_b.unwrap(), seen_by_c.unwrap());
    assert!(seen_by_b.contains(&c) || seen_by_c.contains(&b), "{seen_by_b:?} {seen_by_c:?}");
    assert!(seen_by_b.contains(&controller("a:1")));
}
