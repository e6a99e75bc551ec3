// SPDX-License-Identifier: Apache-2.0
//! kill -9 in the middle of writing, again and again, on one database.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::task::JoinSet;

use super::behaviour::insert;
use super::fixture::Fixture;
use crate::{Actor, Error, Event, Result, Store, Tx};

const URL: &str = "STORE_TEST_URL";
const ROUND: &str = "STORE_TEST_ROUND";

pub(super) async fn kill_nine_loses_nothing_acknowledged(fixture: Fixture) {
    let Fixture { store, url, _dir } = fixture;
    drop(store);
    let mut acknowledged = BTreeSet::new();
    for round in 0..4 {
        let (child_url, before) = (url.clone(), acknowledged.len());
        let child = tokio::task::spawn_blocking(move || write_until_killed(&child_url, round));
        acknowledged.extend(child.await.unwrap());
        assert!(acknowledged.len() > before, "round {round} wrote nothing");

        let store = Store::open(&url).await.unwrap();
        let [rows, twins, events] = state(&store).await;
        let lost: Vec<_> = acknowledged.difference(&rows).collect();
        assert!(lost.is_empty(), "lost after round {round}: {lost:?}");
        // Each write is whole: its row, its second row, and its event.
        assert_eq!(rows, twins);
        assert_eq!(rows, events);
    }
}

/// Starts this test binary as a child that writes, kills it, and answers which writes it had acknowledged.
fn write_until_killed(url: &str, round: u64) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::kill::child_that_writes", "--ignored", "--nocapture"])
        .env(URL, url)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    let mut hear = |line: String| {
        if let Some(id) = line.strip_prefix("acknowledged ") {
            acknowledged.push(id.to_owned());
        }
    };
    // A different moment each round, so that the kill falls into different steps of a commit.
    for line in lines.by_ref().take(60) {
        hear(line.unwrap());
    }
    std::thread::sleep(Duration::from_micros(700 * round));
    child.kill().unwrap();
    child.wait().unwrap();
    // What it said before it died counts too.
    for line in lines {
        hear(line.unwrap());
    }
    acknowledged
}

#[test]
#[ignore = "not a test of its own: kill_nine_loses_nothing_acknowledged runs it as a child"]
fn child_that_writes() {
    let url = std::env::var(URL).expect("the parent names the database");
    let round = std::env::var(ROUND).expect("the parent names the round");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(&url).await.unwrap();
        let mut writers = JoinSet::new();
        for writer in 0..8 {
            let (store, round) = (store.clone(), round.clone());
            writers.spawn(async move {
                for number in 0.. {
                    let id = format!("{round}-{writer}-{number}");
                    let of_closure = id.clone();
                    store.write(move |tx| write(tx, &of_closure)).await.unwrap();
                    // A pipe takes a short line whole or not at all.
                    let line = format!("acknowledged {id}\n");
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            });
        }
        writers.join_all().await;
    });
}

fn write(tx: &mut Tx, id: &str) -> Result<()> {
    insert(tx, id, id)?;
    tx.record(Event {
        actor: Actor::system("child"),
        action: "thing.create".to_owned(),
        resource_type: "thing",
        resource_id: id.to_owned(),
        project_id: None,
        before: None,
        after: None,
    })?;
    let sql = "INSERT INTO things (id, project_id, name) VALUES ('twin of ' || $1, 'twin', $1)";
    tx.execute(sql, &[id.into()]).map(drop)
}

/// What the tables hold, at one instant: PostgreSQL may still be ending the killed client's last transactions.
async fn state(store: &Store) -> [BTreeSet<String>; 3] {
    let list = store.list(|tx| {
        let mut ids = |sql: &str| {
            let rows = tx.query(sql, &[])?;
            rows.iter().map(|row| row.get(0)).collect::<Result<_>>()
        };
        Ok::<_, Error>([
            ids("SELECT id FROM things WHERE project_id = 'p'")?,
            ids("SELECT name FROM things WHERE project_id = 'twin'")?,
            ids("SELECT resource_id FROM events")?,
        ])
    });
    list.await.unwrap()
}
