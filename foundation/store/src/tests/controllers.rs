// SPDX-License-Identifier: Apache-2.0
//! Several controllers on one PostgreSQL, and a server that drops its connections.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::behaviour::{insert, names, run};
use super::fixture::{self, Fixture, TABLES};
use super::streams::{all, next};
use crate::{Actor, Error, Event, EventFilter, Result, Store};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_by_one_controller_wakes_the_others() {
    let Fixture { store: one, url, .. } = fixture::postgres().await;
    let other = Store::open(&url).await.unwrap();
    let mut wake = other.watch(&["thing"]);
    let mut following = other.subscribe(0, EventFilter::default());
    for round in ["before", "after the connections were lost"] {
        // The first wake may be that of a new subscription.
        while timeout(Duration::from_millis(1500), wake.wait()).await.is_ok() {}
        let write = one.write(move |tx| tx.record(created(round)));
        write.await.unwrap();
        timeout(Duration::from_secs(10), wake.wait()).await.unwrap();
        assert_eq!(next(&mut following).await[0].resource_id, round);
        terminate_connections(&one).await;
        recovers(&one).await;
        recovers(&other).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn controllers_that_start_together_migrate_once() {
    let url = database::new_postgres_database().await;
    let mut starting = JoinSet::new();
    for _ in 0..8 {
        let url = url.clone();
        starting.spawn(async move { Store::open(&url).await?.migrate(&[TABLES]).await });
    }
    for started in starting.join_all().await {
        started.unwrap();
    }
    let store = Store::open(&url).await.unwrap();
    let noted = store.read(|tx| tx.query_one("SELECT count(*) FROM schema_migrations", &[])?.get::<i64>(0));
    assert_eq!(noted.await.unwrap(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_is_an_error_once_and_then_replaced() {
    let store = fixture::postgres().await.store;
    store.write(|tx| insert(tx, "a", "web")).await.unwrap();
    let cut_off: Result<()> = store
        .write(|tx| {
            insert(tx, "b", "mail")?;
            tx.query("SELECT pg_terminate_backend(pg_backend_pid())", &[])?;
            insert(tx, "c", "dns")
        })
        .await;
    assert!(matches!(cut_off, Err(Error::Unreachable { .. })), "{cut_off:?}");
    recovers(&store).await;
    assert_eq!(names(&store).await, ["web"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_wait_for_older_transactions_of_the_same_database_only() {
    let store = fixture::postgres().await.store;
    let elsewhere = fixture::postgres().await.store;
    let foreign = hold_open(&elsewhere).await;
    store.write(|tx| tx.record(created("a"))).await.unwrap();
    all(&store, 1).await;
    let older = hold_open(&store).await;
    store.write(|tx| tx.record(created("b"))).await.unwrap();
    // The older one may still write an event that comes first.
    all(&store, 1).await;
    older.end().await;
    all(&store, 2).await;
    foreign.end().await;
}

/// A transaction that has its number, and waits.
struct Open {
    go_on: mpsc::Sender<()>,
    writer: JoinHandle<Result<()>>,
}

async fn hold_open(store: &Store) -> Open {
    let (numbered, has_number) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let (store, may_go_on) = (store.clone(), Mutex::new(may_go_on));
    let writer = tokio::spawn(async move {
        let write = store.write(move |tx| {
            insert(tx, "held", "held")?;
            numbered.send(()).unwrap();
            may_go_on.lock().unwrap().recv().unwrap();
            Ok(())
        });
        write.await
    });
    tokio::task::spawn_blocking(move || has_number.recv().unwrap()).await.unwrap();
    Open { go_on, writer }
}

impl Open {
    async fn end(self) {
        self.go_on.send(()).unwrap();
        self.writer.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stream_goes_on_after_a_dump_is_restored_elsewhere() {
    let store = fixture::postgres().await.store;
    store.write(|tx| tx.record(created("old"))).await.unwrap();
    // As if they came from a cluster that had run a million transactions more.
    run(&store, "UPDATE events SET id = id + (1000000::bigint << 20)").await.unwrap();
    store.migrate(&[]).await.unwrap();
    store.write(|tx| tx.record(created("new"))).await.unwrap();
    let events = all(&store, 2).await;
    let order: Vec<_> = events.iter().map(|event| event.resource_id.as_str()).collect();
    assert_eq!(order, ["old", "new"]);
}

/// Cuts all connections to the database, the caller's own last.
async fn terminate_connections(store: &Store) {
    let cut = store.read(|tx| {
        tx.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() ORDER BY pid = pg_backend_pid()",
            &[],
        )
    });
    // It cannot be told of its own end.
    assert!(cut.await.is_err());
}

/// Each idle connection may fail once before it is replaced.
async fn recovers(store: &Store) {
    for _ in 0..20 {
        if store.read(|tx| tx.query("SELECT 1", &[])).await.is_ok() {
            return;
        }
    }
    panic!("the store did not recover");
}

fn created(id: &str) -> Event {
    Event {
        actor: Actor::system("tests"),
        action: "thing.create".to_owned(),
        resource_type: "thing",
        resource_id: id.to_owned(),
        project_id: None,
        before: None,
        after: None,
    }
}
