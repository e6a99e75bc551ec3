// SPDX-License-Identifier: Apache-2.0
//! A PostgreSQL that says nothing any more: packets that are dropped, or a server that stands still. Each test has a network of
//! its own.

use std::future::Future;
use std::process::Command;
use std::time::{Duration, Instant};

use database::{Listening, Server};
use nix::sched::{CloneFlags, unshare};
use tokio::time::timeout;

use super::behaviour::insert;
use crate::lead::Controller;
use crate::{Error, PostgresSettings, Store};

const PORT: u16 = 5432;

/// What the settings below add up to, and as much again for a busy machine.
const ANSWERED: Duration = Duration::from_secs(20);

fn impatient() -> PostgresSettings {
    PostgresSettings {
        connections: 4,
        connect: Duration::from_secs(1),
        statement: Duration::from_secs(3),
        transaction: Duration::from_secs(6),
        silence: Duration::from_secs(2),
        ..PostgresSettings::default()
    }
}

/// Runs a test in a network namespace of its own. All its threads are begun in there.
fn in_private_network<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    run("ip", &["link", "set", "lo", "up"]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test());
}

fn run(program: &str, arguments: &[&str]) {
    assert!(Command::new(program).args(arguments).status().unwrap().success(), "{program} {arguments:?}");
}

/// From now on no packet reaches the server, nor comes from it.
fn cut() {
    run("nft", &["add table inet silence"]);
    run("nft", &["add chain inet silence input { type filter hook input priority 0; }"]);
    run("nft", &["add rule inet silence input tcp dport 5432 drop"]);
    run("nft", &["add rule inet silence input tcp sport 5432 drop"]);
}

fn mend() {
    run("nft", &["delete table inet silence"]);
}

fn listening() -> Server {
    Server::start_listening(&Listening { port: PORT, tls: None, access: "host all all 127.0.0.1/32 trust" })
}

async fn open(server: &Server) -> Store {
    let store = Store::open_with(&server.url_by("127.0.0.1"), &impatient()).await.unwrap();
    store.migrate(&[super::fixture::TABLES]).await.unwrap();
    store
}

/// Everything that is asked is answered in time, and says why it is refused.
async fn refuses_in_time(store: &Store) {
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..12 {
        let store = store.clone();
        asked.spawn(async move {
            let began = Instant::now();
            let id = format!("lost-{number}");
            let answer = match number % 3 {
                0 => store.write(move |tx| insert(tx, &id, &id)).await,
                1 => store.read(|tx| tx.query("SELECT 1", &[]).map(drop)).await,
                _ => store.list(|tx| tx.query("SELECT 1", &[]).map(drop)).await,
            };
            (began.elapsed(), answer)
        });
    }
    for (took, answer) in asked.join_all().await {
        let error = answer.expect_err("nobody answers");
        assert!(matches!(error, Error::Unreachable { .. } | Error::Busy { .. } | Error::InDoubt { .. }), "{error:?}");
        assert!(took < ANSWERED, "{error} came after {took:?}");
    }
}

async fn serves_again(store: &Store, name: &'static str) {
    let began = Instant::now();
    while let Err(error) = store.write(move |tx| insert(tx, name, name)).await {
        assert!(began.elapsed() < ANSWERED, "{error:?}");
    }
    assert!(super::behaviour::names(store).await.contains(&name.to_owned()));
}

#[test]
fn when_packets_to_postgresql_are_dropped_everything_is_refused_in_time_and_goes_on_after() {
    in_private_network(|| async {
        let server = listening();
        let store = open(&server).await;
        for name in ["first", "second"] {
            cut();
            refuses_in_time(&store).await;
            mend();
            serves_again(&store, name).await;
        }
    });
}

#[test]
fn when_postgresql_stands_still_everything_is_refused_in_time_and_goes_on_after() {
    in_private_network(|| async {
        let server = listening();
        let store = open(&server).await;
        server.fall_asleep();
        refuses_in_time(&store).await;
        server.wake_up();
        serves_again(&store, "after").await;
    });
}

#[test]
fn a_transaction_that_is_cut_off_inside_leaves_nothing_behind() {
    in_private_network(|| async {
        let server = listening();
        let store = open(&server).await;
        let cut_off = store.write(|tx| {
            insert(tx, "half", "half")?;
            cut();
            insert(tx, "whole", "whole")
        });
        let error = timeout(ANSWERED, cut_off).await.expect("it is given up in time").expect_err("nobody answers");
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
        mend();
        serves_again(&store, "after").await;
        assert_eq!(super::behaviour::names(&store).await, ["after"]);
    });
}

#[test]
fn a_commit_that_was_cut_off_is_in_doubt_for_all_who_wait_for_it() {
    in_private_network(|| async {
        let server = listening();
        let store = open(&server).await;
        let held = super::groups::hold_up(&store, 3).await;
        let mut writers = tokio::task::JoinSet::new();
        for number in 0..3 {
            let store = store.clone();
            writers.spawn(async move {
                let id = format!("in-doubt-{number}");
                let write = store.write(move |tx| {
                    insert(tx, &id, &id)?;
                    if tx.query_one("SELECT count(*) FROM things", &[])?.get::<i64>(0)? == 3 {
                        cut();
                    }
                    Ok(())
                });
                write.await
            });
        }
        while let Some(ran) = timeout(ANSWERED, writers.join_next()).await.expect("it is given up in time") {
            let error = ran.unwrap().expect_err("nobody knows");
            assert!(matches!(error, Error::InDoubt { .. }), "{error:?}");
        }
        held.await.unwrap();
        mend();
        serves_again(&store, "after").await;
    });
}

#[test]
fn a_statement_that_takes_too_long_is_ended_at_the_server_too() {
    in_private_network(|| async {
        let server = listening();
        let store = open(&server).await;
        let slow = store.read(|tx| tx.query("SELECT pg_sleep(60)::text", &[]).map(drop));
        let error = timeout(ANSWERED, slow).await.expect("it is given up in time").expect_err("it is too slow");
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
        let running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'";
        let running: i64 = store.read(move |tx| tx.query_one(running, &[])?.get(0)).await.unwrap();
        assert_eq!(running, 0);
    });
}

#[test]
fn who_stands_in_line_for_the_lead_gets_it_although_his_first_line_was_cut() {
    in_private_network(|| async {
        let server = listening();
        let (one, other) = (open(&server).await, open(&server).await);
        let controller = |name: &str| Controller { name: name.to_owned(), addresses: vec![name.to_owned()] };
        let mut lead = one.take_lead(&controller("a:1")).await.unwrap();
        let waits = controller("b:1");
        let waiting = tokio::spawn(async move { other.take_lead(&waits).await.map(|lead| lead.generation()) });
        tokio::time::sleep(Duration::from_secs(2)).await;
        cut();
        // The server ends the session of the leader, which is silent to it, too.
        timeout(ANSWERED, lead.lost()).await.expect("it is told that it lost the lead");
        drop(lead);
        mend();
        assert_eq!(timeout(ANSWERED * 2, waiting).await.expect("the other leads").unwrap().unwrap(), 2);
    });
}
