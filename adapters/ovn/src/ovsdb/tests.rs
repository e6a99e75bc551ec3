// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use super::*;
use crate::Error;
use crate::testing::{NORTHBOUND, Server, soon};

fn switches() -> Watched {
    Watched::new("OVN_Northbound").table("Logical_Switch").table("No_Such_Table")
}

fn names(replica: &Replica) -> Vec<String> {
    let mut names: Vec<_> = replica.rows("Logical_Switch").map(|(_, row)| row.text("name").to_owned()).collect();
    names.sort();
    names
}

async fn connected(server: &Server) -> Client {
    let client = Client::connect(vec![server.remote()], switches());
    client.ready(soon()).await.unwrap();
    client
}

async fn wait_names(client: &Client, wanted: &[&str]) {
    let shown = client.wait_until("names", soon(), |replica| (names(replica) == wanted).then_some(()));
    shown.await.unwrap_or_else(|error| panic!("{wanted:?}: {error}: {:?}", client.read(names)));
}

#[tokio::test]
async fn the_replica_follows_what_others_do() {
    let server = Server::start(NORTHBOUND);
    let client = connected(&server).await;
    server.nbctl(&["ls-add", "one"]);
    server.nbctl(&["ls-add", "two"]);
    wait_names(&client, &["one", "two"]).await;
    server.nbctl(&["set", "logical_switch", "one", "other_config:subnet=10.0.0.0/24", "other_config:x=y"]);
    server.nbctl(&["remove", "logical_switch", "one", "other_config", "x"]);
    server.nbctl(&["ls-del", "two"]);
    let config = client
        .wait_until("the change", soon(), |replica| {
            let config = replica.named("Logical_Switch", "one")?.1.map("other_config");
            (config.len() == 1 && names(replica).len() == 1).then_some(config)
        })
        .await
        .unwrap();
    assert_eq!(config["subnet"], "10.0.0.0/24");
}

#[tokio::test]
async fn a_transaction_shows_in_the_replica_when_it_returns() {
    let server = Server::start(NORTHBOUND);
    let client = connected(&server).await;
    for number in 0..50 {
        let mut transaction = Transaction::new();
        transaction.insert("Logical_Switch", &Row::new().with("name", format!("{number:02}")));
        let outcome = client.transact(&transaction).await.unwrap();
        let uuid = outcome.inserted(0).unwrap();
        assert!(client.read(|replica| replica.row("Logical_Switch", uuid).is_some()));
    }
}

#[tokio::test]
async fn a_refusal_says_what_was_refused_and_leaves_no_trace() {
    let server = Server::start(NORTHBOUND);
    let client = connected(&server).await;
    let mut transaction = Transaction::new();
    transaction.insert("Logical_Switch", &Row::new().with("name", "kept back"));
    transaction.insert("Logical_Switch", &Row::new().with("no_such_column", 1));
    let refused = client.transact(&transaction).await.unwrap_err();
    assert!(!refused.is_lost_race());
    assert!(refused.to_string().contains("insert of Logical_Switch"), "{refused}");
    assert!(refused.to_string().contains("no_such_column"), "{refused}");
    assert!(client.read(names).is_empty());

    let mut overtaken = Transaction::new();
    overtaken.require_none("Logical_Switch", Select::all());
    server.nbctl(&["ls-add", "first"]);
    assert!(client.transact(&overtaken).await.unwrap_err().is_lost_race());
}

#[tokio::test]
async fn a_restarted_server_is_found_again_and_what_was_missed_is_learned() {
    let mut server = Server::start(NORTHBOUND);
    let client = connected(&server).await;
    server.nbctl(&["ls-add", "before"]);
    server.nbctl(&["ls-add", "doomed"]);
    wait_names(&client, &["before", "doomed"]).await;

    server.pause();
    let noticed = async {
        let mut changes = client.changes();
        while client.is_current() {
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout_at(soon(), noticed).await.unwrap();
    let down = client.transact(&Transaction::new()).await.unwrap_err();
    assert!(matches!(down, Error::Unavailable { .. }), "{down}");
    assert!(client.read_current(names).is_err());
    assert_eq!(client.read(names).len(), 2);

    server.resume();
    server.nbctl(&["ls-del", "doomed"]);
    server.nbctl(&["ls-add", "missed"]);
    wait_names(&client, &["before", "missed"]).await;
    client.transact(&Transaction::new()).await.unwrap();
}

#[tokio::test]
async fn waiting_ends_at_the_deadline_and_says_for_what() {
    let server = Server::start(NORTHBOUND);
    let client = connected(&server).await;
    let deadline = tokio::time::Instant::now() + Duration::from_millis(50);
    let vain = client.wait_until("rain", deadline, |_| None::<()>).await.unwrap_err();
    assert_eq!(vain.to_string(), "waited in vain for rain");

    let nowhere = Client::connect(vec![Remote::Unix("/nonexistent/db.sock".into())], switches());
    let deadline = tokio::time::Instant::now() + Duration::from_millis(300);
    let nobody = nowhere.ready(deadline).await.unwrap_err().to_string();
    assert!(nobody.contains("No such file"), "{nobody}");
}

#[tokio::test]
async fn any_member_of_a_list_of_remotes_will_do() {
    let server = Server::start(NORTHBOUND);
    let remotes = vec![Remote::Unix("/nonexistent/db.sock".into()), server.remote()];
    let client = Client::connect(remotes, switches());
    client.ready(soon()).await.unwrap();
}

mod tls {
    use super::*;
    use crate::testing::{authority, free_port, issue};

    #[tokio::test]
    async fn both_sides_of_a_tls_connection_must_show_a_known_authority() {
        let (known, unknown, port) = (authority(), authority(), free_port());
        let server = Server::start_with(NORTHBOUND, |dir| {
            let tls = issue(dir, "server", &known);
            vec![
                format!("--remote=pssl:{port}:127.0.0.1"),
                format!("--private-key={}", tls.private_key.display()),
                format!("--certificate={}", tls.certificate.display()),
                format!("--ca-cert={}", tls.ca_cert.display()),
            ]
        });
        let good = issue(server.dir.path(), "good", &known);
        let client = Client::connect(vec![Remote::ssl("127.0.0.1", port, good.clone())], switches());
        client.ready(soon()).await.unwrap();

        let stranger = issue(server.dir.path(), "stranger", &unknown);
        let uncertified = TlsFiles { ca_cert: good.ca_cert.clone(), ..stranger.clone() };
        let distrustful = TlsFiles { ca_cert: stranger.ca_cert, ..good };
        for tls in [uncertified, distrustful] {
            let client = Client::connect(vec![Remote::ssl("127.0.0.1", port, tls)], switches());
            let deadline = tokio::time::Instant::now() + Duration::from_millis(500);
            let refused = client.ready(deadline).await.unwrap_err();
            assert!(matches!(refused, Error::Unavailable { .. }), "{refused}");
        }
    }
}

mod silence {
    //! A server that lives and whose answers get lost: between it and the client stands one who drops them.

    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::time::Instant;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{UnixListener, UnixStream};

    use super::*;

    struct Between {
        remote: Remote,
        /// Answers to transactions are dropped.
        drops: Arc<AtomicBool>,
        connections: Arc<AtomicU32>,
    }

    impl Between {
        fn stand(server: &Server) -> Self {
            let path = server.dir.path().join("between.sock");
            let listener = UnixListener::bind(&path).unwrap();
            let (drops, connections) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
            let (dropping, counting, behind) = (drops.clone(), connections.clone(), server.remote().to_string());
            tokio::spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    counting.fetch_add(1, Ordering::SeqCst);
                    let server = UnixStream::connect(behind.strip_prefix("unix:").unwrap()).await.unwrap();
                    tokio::spawn(pass(client, server, dropping.clone()));
                }
            });
            Self { remote: Remote::Unix(path), drops, connections }
        }
    }

    async fn pass(client: UnixStream, server: UnixStream, drops: Arc<AtomicBool>) {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let up = async { tokio::io::copy(&mut from_client, &mut to_server).await.map(drop) };
        let down = async {
            let mut read = Vec::new();
            loop {
                let mut messages = serde_json::Deserializer::from_slice(&read).into_iter::<serde_json::Value>();
                let mut passed = Vec::new();
                while let Some(Ok(message)) = messages.next() {
                    // Outcomes of a transaction's operations, and nothing else, are a list of objects.
                    let is_outcome = message["result"].as_array().is_some_and(|all| all.iter().all(|one| one.is_object()));
                    if !(is_outcome && drops.load(Ordering::SeqCst)) {
                        passed.extend(message.to_string().bytes());
                    }
                }
                let done = messages.byte_offset();
                read.drain(..done);
                to_client.write_all(&passed).await?;
                if from_server.read_buf(&mut read).await? == 0 {
                    return Ok(());
                }
            }
        };
        let _: (std::io::Result<()>, std::io::Result<()>) = tokio::join!(up, down);
    }

    #[tokio::test]
    async fn a_lost_answer_renews_the_connection_and_what_was_done_shows() {
        let server = Server::start(NORTHBOUND);
        let between = Between::stand(&server);
        let client = Client::connect(vec![between.remote.clone()], switches().answered_within(Duration::from_secs(1)));
        client.ready(soon()).await.unwrap();
        between.drops.store(true, Ordering::SeqCst);
        let add = |name: &str| {
            let mut transaction = Transaction::new();
            transaction.insert("Logical_Switch", &Row::new().with("name", name));
            transaction
        };
        let asked = Instant::now();
        let lost = client.transact(&add("lost")).await.unwrap_err();
        assert!(matches!(lost, Error::Interrupted { .. }), "{lost}");
        assert!(asked.elapsed() < Duration::from_secs(10));
        between.drops.store(false, Ordering::SeqCst);
        client.ready(soon()).await.unwrap();
        wait_names(&client, &["lost"]).await;
        client.transact(&add("next")).await.unwrap();
        wait_names(&client, &["lost", "next"]).await;
        assert!(between.connections.load(Ordering::SeqCst) >= 2);
    }
}
