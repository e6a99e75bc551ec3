// SPDX-License-Identifier: Apache-2.0
//! What a server costs in the database, counted.

use std::time::{Duration, Instant};

use serde_json::json;
use store::Engine;

use super::{Cloud, id_of, server};

const PATIENCE: Duration = Duration::from_secs(20);
const STATUS: &str = "SELECT status FROM servers WHERE id = $1";

/// Waits for it without a request, and answers how often it looked.
async fn until_active(cloud: &Cloud, id: &str) -> u64 {
    let began = Instant::now();
    for looks in 1.. {
        let of = id.to_owned();
        let status = cloud.store().read(move |tx| tx.query_one(STATUS, &store::params![of.as_str()])?.get::<String>(0));
        if status.await.unwrap() == "ACTIVE" {
            return looks;
        }
        assert!(began.elapsed() < PATIENCE, "the server is not ACTIVE");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    unreachable!()
}

fn bare(name: &str) -> serde_json::Value {
    let mut body = server(name);
    body["server"]["networks"] = json!("none");
    body
}

async fn until_overheard(cloud: &Cloud, part: &str) -> Vec<String> {
    let (began, mut all) = (Instant::now(), Vec::new());
    loop {
        all.extend(cloud.store().overhear().into_iter().map(|(sql, _)| sql));
        if all.iter().any(|sql: &String| sql.contains(part)) {
            return all;
        }
        assert!(began.elapsed() < PATIENCE, "nobody asked for {part}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_new_server_waits_for_the_database_a_few_times_only() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    until_active(&cloud, &id_of(cloud.member().post("/compute/v2.1/servers", bare("first")).await.expect(202))).await;
    let (statements, trips) = (cloud.store().statements(), cloud.store().round_trips());
    let id = id_of(cloud.member().post("/compute/v2.1/servers", bare("second")).await.expect(202));
    let looks = until_active(&cloud, &id).await;
    let statements = cloud.store().statements() - statements - looks;
    assert!(statements <= 46, "{statements} statements from POST to ACTIVE");
    if cloud.store().engine() == Engine::Postgres {
        let trips = cloud.store().round_trips() - trips - looks;
        assert!(trips <= 24, "PostgreSQL was waited for {trips} times from POST to ACTIVE");
    }
}

#[tokio::test]
async fn what_a_node_was_told_is_not_read_for_it_once_more() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    cloud.store().overhear();
    let id = id_of(cloud.member().post("/compute/v2.1/servers", bare("one")).await.expect(202));
    until_active(&cloud, &id).await;
    until_overheard(&cloud, "SELECT revision FROM servers").await;
    // Whatever is not told is: as after a request that was cut off.
    let of = id.clone();
    cloud.store().overhear();
    cloud
        .store()
        .write(move |tx| {
            tx.execute("UPDATE servers SET revision = revision + 1 WHERE id = $1", &store::params![of.as_str()])?;
            tx.record(store::Event {
                actor: store::Actor::system("test"),
                action: "server.update".to_owned(),
                resource_type: "server",
                resource_id: of.clone(),
                project_id: None,
                before: None,
                after: None,
            })
        })
        .await
        .unwrap();
    let heard = until_overheard(&cloud, "released_machines").await;
    assert!(heard.iter().any(|sql| sql.contains("SELECT revision FROM servers")), "it was looked at before it was told");
}
