// SPDX-License-Identifier: Apache-2.0
//! Who of several controllers has the lead, whatever becomes of them: there is no host here, so a server that is asked for
//! ends in error, and does so because somebody reconciles it.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{PATIENCE, client::Client, controller::Controller, create_server, until_error, upload_image};

/// The server waits five seconds for a silent session, and ten for a transaction that hangs.
const TAKEOVER: Duration = Duration::from_secs(40);

#[tokio::test(flavor = "multi_thread")]
async fn when_the_leader_is_killed_the_other_leads() {
    let database = database::new_postgres_database().await;
    let (mut first, mut second) = (Controller::new(&database), Controller::new(&database));
    let admin = start_both(&mut first, &mut second).await;
    let image = upload_image(&admin).await;
    let at_second = admin.at(second.address);
    assert_eq!(leader(&admin).await, Some((first.nodes.to_string(), 1)));
    assert_eq!(leader(&at_second).await, leader(&admin).await);
    // Asked for at the one, brought about by the other.
    let server = create_server(&at_second, &image).await;
    until_error(&at_second, &server).await;

    let at_work = create_server(&admin, &image).await;
    let killed = Instant::now();
    first.kill();
    until_leads(&at_second, &second, 2).await;
    println!("the lead moved {:?} after kill -9", killed.elapsed());
    until_error(&at_second, &at_work).await;

    first.start();
    first.answers().await;
    let server = create_server(&admin, &image).await;
    until_error(&admin, &server).await;
    assert_eq!(leader(&admin).await, Some((second.nodes.to_string(), 2)));
    failed_once_each(&at_second, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_slept_does_nothing_more() {
    let database = database::new_postgres_database().await;
    let (mut first, mut second) = (Controller::new(&database), Controller::new(&database));
    let admin = start_both(&mut first, &mut second).await;
    let at_second = admin.at(second.address);
    let image = upload_image(&admin).await;
    for round in 0..3 {
        let (sleeper, other) = if round % 2 == 0 { (&first, &second) } else { (&second, &first) };
        // It may fall asleep anywhere in this work.
        let servers = [create_server(&admin.at(sleeper.address), &image).await, create_server(&at_second, &image).await];
        sleeper.pause();
        let slept = Instant::now();
        let client = admin.at(other.address);
        until_leads(&client, other, round + 2).await;
        println!("the lead moved {:?} after the leader fell asleep", slept.elapsed());
        for server in &servers {
            until_error(&client, server).await;
        }
        sleeper.go_on();
        // It answers as before, and knows soon that it does not lead.
        let back = admin.at(sleeper.address);
        assert_eq!(leader(&back).await, leader(&client).await);
        let told = Instant::now();
        while !sleeper.log().contains("this controller has lost the lead") {
            assert!(told.elapsed() < PATIENCE, "it does not know that it lost the lead");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let server = create_server(&back, &image).await;
        until_error(&back, &server).await;
    }
    failed_once_each(&at_second, 9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_postgresql_restarts_one_leads_again() {
    let server = tokio::task::spawn_blocking(database::Server::start).await.unwrap();
    let (mut first, mut second) = (Controller::new(&server.url()), Controller::new(&server.url()));
    let admin = start_both(&mut first, &mut second).await;
    let image = upload_image(&admin).await;
    let server = tokio::task::spawn_blocking(move || {
        server.restart();
        server
    })
    .await
    .unwrap();
    let restarted = Instant::now();
    let found = loop {
        match try_leader(&admin).await {
            Some((name, generation)) if generation > 1 => break (name, generation),
            _ => assert!(restarted.elapsed() < TAKEOVER, "nobody leads after PostgreSQL was restarted"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    println!("{} took the lead {:?} after PostgreSQL was back", found.0, restarted.elapsed());
    for controller in [&first, &second] {
        let client = admin.at(controller.address);
        let wanted = create_server(&client, &image).await;
        until_error(&client, &wanted).await;
    }
    failed_once_each(&admin, 2).await;
    drop((first, second, server));
}

/// The first leads.
async fn start_both(first: &mut Controller, second: &mut Controller) -> Client {
    first.start();
    first.answers().await;
    let admin = first.admin().await;
    until_leads(&admin, first, 1).await;
    first.share_secrets_with(second);
    second.start();
    second.answers().await;
    admin
}

/// Who leads as this controller sees it, and in which generation.
pub async fn leader(client: &Client) -> Option<(String, i64)> {
    let answer = client.get("/operator/v1/controllers").await.expect(200);
    who_leads(&answer)
}

async fn try_leader(client: &Client) -> Option<(String, i64)> {
    let answer = client.get("/operator/v1/controllers").await;
    if answer.status == 200 { who_leads(&answer.expect(200)) } else { None }
}

fn who_leads(answer: &Value) -> Option<(String, i64)> {
    let mut leaders = answer["controllers"].as_array().unwrap().iter().filter(|one| one["leads"] == true);
    let found = leaders.next().map(|one| (one["name"].as_str().unwrap().to_owned(), one["lead"].as_i64().unwrap()));
    assert!(leaders.next().is_none(), "{answer}");
    found
}

async fn until_leads(client: &Client, controller: &Controller, generation: i64) {
    let wanted = Some((controller.nodes.to_string(), generation));
    let began = Instant::now();
    while leader(client).await != wanted {
        assert!(began.elapsed() < TAKEOVER, "{wanted:?} does not lead: {:?}", leader(client).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What was done for each server was done once.
async fn failed_once_each(client: &Client, servers: usize) {
    let events = client.get("/operator/v1/events?resource_type=server").await.expect(200);
    let mut failed: Vec<&str> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["action"] == "server.fail")
        .map(|event| event["resource_id"].as_str().unwrap())
        .collect();
    failed.sort_unstable();
    assert_eq!(failed.len(), servers, "{failed:?}");
    failed.dedup();
    assert_eq!(failed.len(), servers, "a server failed twice");
}
