// SPDX-License-Identifier: Apache-2.0
//! Hearing of what is committed: in short, and event by event.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::fixture::Fixture;
use super::streams::{created, next, wakes};
use crate::{Error, Event, EventFilter, Heard, Store, Touched};

pub(super) async fn a_wake_says_of_what(fixture: Fixture) {
    let store = &fixture.store;
    let mut wake = store.watch(&["thing"]);
    record(store, &["a", "b"]).await;
    record(store, &["a"]).await;
    store.write(|tx| tx.record(Event { resource_type: "other", ..created("c") })).await.unwrap();
    let touched = timeout(Duration::from_secs(10), wake.wait()).await.unwrap();
    let mut ids: Vec<String> = touched.ids("thing").unwrap();
    ids.sort();
    assert_eq!(ids, ["a", "b"]);
    assert!(touched.has("thing") && !touched.has("other"));
    assert!(!wakes(&mut wake).await, "told twice");
}

pub(super) async fn who_is_told_of_too_much_looks_at_all(fixture: Fixture) {
    let store = &fixture.store;
    let mut wake = store.watch(&["*"]);
    let ids: Vec<String> = (0..2000).map(|number| number.to_string()).collect();
    record(store, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(timeout(Duration::from_secs(10), wake.wait()).await.unwrap(), Touched::All);
    record(store, &["a"]).await;
    let touched = timeout(Duration::from_secs(10), wake.wait()).await.unwrap();
    assert_eq!(touched.ids::<String>("thing").unwrap(), ["a"]);
}

pub(super) async fn who_heeds_has_heard_before_the_commit_is_acknowledged(fixture: Fixture) {
    let store = &fixture.store;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&heard);
    let heeding = store.heed(&["thing"], move |touched| keep.lock().unwrap().extend(touched.ids::<String>("thing").unwrap()));
    for id in ["a", "b", "c"] {
        record(store, &[id]).await;
        assert_eq!(heard.lock().unwrap().last().map(String::as_str), Some(id));
    }
    drop(heeding);
    record(store, &["d"]).await;
    assert_eq!(*heard.lock().unwrap(), ["a", "b", "c"]);
}

pub(super) async fn a_slow_listener_reads_on_from_the_table(fixture: Fixture) {
    const EVENTS: usize = 1500;
    let store = &fixture.store;
    let (mut slow, mut quick) = (store.subscribe(0, EventFilter::default()), store.subscribe(0, EventFilter::default()));
    record(store, &["first"]).await;
    assert_eq!(next(&mut slow).await[0].resource_id, "first");
    assert!(timeout(Duration::from_millis(100), slow.next()).await.is_err());
    let ids: Vec<String> = (0..EVENTS).map(|number| number.to_string()).collect();
    for some in ids.chunks(100) {
        record(store, &some.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    let mut seen = 0;
    while seen <= EVENTS {
        seen += next(&mut quick).await.len();
    }
    let mut all = Vec::new();
    while all.len() < EVENTS {
        all.extend(next(&mut slow).await.iter().map(|event| event.resource_id.clone()));
    }
    assert_eq!(all, ids);
    // He has caught up, and is given what comes.
    record(store, &["last"]).await;
    assert_eq!(next(&mut slow).await[0].resource_id, "last");
}

pub(super) async fn a_listener_hears_of_his_project_only(fixture: Fixture) {
    let store = &fixture.store;
    let of = |project: &str| EventFilter { project_id: Some(project.to_owned()), ..EventFilter::default() };
    let mut mine = store.subscribe(0, of("mine"));
    for round in 0..3 {
        for project in ["theirs", "mine"] {
            let event = Event { project_id: Some(project.to_owned()), ..created(&format!("{project}-{round}")) };
            store.write(move |tx| tx.record(event.clone())).await.unwrap();
            store.write(|tx| tx.record(Event { project_id: None, ..created("nobody's") })).await.unwrap();
        }
        // The first comes from the table, the others from the hub.
        let events = next(&mut mine).await;
        let seen: Vec<_> = events.iter().map(|event| event.resource_id.clone()).collect();
        assert_eq!(seen, [format!("mine-{round}")]);
    }
    assert!(timeout(Duration::from_millis(100), mine.next()).await.is_err());
}

pub(super) async fn who_reads_on_from_before_the_cut_hears_of_the_gap(fixture: Fixture) {
    let store = &fixture.store;
    record(store, &["a", "b", "c", "d"]).await;
    let mut following = store.subscribe(0, EventFilter::default());
    let ids: Vec<i64> = next(&mut following).await.iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), 4);
    assert_eq!(store.prune_events(None, Some(1)).await.unwrap(), 3);
    let mut late = store.subscribe(ids[0], EventFilter::default());
    assert_eq!(late.next().await.unwrap(), Heard::Gap { after: ids[0], through: ids[2] });
    assert_eq!(next(&mut late).await[0].id, ids[3]);
    // Nothing is missing for who had read up to the cut, or asks for what there is.
    for after in [0, ids[2]] {
        assert_eq!(next(&mut store.subscribe(after, EventFilter::default())).await[0].id, ids[3]);
    }
    record(store, &["e"]).await;
    assert_eq!(next(&mut following).await[0].resource_id, "e");
}

pub(super) async fn two_hundred_listeners_read_the_table_once(fixture: Fixture) {
    const LISTENERS: usize = 200;
    const ROUNDS: usize = 20;
    let store = &fixture.store;
    let after = store.last_event_id().await.unwrap();
    let mut listeners = Vec::new();
    for _ in 0..LISTENERS {
        let mut listener = store.subscribe(after, EventFilter::default());
        assert!(timeout(Duration::from_millis(20), listener.next()).await.is_err());
        listeners.push(listener);
    }
    record(store, &["warm"]).await;
    for listener in &mut listeners {
        next(listener).await;
    }
    let before = store.statements();
    for round in 0..ROUNDS {
        record(store, &[&round.to_string()]).await;
        let mut hearing = JoinSet::new();
        for mut listener in listeners.drain(..) {
            hearing.spawn(async move {
                assert_eq!(next(&mut listener).await[0].resource_id, round.to_string());
                listener
            });
        }
        listeners = hearing.join_all().await;
    }
    // The reader's own, by the clock and after each commit; none is a listener's.
    assert!(store.statements() - before < (ROUNDS * 20) as u64, "{} statements", store.statements() - before);
}

pub(super) async fn record(store: &Store, ids: &[&str]) {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let written = store.write(move |tx| ids.iter().try_for_each(|id| tx.record(created(id))));
    written.await.map_err(|error: Error| error).unwrap();
}
