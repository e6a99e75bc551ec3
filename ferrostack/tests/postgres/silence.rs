// SPDX-License-Identifier: Apache-2.0
//! A PostgreSQL from which no packet comes any more: every service says so in time and in its own form, and when it is back what was
//! under way goes on.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use database::{Listening, Server};
use nix::sched::{CloneFlags, unshare};
use serde_json::{Value, json};

use crate::{client::Client, controller::Controller, create_server, lead::leader, until_error, upload_image};

/// More than `[database]` below adds up to for a request, on a busy machine.
const ANSWERED: Duration = Duration::from_secs(25);

const IMPATIENT: &str = "connect_seconds = 1\nstatement_seconds = 3\ntransaction_seconds = 6\nsilence_seconds = 2\n";

#[test]
fn while_postgresql_is_silent_every_service_says_so_in_time_and_work_goes_on_after() {
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    run("ip", &["link", "set", "lo", "up"]);
    // What is started from here is in this network, too.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(silence_and_return());
}

async fn silence_and_return() {
    let server = Server::start_listening(&Listening { port: 5432, tls: None, access: "host all all 127.0.0.1/32 trust" });
    let mut controller = Controller::with(&server.url_by("127.0.0.1"), IMPATIENT);
    controller.start();
    controller.answers().await;
    let admin = controller.admin().await;
    let image = upload_image(&admin).await;
    assert!(leader(&admin).await.is_some());

    let under_way = create_server(&admin, &image).await;
    run("nft", &["add table inet silence"]);
    run("nft", &["add chain inet silence input { type filter hook input priority 0; }"]);
    run("nft", &["add rule inet silence input tcp dport 5432 drop"]);
    run("nft", &["add rule inet silence input tcp sport 5432 drop"]);
    let asked: Vec<_> = [
        ("/identity/v3/users", "error"),
        ("/compute/v2.1/servers", ""),
        ("/network/v2.0/networks", "NeutronError"),
        ("/placement/resource_providers", "errors"),
        ("/image/v2/images", ""),
        ("/operator/v1/controllers", "error"),
    ]
    .into_iter()
    .map(|(path, fault)| tokio::spawn(refused_in_time(admin.clone(), path, fault)))
    .collect();
    for asked in asked {
        asked.await.unwrap();
    }

    run("nft", &["delete table inet silence"]);
    let back = Instant::now();
    while admin.get("/compute/v2.1/servers").await.status != 200 || leader(&admin).await.is_none() {
        assert!(back.elapsed() < ANSWERED, "it does not serve again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    until_error(&admin, &under_way).await;
    let anew = create_server(&admin, &image).await;
    until_error(&admin, &anew).await;
}

async fn refused_in_time(admin: Client, path: &'static str, fault: &'static str) {
    let began = Instant::now();
    let answer = admin.get(path).await;
    let took = began.elapsed();
    let said = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 503, "{path} after {took:?}: {said}");
    assert!(took < ANSWERED, "{path} was answered after {took:?}");
    assert!(said.contains("database does not answer"), "{path}: {said}");
    if !fault.is_empty() {
        let document: Value = serde_json::from_str(&said).unwrap_or(json!(null));
        assert!(!document[fault].is_null(), "{path} speaks another form: {said}");
    }
}

fn run(program: &str, arguments: &[&str]) {
    assert!(Command::new(program).args(arguments).status().unwrap().success(), "{program} {arguments:?}");
}
