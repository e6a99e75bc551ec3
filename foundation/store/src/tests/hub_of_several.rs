// SPDX-License-Identifier: Apache-2.0
//! What one controller knows of another's commits when notifications get lost, when a transaction runs for long, and when the
//! database is silent.

use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::behaviour::insert;
use super::fixture;
use super::hub::record;
use super::streams::{next, wakes};
use crate::{Error, EventFilter, Store, Touched};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_controller_commits_is_known_within_a_second_without_notifications() {
    let fixture = fixture::postgres().await;
    database::swallow_notifications(&fixture.url).await;
    let (one, other) = (Store::open(&fixture.url).await.unwrap(), Store::open(&fixture.url).await.unwrap());
    other.current().await.unwrap();
    let mut wake = other.watch_others(&["thing"]);
    for number in 0..5 {
        let id = number.to_string();
        record(&one, &[&id]).await;
        // Whatever is not known after this second is looked up before anybody relies on it.
        sleep(Duration::from_secs(1)).await;
        other.current().await.unwrap();
        let Ok(Touched::These(things)) = timeout(Duration::ZERO, wake.wait()).await else { panic!("{id} is not known") };
        assert_eq!(things.iter().map(|thing| &*thing.id).collect::<Vec<_>>(), [id]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wake_does_not_wait_for_older_transactions_but_the_stream_does() {
    let fixture = fixture::postgres().await;
    let (one, other) = (fixture.store, Store::open(&fixture.url).await.unwrap());
    other.current().await.unwrap();
    let mut following = other.subscribe(0, EventFilter::default());
    let (numbered, has_number) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let (holder, may_go_on) = (one.clone(), Mutex::new(may_go_on));
    let older = tokio::spawn(async move {
        let write = holder.write(move |tx| {
            insert(tx, "held", "held")?;
            numbered.send(()).unwrap();
            may_go_on.lock().unwrap().recv().unwrap();
            tx.record(super::streams::created("older"))
        });
        write.await
    });
    tokio::task::spawn_blocking(move || has_number.recv().unwrap()).await.unwrap();
    let mut wake = other.watch_others(&["thing"]);
    record(&one, &["newer"]).await;
    let touched = timeout(Duration::from_secs(10), wake.wait()).await.unwrap();
    assert_eq!(touched.ids::<String>("thing").unwrap(), ["newer"]);
    assert!(timeout(Duration::from_millis(600), following.next()).await.is_err(), "an event was given out of its order");
    go_on.send(()).unwrap();
    older.await.unwrap().unwrap();
    let mut seen = Vec::new();
    while seen.len() < 2 {
        seen.extend(next(&mut following).await.iter().map(|event| event.resource_id.clone()));
    }
    assert_eq!(seen, ["older", "newer"]);
    let touched = timeout(Duration::from_secs(10), wake.wait()).await.unwrap();
    assert_eq!(touched.ids::<String>("thing").unwrap(), ["older"]);
    assert!(!wakes(&mut wake).await, "told twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_from_a_silent_database_says_so_and_goes_on_when_it_speaks() {
    let fixture = fixture::postgres().await;
    let wire = database::Wire::to(&fixture.url).await;
    let (one, other) = (fixture.store, Store::open(wire.url()).await.unwrap());
    other.current().await.unwrap();
    let mut wake = other.watch_others(&["thing"]);
    wire.fall_silent();
    record(&one, &["a"]).await;
    sleep(Duration::from_millis(1100)).await;
    let asked = Instant::now();
    let answer = other.current().await;
    assert!(matches!(answer, Err(Error::Unreachable { .. })), "{answer:?}");
    assert!(asked.elapsed() < Duration::from_secs(8));
    assert!(!wakes(&mut wake).await);
    wire.speak();
    let deadline = Instant::now() + Duration::from_secs(20);
    while other.current().await.is_err() {
        assert!(Instant::now() < deadline, "the reader does not come back");
    }
    assert_eq!(timeout(Duration::from_secs(1), wake.wait()).await.unwrap().ids::<String>("thing").unwrap(), ["a"]);
}
