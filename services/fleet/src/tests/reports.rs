// SPDX-License-Identifier: Apache-2.0
//! What is told of machines, and what follows from what is found of them.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use contracts::{
    RefusalKind,
    node::{Found, MachineObserved, MachineState, Observed, Thing, ThingId, ToNode},
    nodes::Nodes,
};
use node::{Error, link::Session};
use types::Generation;

use super::cloud::{Cloud, PATIENCE, hello, machine};

const FIRST: &str = "11111111-1111-4111-8111-111111111111";
const SECOND: &str = "22222222-2222-4222-8222-222222222222";

fn id(server: &str) -> ThingId {
    ThingId::machine(&server.into())
}

fn found(server: &str, state: MachineState) -> Found {
    Found::Machine(MachineObserved {
        server_id: server.into(),
        generation: Generation(1),
        reboots: 0,
        state,
        snapshot: None,
        devices: vec![],
    })
}

/// The next line on what is desired.
async fn desired(session: &mut Session) -> (u64, bool, Vec<Thing>) {
    let next = async {
        loop {
            if let ToNode::Desired { seq, whole, things, .. } = session.next().await.unwrap().unwrap() {
                return (seq, whole, things);
            }
        }
    };
    tokio::time::timeout(PATIENCE, next).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_on_one_thing_reads_and_tells_that_one() {
    let cloud = Cloud::start().await;
    let stranger = cloud.stranger("one").await;
    cloud.want(&stranger.id, Thing::machine(machine(FIRST, 1)));
    cloud.want(&stranger.id, Thing::machine(machine(SECOND, 1)));
    let mut session = stranger.session(&hello("one")).await;
    assert!(matches!(session.next().await.unwrap(), Some(ToNode::Welcome { protocol: 3, .. })));
    let (seq, whole, things) = desired(&mut session).await;
    assert_eq!((seq, whole, things.len()), (1, true, 2));
    let read = cloud.rooms.all_read.load(Ordering::Relaxed);

    cloud.want(&stranger.id, Thing::machine(machine(SECOND, 2)));
    let (seq, whole, things) = desired(&mut session).await;
    assert_eq!((seq, whole, things.len(), things[0].generation), (2, false, 1, Generation(2)));
    // A word on what is as it was says nothing.
    cloud.fleet.tell(&stranger.id, &[id(FIRST)]);
    cloud.release(&stranger.id, FIRST);
    let (seq, _, things) = desired(&mut session).await;
    assert_eq!((seq, things.len(), things[0].is_released()), (3, 1, true));
    assert_eq!(cloud.rooms.all_read.load(Ordering::Relaxed), read, "nothing else was read");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_report_leaves_out_is_absent_if_it_was_told_before() {
    let cloud = Cloud::start().await;
    let stranger = cloud.stranger("one").await;
    cloud.want(&stranger.id, Thing::machine(machine(FIRST, 1)));
    let mut session = stranger.session(&hello("one")).await;
    desired(&mut session).await;
    cloud.want(&stranger.id, Thing::machine(machine(SECOND, 1)));
    assert_eq!(desired(&mut session).await.0, 2);

    // Composed before the second was known, and arriving after.
    let unknown = found("33333333-3333-4333-8333-333333333333", MachineState::Running);
    let report = Observed { as_of: 1, complete: true, things: vec![unknown.clone()] };
    stranger.client.report(&report).await.unwrap();
    let told = cloud.rooms.told(|_, report| !report.absent.is_empty()).await;
    assert_eq!(told.last().unwrap().1.absent, [id(FIRST)]);
    assert_eq!(cloud.facts(&stranger.id).await.strays, [unknown.id()], "and nobody knows the third");
    stranger.client.report(&Observed { as_of: 2, ..report }).await.unwrap();
    cloud.rooms.told(|_, report| report.absent.contains(&id(SECOND))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_is_not_taken_in_soon_is_refused_for_now() {
    let cloud = Cloud::start().await;
    let stranger = cloud.stranger("one").await;
    cloud.want(&stranger.id, Thing::machine(machine(FIRST, 1)));
    let mut session = stranger.session(&hello("one")).await;
    desired(&mut session).await;
    cloud.rooms.stuck.store(true, Ordering::Relaxed);
    let report = Observed { as_of: 1, complete: false, things: vec![found(FIRST, MachineState::Running)] };
    let began = Instant::now();
    let refused = stranger.client.report(&report).await.unwrap_err();
    assert!(matches!(&refused, Error::NotNow { refusal, .. } if refusal.kind == RefusalKind::Unavailable), "{refused:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "before a node gives up on the answer");

    // The session lives, and what was refused is taken when it is said again.
    cloud.rooms.stuck.store(false, Ordering::Relaxed);
    stranger.client.report(&report).await.unwrap();
    let told = cloud.rooms.told(|_, report| report.found.len() == 1).await;
    stranger.client.report(&report).await.unwrap();
    stranger.client.report(&Observed { things: vec![found(FIRST, MachineState::Stopped)], ..report }).await.unwrap();
    let after = cloud.rooms.told(|_, report| report.found == [found(FIRST, MachineState::Stopped)]).await;
    assert_eq!(after.len(), told.len() + 1, "what was taken in is no news: {after:?}");
    assert!(cloud.facts(&stranger.id).await.up);
}
