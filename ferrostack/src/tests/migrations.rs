// SPDX-License-Identifier: Apache-2.0
//! The tables of all rooms together: what an earlier build made is taken over as it is.

use std::collections::BTreeSet;

use store::{Migrations, Store, params};

use crate::controller;

/// Steps that are in databases out there, with the checksums that their ledgers hold.
const LANDED: &str = include_str!("landed.txt");

struct Landed<'a> {
    room: &'a str,
    number: u32,
    checksum: &'a str,
    name: &'a str,
}

fn landed() -> Vec<Landed<'static>> {
    let line = |line: &'static str| {
        let mut words = line.splitn(4, ' ');
        let mut next = || words.next().unwrap();
        Landed { room: next(), number: next().parse().unwrap(), checksum: next(), name: next() }
    };
    LANDED.lines().filter(|line| !line.starts_with('#')).map(line).collect()
}

/// As an earlier build left it: with the steps that it knew, and no others.
async fn earlier_database(folder: &std::path::Path) -> Store {
    let store = Store::open(&format!("sqlite:{}", folder.join("store.db").display())).await.unwrap();
    let known: BTreeSet<(&str, u32)> = landed().iter().map(|step| (step.room, step.number)).collect();
    let of_then = |set: Migrations| {
        let steps: Vec<_> = set.steps.iter().copied().filter(|step| known.contains(&(set.room, step.number))).collect();
        Migrations { room: set.room, steps: steps.into() }
    };
    let sets: Vec<Migrations> = controller::migrations().into_iter().map(of_then).collect();
    store.migrate(&sets).await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_that_have_landed_are_never_changed() {
    let folder = tempfile::tempdir().unwrap();
    let store = earlier_database(folder.path()).await;
    for step in landed() {
        let (room, number) = (step.room, i64::from(step.number));
        let ledger = "SELECT name, checksum FROM schema_migrations WHERE room = $1 AND number = $2";
        let found = store.read(move |tx| tx.query_opt(ledger, &params![room, number])).await.unwrap();
        let found = found.unwrap_or_else(|| panic!("{room} {number} is gone"));
        let (name, checksum): (String, String) = (found.get(0).unwrap(), found.get(1).unwrap());
        assert_eq!((name.as_str(), checksum.as_str()), (step.name, step.checksum), "{room} {number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_an_earlier_build_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = earlier_database(folder.path()).await;
    store.migrate(&controller::migrations()).await.unwrap();
    let count = "SELECT count(*) FROM schema_migrations WHERE room <> 'store'";
    let ran = store.read(move |tx| tx.query_one(count, &[])?.get::<i64>(0)).await.unwrap();
    let all: usize = controller::migrations().iter().map(|set| set.steps.len()).sum();
    assert_eq!(usize::try_from(ran).unwrap(), all, "each step ran once");
}

#[test]
fn the_steps_of_a_room_have_numbers_of_their_own() {
    for set in controller::migrations() {
        let numbers: BTreeSet<u32> = set.steps.iter().map(|step| step.number).collect();
        assert_eq!(numbers.len(), set.steps.len(), "{}: two steps have one number", set.room);
    }
}
