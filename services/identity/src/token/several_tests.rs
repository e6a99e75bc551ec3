// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]
//! Several controllers on one database: what one takes away, the other refuses.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use contracts::caller::{Authenticator, Unauthenticated};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    Identity, Settings,
    world::{DEMO_PASSWORD, World},
};

/// The time within which all know.
const SECOND: Duration = Duration::from_secs(1);

async fn two_controllers() -> (World, Arc<Identity>) {
    let url = database::new_postgres_database().await;
    database::swallow_notifications(&url).await;
    let world = World::on(&url, tempfile::tempdir().unwrap(), Settings::default()).await;
    let other = world.another_controller(&url).await;
    (world, other)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_revoked_is_refused_everywhere_within_a_second() {
    let (world, other) = two_controllers().await;
    let (user, project) = (world.id("users", "demo").await, world.id("projects", "demo").await);
    let role = world.id("roles", "member").await;
    let change = async |method: &str, path: &str, body: Value| {
        let answer = world.ask(method, path, &world.admin, body).await;
        assert!(answer.status.is_success(), "{path} {}", answer.body);
    };
    let believed = async |token: &str| match other.caller(token).await {
        Ok(_) => true,
        Err(Unauthenticated::BadToken) => false,
        Err(error) => panic!("{error:?}"),
    };

    let token = world.demo().await;
    assert!(believed(&token).await);
    let revoked = world.ask_with("DELETE", "/v3/auth/tokens", &token, &[("x-subject-token", &token)], Value::Null).await;
    assert_eq!(revoked.status, 204);
    sleep(SECOND).await;
    assert!(!believed(&token).await, "it is revoked");

    let token = world.demo().await;
    assert!(believed(&token).await);
    let grant = format!("/v3/projects/{project}/users/{user}/roles/{role}");
    change("DELETE", &grant, Value::Null).await;
    sleep(SECOND).await;
    assert!(!believed(&token).await, "the last role is gone");
    change("PUT", &grant, Value::Null).await;
    sleep(SECOND).await;
    assert!(believed(&token).await, "it is there again");

    let user_path = format!("/v3/users/{user}");
    change("PATCH", &user_path, json!({"user": {"enabled": false}})).await;
    sleep(SECOND).await;
    assert!(!believed(&token).await, "the user is disabled");
    change("PATCH", &user_path, json!({"user": {"enabled": true}})).await;
    let token = world.login("demo", DEMO_PASSWORD, Some("demo")).await;
    sleep(SECOND).await;
    assert!(believed(&token).await);
    change("PATCH", &user_path, json!({"user": {"password": "another horse"}})).await;
    sleep(SECOND).await;
    assert!(!believed(&token).await, "the password was changed");

    let token = world.login("demo", "another horse", Some("demo")).await;
    assert!(believed(&token).await);
    change("DELETE", &format!("/v3/projects/{project}"), Value::Null).await;
    sleep(SECOND).await;
    assert!(!believed(&token).await, "the project is deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_silent_nobody_is_believed_for_longer_than_that() {
    let url = database::new_postgres_database().await;
    let world = World::on(&url, tempfile::tempdir().unwrap(), Settings::default()).await;
    let wire = database::Wire::to(&url).await;
    let other = world.another_controller(wire.url()).await;
    let token = world.demo().await;
    assert!(other.caller(&token).await.is_ok());
    wire.fall_silent();
    sleep(SECOND).await;
    let asked = Instant::now();
    let answer = other.caller(&token).await;
    assert!(matches!(answer, Err(Unauthenticated::Unavailable(_))), "{answer:?}");
    assert!(asked.elapsed() < Duration::from_secs(8));
    wire.speak();
    let deadline = Instant::now() + Duration::from_secs(30);
    while other.caller(&token).await.is_err() {
        assert!(Instant::now() < deadline, "it does not come back");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_token_is_known_from_its_issue_on() {
    let world = World::new().await;
    let demo = world.demo().await;
    let before = world.store.statements();
    let known = world.room.caller(&demo).await.unwrap();
    assert_eq!(world.store.statements(), before);
    // What was kept is what the tables say.
    let looked_up = world.second_room().await.caller(&demo).await.unwrap();
    assert_eq!(format!("{known:?}"), format!("{looked_up:?}"));
}
