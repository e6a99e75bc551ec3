// SPDX-License-Identifier: Apache-2.0
//! What must be true of all rooms together.
#![allow(clippy::unwrap_used, clippy::panic)]

mod fetch;
mod kept;
mod migrations;
mod secrets;
mod served;
mod sweep;

use std::collections::BTreeSet;

use crate::controller;

/// Routes that ask no policy at the door, each reviewed: version documents, the login, and Keystone's routes whose
/// policies depend on the target, which their handlers ask.
const OPEN: &str = include_str!("open_routes.txt");

#[tokio::test(flavor = "multi_thread")]
async fn routes_without_a_policy_are_the_reviewed_ones() {
    let lines = controller::route_lines().await.unwrap();
    let open: BTreeSet<&str> =
        lines.iter().map(String::as_str).filter(|line| line.ends_with("(public)") || line.ends_with("(any token)")).collect();
    let reviewed: BTreeSet<&str> = OPEN.lines().collect();
    let unreviewed: Vec<_> = open.difference(&reviewed).collect();
    let vanished: Vec<_> = reviewed.difference(&open).collect();
    assert!(unreviewed.is_empty(), "give these a policy, or review them and add them to open_routes.txt: {unreviewed:#?}");
    assert!(vanished.is_empty(), "these are open no more; take them out of open_routes.txt: {vanished:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_policy_at_the_door_can_be_overridden() {
    let known: BTreeSet<&str> = controller::policies().iter().map(|policy| policy.name).collect();
    for line in controller::route_lines().await.unwrap() {
        let access = line.rsplit("  ").next().unwrap();
        assert!(access.starts_with('(') || known.contains(access), "{line}: the policy is not among those of the rooms");
    }
}
