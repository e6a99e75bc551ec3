// SPDX-License-Identifier: Apache-2.0
//! A node that is cut off, and what it may still be doing.

use std::time::Duration;

use contracts::node::{Feature, MachineState, Thing, ToNode};
use types::Timestamp;

use super::cloud::{Cloud, PATIENCE, hello, machine};
use crate::session::lease;

const MOVED: &str = "11111111-1111-4111-8111-111111111111";
const STAYS: &str = "22222222-2222-4222-8222-222222222222";

#[tokio::test(flavor = "multi_thread")]
async fn each_beat_renews_the_lease_from_when_the_lead_was_certain() {
    let cloud = Cloud::start().await;
    let stranger = cloud.stranger("one").await;
    let asked = std::time::Instant::now();
    let fencing = contracts::node::Hello { features: [Feature::Fence].into(), ..hello("one") };
    let mut session = stranger.session(&fencing).await;
    let mut granted = Vec::new();
    let beats = async {
        while granted.len() < 3 {
            match session.next().await.unwrap().unwrap() {
                ToNode::Welcome { lease, .. } | ToNode::Beat { lease } => {
                    // As the node reckons, it ends before the controller takes it for over.
                    assert!(Duration::from_millis(lease.at_ms) <= asked.elapsed(), "{lease:?}");
                    granted.push(lease);
                }
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, beats).await.unwrap();
    assert!(granted.is_sorted_by_key(|lease| lease.at_ms) && granted[2].at_ms > granted[0].at_ms, "{granted:?}");
    assert!(granted.iter().all(|granted| u128::from(granted.for_ms) == lease::LENGTH.as_millis()));
    let facts = cloud.facts(&stranger.id).await;
    assert!(!facts.lease_is_over() && facts.lease_until > Timestamp::now());

    drop((session, stranger));
    let lost = async {
        loop {
            let facts = cloud.fleet.list_nodes().await.unwrap().remove(0);
            if !facts.up {
                return facts;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let facts = tokio::time::timeout(PATIENCE, lost).await.unwrap();
    assert!(!facts.lease_is_over(), "it may go on for a while: {facts:?}");
    let later = contracts::nodes::NodeFacts { lease_until: Timestamp(facts.lease_until.0 - 31_000_000), ..facts };
    assert!(later.lease_is_over());
    let unfenced = contracts::nodes::NodeFacts { hello: Some(hello("one")), ..later };
    assert!(!unfenced.lease_is_over(), "its agent knows of no lease");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_was_cut_off_gives_up_what_moved_and_nothing_else() {
    let cloud = Cloud::start().await;
    let (old, new) = (cloud.host(1).await, cloud.host(2).await);
    for server in [MOVED, STAYS] {
        cloud.want(old.id(), Thing::machine(machine(server, 1)));
        cloud.rooms.found(old.id(), server, MachineState::Running).await;
    }
    old.cut_off();
    old.until_cut_off().await;
    cloud.release(old.id(), MOVED);
    cloud.want(new.id(), Thing::machine(machine(MOVED, 2)));
    cloud.rooms.found(new.id(), MOVED, MachineState::Running).await;
    assert_eq!(old.running(), 2, "it was not told");
    old.reconnect();
    cloud.rooms.found(old.id(), MOVED, MachineState::Gone).await;
    let here: Vec<_> = old.machines().into_keys().map(String::from).collect();
    assert_eq!((here, new.running()), (vec![STAYS.to_owned()], 1));
}
