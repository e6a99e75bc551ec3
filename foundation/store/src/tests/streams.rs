// SPDX-License-Identifier: Apache-2.0
//! Events: written with their change, announced after the commit, read without gaps.

use std::collections::BTreeSet;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::timeout;
use types::Timestamp;

use super::behaviour::{insert, names};
use super::fixture::Fixture;
use crate::{Actor, Error, Event, EventFilter, Heard, Personal, Result, Store, StoredEvent, Subscription, Wake};

pub(super) async fn an_event_shares_the_fate_of_its_change(fixture: Fixture) {
    let store = &fixture.store;
    let failed: Result<()> = store
        .write(|tx| {
            insert(tx, "a", "web")?;
            tx.record(created("a"))?;
            Err(Error::Conflict)
        })
        .await;
    assert!(failed.is_err());
    all(store, 0).await;

    store
        .write(|tx| {
            insert(tx, "a", "web")?;
            tx.record(created("a"))?;
            tx.record(Event {
                actor: Actor {
                    request_id: "req-1".to_owned(),
                    user_id: Some("u".to_owned()),
                    project_id: Some("p".to_owned()),
                    name: "alice".to_owned(),
                },
                action: "thing.update".to_owned(),
                before: Some(json!({"name": "web"})),
                after: None,
                ..created("a")
            })
        })
        .await
        .unwrap();
    let events = all(store, 2).await;
    let [first, second] = events.as_slice() else { panic!("{events:?}") };
    assert!(first.id < second.id);
    assert_eq!((first.actor.as_str(), first.request_id.as_str()), ("tests", ""));
    assert_eq!(first.after, Some(json!({"id": "a"})));
    assert_eq!(second.action, "thing.update");
    assert_eq!(second.request_id, "req-1");
    assert_eq!(second.user_id.as_deref(), Some("u"));
    assert_eq!(second.actor_project_id.as_deref(), Some("p"));
    assert_eq!(second.project_id.as_deref(), Some("owner"));
    assert_eq!((&second.before, &second.after), (&Some(json!({"name": "web"})), &None));
    assert!(second.at <= Timestamp::now() && second.at.seconds() > 1_700_000_000);
    assert_eq!(store.last_event_id().await.unwrap(), second.id);
}

pub(super) async fn watchers_wake_after_the_commit_and_not_before(fixture: Fixture) {
    let store = &fixture.store;
    let mut wake = store.watch(&["thing"]);
    let (recorded, has_recorded) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let may_go_on = std::sync::Mutex::new(may_go_on);
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            let write = store.write(move |tx| {
                insert(tx, "a", "web")?;
                tx.record(created("a"))?;
                recorded.send(()).unwrap();
                may_go_on.lock().unwrap().recv().unwrap();
                Ok::<_, Error>(())
            });
            write.await.unwrap();
        })
    };
    tokio::task::spawn_blocking(move || has_recorded.recv().unwrap()).await.unwrap();
    assert!(!wakes(&mut wake).await, "woken before the commit");
    go_on.send(()).unwrap();
    timeout(Duration::from_secs(10), wake.wait()).await.unwrap();
    // Whoever is woken finds the change.
    assert_eq!(names(store).await, ["web"]);
    writer.await.unwrap();
    assert!(!wakes(&mut wake).await, "woken twice");
}

pub(super) async fn watchers_hear_only_their_types(fixture: Fixture) {
    let store = &fixture.store;
    let mut things = store.watch(&["other", "thing"]);
    let mut others = store.watch(&["other"]);
    let mut all = store.watch(&["*"]);
    store.write(|tx| insert(tx, "a", "web")).await.unwrap();
    assert!(!wakes(&mut all).await, "woken without an event");
    store.write(|tx| tx.record(created("a"))).await.unwrap();
    assert!(wakes(&mut things).await);
    assert!(wakes(&mut all).await);
    assert!(!wakes(&mut others).await);
    let failed: Result<()> = store
        .write(|tx| {
            tx.record(created("b"))?;
            Err(Error::Conflict)
        })
        .await;
    assert!(failed.is_err());
    assert!(!wakes(&mut all).await, "woken by a change that was rolled back");
}

pub(super) async fn secrets_never_reach_the_stream(fixture: Fixture) {
    let store = &fixture.store;
    let state = json!({
        "name": "web",
        "adminPass": "hunter2-a",
        "auth": {"password": "hunter2-b", "methods": ["token"], "X-Auth-Token": {"id": "hunter2-c"}},
        "list": [{"private_key": "hunter2-d"}, {"user_data": "hunter2-e", "OS-KMS:secret_href": "hunter2-f"}],
        "trust_secret": null,
        "key_name": "mine",
    });
    store
        .write(move |tx| tx.record(Event { before: Some(state.clone()), after: Some(state.clone()), ..created("a") }))
        .await
        .unwrap();
    let raw = store.read(|tx| {
        let sql = "SELECT before_state || after_state FROM events";
        tx.query_one(sql, &[])?.get::<String>(0)
    });
    let raw = raw.await.unwrap();
    assert!(!raw.contains("hunter2"), "{raw}");
    let event = all(store, 1).await.remove(0);
    let expected = json!({
        "name": "web",
        "adminPass": "***",
        "auth": {"password": "***", "methods": ["token"], "X-Auth-Token": "***"},
        "list": [{"private_key": "***"}, {"user_data": "***", "OS-KMS:secret_href": "***"}],
        "trust_secret": null,
        "key_name": "mine",
    });
    assert_eq!(event.before.as_ref(), Some(&expected));
    assert_eq!(event.after, Some(expected));
}

pub(super) async fn events_are_filtered(fixture: Fixture) {
    let store = &fixture.store;
    store
        .write(|tx| {
            for id in ["a", "b", "a"] {
                tx.record(created(id))?;
            }
            tx.record(Event { resource_type: "other", project_id: Some("elsewhere".to_owned()), ..created("a") })
        })
        .await
        .unwrap();
    all(store, 4).await;
    let count = |filter: EventFilter| async move { store.events(0, 10, filter).await.unwrap().len() };
    let some = |text: &str| Some(text.to_owned());
    let nothing = EventFilter::default;
    assert_eq!(count(nothing()).await, 4);
    assert_eq!(count(EventFilter { resource_id: some("a"), ..nothing() }).await, 3);
    assert_eq!(count(EventFilter { resource_type: some("other"), ..nothing() }).await, 1);
    assert_eq!(count(EventFilter { project_id: some("owner"), resource_id: some("a"), ..nothing() }).await, 2);
    assert_eq!(count(EventFilter { request_id: some("req-9"), ..nothing() }).await, 0);
    assert_eq!(store.events(0, 2, nothing()).await.unwrap().len(), 2);
    // What is of nobody's project is somebody's own, if he did it and it is of that kind.
    let of_nobody = |resource_type: &'static str, user: &str| {
        let actor = Actor { user_id: some(user), ..Actor::system("test") };
        Event { resource_type, project_id: None, actor, ..created("c") }
    };
    let own = [of_nobody("key", "ada"), of_nobody("key", "bob"), of_nobody("secret", "ada")];
    store.write(move |tx| own.iter().try_for_each(|event| tx.record(event.clone()))).await.unwrap();
    all(store, 7).await;
    let personal = Some(Personal { resource_type: "key".to_owned(), user_id: "ada".to_owned() });
    assert_eq!(count(EventFilter { project_id: some("elsewhere"), personal: personal.clone(), ..nothing() }).await, 2);
    assert_eq!(count(EventFilter { project_id: some(""), personal, ..nothing() }).await, 1);
}

pub(super) async fn followers_miss_nothing_under_concurrent_writers(fixture: Fixture) {
    const WRITERS: usize = 12;
    const EACH: usize = 15;
    let store = &fixture.store;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        writers.spawn(async move {
            for number in 0..EACH {
                let id = format!("{writer}-{number}");
                let write = store.write(move |tx| {
                    // Some draw their place in the stream early and commit late, others the other way round.
                    if number % 2 == 0 {
                        tx.record(created(&id))?;
                        std::thread::sleep(Duration::from_millis(number as u64 % 5));
                    }
                    insert(tx, &id, &id)?;
                    if number % 2 == 1 {
                        tx.record(created(&id))?;
                    }
                    Ok::<_, Error>(())
                });
                write.await.unwrap();
            }
        });
    }
    let mut following = store.subscribe(0, EventFilter::default());
    let mut seen = Vec::new();
    while seen.len() < WRITERS * EACH {
        let next = next(&mut following).await;
        seen.extend(next.into_iter().map(|event| (event.id, event.resource_id.clone())));
    }
    writers.join_all().await;
    assert!(seen.is_sorted_by(|a, b| a.0 < b.0), "out of order");
    let distinct: BTreeSet<_> = seen.iter().map(|(_, resource)| resource).collect();
    assert_eq!(distinct.len(), WRITERS * EACH);
}

pub(super) async fn pruning_keeps_the_newest_and_reuses_no_id(fixture: Fixture) {
    let store = &fixture.store;
    for id in ["a", "b", "c", "d"] {
        store.write(move |tx| tx.record(created(id))).await.unwrap();
    }
    assert_eq!(store.prune_events(None, None).await.unwrap(), 0);
    let past = Timestamp(Timestamp::now().micros() - 60_000_000);
    assert_eq!(store.prune_events(Some(past), None).await.unwrap(), 0);
    assert_eq!(store.prune_events(None, Some(3)).await.unwrap(), 1);
    assert_eq!(resources(&all(store, 3).await), ["b", "c", "d"]);
    let newest = store.last_event_id().await.unwrap();
    let future = Timestamp(Timestamp::now().micros() + 60_000_000);
    assert_eq!(store.prune_events(Some(future), None).await.unwrap(), 2);
    assert_eq!(resources(&all(store, 1).await), ["d"]);
    store.write(|tx| tx.record(created("e"))).await.unwrap();
    assert_eq!(resources(&all(store, 2).await), ["d", "e"]);
    let after = store.events(newest, 10, EventFilter::default()).await;
    assert_eq!(resources(&after.unwrap()), ["e"]);
}

pub(super) fn created(id: &str) -> Event {
    Event {
        actor: Actor::system("tests"),
        action: "thing.create".to_owned(),
        resource_type: "thing",
        resource_id: id.to_owned(),
        project_id: Some("owner".to_owned()),
        before: None,
        after: Some(json!({ "id": id })),
    }
}

/// The whole stream, once it has `count` events: other tests' transactions on the same PostgreSQL may hold events back
/// for a moment.
pub(super) async fn all(store: &Store, count: usize) -> Vec<StoredEvent> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let events = store.events(0, 1000, EventFilter::default()).await.unwrap();
        if events.len() >= count || Instant::now() > deadline {
            assert_eq!(events.len(), count);
            return events;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn resources(events: &[StoredEvent]) -> Vec<&str> {
    events.iter().map(|event| event.resource_id.as_str()).collect()
}

/// The next events, which come within a while.
pub(super) async fn next(following: &mut Subscription) -> Vec<Arc<StoredEvent>> {
    match timeout(Duration::from_secs(20), following.next()).await {
        Ok(Ok(Heard::Events(events))) => events,
        other => panic!("{other:?} instead of events"),
    }
}

/// Whether a wake is there, or comes within a moment.
pub(super) async fn wakes(wake: &mut Wake) -> bool {
    timeout(Duration::from_millis(100), wake.wait()).await.is_ok()
}
