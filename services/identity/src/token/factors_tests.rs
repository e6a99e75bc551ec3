// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]
//! Logging in with more than one method, and with passcodes.

use serde_json::{Value, json};

use super::method::totp::tests::shown;
use crate::world::{Answer, DEMO_PASSWORD, World};

const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const RECEIPT: &str = "openstack-auth-receipt";

/// A world whose user `demo` has a device, and these rules.
async fn world_with(rules: Value) -> (World, String) {
    let world = World::new().await;
    let demo = world.id("users", "demo").await;
    let credential = json!({"credential": {"type": "totp", "blob": SECRET, "user_id": demo}});
    let made = world.ask("POST", "/v3/credentials", &world.admin, credential).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let options = json!({"user": {"options": {"multi_factor_auth_rules": rules}}});
    let set = world.ask("PATCH", &format!("/v3/users/{demo}"), &world.admin, options).await;
    assert_eq!(set.status, 200, "{}", set.body);
    (world, demo)
}

fn with_password(user: &str) -> Value {
    json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": user, "password": DEMO_PASSWORD}}}}})
}

fn with_passcode(user: &str, passcode: &str) -> Value {
    json!({"auth": {"identity": {"methods": ["totp"], "totp": {"user": {"id": user, "passcode": passcode}}}}})
}

fn with_both(user: &str, passcode: &str) -> Value {
    json!({"auth": {"identity": {"methods": ["password", "totp"],
        "password": {"user": {"id": user, "password": DEMO_PASSWORD}},
        "totp": {"user": {"name": "demo", "domain": {"id": "default"}, "passcode": passcode}}}}})
}

async fn log_in(world: &World, body: Value, receipt: &str) -> Answer {
    world.ask_with("POST", "/v3/auth/tokens", "", &[(RECEIPT, receipt)], body).await
}

#[tokio::test]
async fn both_methods_at_once_are_a_login() {
    let (world, demo) = world_with(json!([["password", "totp"]])).await;
    let answer = log_in(&world, with_both(&demo, &shown(SECRET, 0)), "").await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.body["token"]["methods"], json!(["totp", "password"]));
    // A token carries what it was bought with, so it buys others.
    let token = answer.token();
    let body = json!({"auth": {"identity": {"methods": ["token"], "token": {"id": token}}}});
    assert_eq!(log_in(&world, body, "").await.status, 201);
}

#[tokio::test]
async fn one_method_of_two_is_worth_a_receipt() {
    let (world, demo) = world_with(json!([["password", "totp"], ["application_credential"], ["telepathy"]])).await;
    let half = log_in(&world, with_password(&demo), "").await;
    assert_eq!(half.status, 401);
    assert!(!half.headers.contains_key("x-subject-token"));
    assert_eq!(half.body["required_auth_methods"], json!([["password", "totp"]]));
    let receipt = &half.body["receipt"];
    assert_eq!(receipt["methods"], json!(["password"]));
    assert_eq!(receipt["user"], json!({"id": demo, "name": "demo", "domain": {"id": "default", "name": "Default"}}));
    assert!(receipt["expires_at"].as_str().unwrap() > receipt["issued_at"].as_str().unwrap());
    let receipt = half.headers[RECEIPT].to_str().unwrap();

    let whole = log_in(&world, with_passcode(&demo, &shown(SECRET, 0)), receipt).await;
    assert_eq!(whole.status, 201, "{}", whole.body);
    assert_eq!(whole.body["token"]["methods"], json!(["totp", "password"]));
}

/// A passcode of one more device, that nobody has shown yet: what was shown once is worth nothing, whatever came of it.
async fn new_passcode(world: &World, user: &str, first_letter: char) -> String {
    let secret = format!("{first_letter}{}", &SECRET[1..]);
    let credential = json!({"credential": {"type": "totp", "blob": secret, "user_id": user}});
    assert_eq!(world.ask("POST", "/v3/credentials", &world.admin, credential).await.status, 201);
    shown(&secret, 0)
}

#[tokio::test]
async fn a_receipt_is_only_that() {
    let (world, demo) = world_with(json!([["password", "totp"]])).await;
    let half = log_in(&world, with_password(&demo), "").await;
    let receipt = half.headers[RECEIPT].to_str().unwrap().to_owned();
    assert_eq!(world.get("/v3/auth/projects", &receipt).await.status, 401, "no token");
    assert_eq!(log_in(&world, with_password(&demo), &receipt).await.status, 401, "the same half twice");
    let passcode = new_passcode(&world, &demo, 'A').await;
    assert_eq!(log_in(&world, with_passcode(&demo, &passcode), "nonsense").await.status, 401);
    let (token, passcode) = (world.admin.clone(), new_passcode(&world, &demo, 'B').await);
    assert_eq!(log_in(&world, with_passcode(&demo, &passcode), &token).await.status, 401, "a token is no receipt");

    // Another user's login gains nothing from it.
    let options = json!({"options": {"multi_factor_auth_rules": [["password", "totp"]]}, "name": "eve", "password": "known"});
    let eve = world.create("users", "user", options).await;
    let body = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": eve, "password": "known"}}}}});
    let answer = log_in(&world, body, &receipt).await;
    assert_eq!(answer.status, 401);
    assert!(answer.body.get("receipt").is_none(), "{}", answer.body);

    // A new password makes what the old one proved void, also what it proved within the same second.
    for (before, after, letter) in [(DEMO_PASSWORD, "another", 'C'), ("another", "a third", 'D'), ("a third", "a fourth", 'E')] {
        let passcode = new_passcode(&world, &demo, letter).await;
        let body =
            json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": demo, "password": before}}}}});
        let half = log_in(&world, body, "").await;
        let receipt = half.headers[RECEIPT].to_str().unwrap().to_owned();
        let change = json!({"user": {"password": after}});
        assert_eq!(world.ask("PATCH", &format!("/v3/users/{demo}"), &world.admin, change).await.status, 200);
        assert_eq!(log_in(&world, with_passcode(&demo, &passcode), &receipt).await.status, 401);
    }

    // What the new one proves counts at once.
    let body =
        json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": demo, "password": "a fourth"}}}}});
    let half = log_in(&world, body, "").await;
    let passcode = new_passcode(&world, &demo, 'F').await;
    assert_eq!(log_in(&world, with_passcode(&demo, &passcode), half.headers[RECEIPT].to_str().unwrap()).await.status, 201);
}

#[tokio::test]
async fn an_old_receipt_is_worth_nothing() {
    let settings = crate::Settings { receipt_lifetime: std::time::Duration::ZERO, ..Default::default() };
    let world = World::with(settings).await;
    let rules = json!({"options": {"multi_factor_auth_rules": [["password", "totp"]]}, "name": "ann", "password": "known"});
    let ann = world.create("users", "user", rules).await;
    let credential = json!({"credential": {"type": "totp", "blob": SECRET, "user_id": ann}});
    assert_eq!(world.ask("POST", "/v3/credentials", &world.admin, credential).await.status, 201);
    let body = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": ann, "password": "known"}}}}});
    let half = log_in(&world, body, "").await;
    let receipt = half.headers[RECEIPT].to_str().unwrap();
    assert_eq!(log_in(&world, with_passcode(&ann, &shown(SECRET, 0)), receipt).await.status, 401);
}

#[tokio::test]
async fn rules_can_be_switched_off_and_taken_away() {
    let (world, demo) = world_with(json!([["password", "totp"]])).await;
    let set = async |options: Value| {
        let change = json!({"user": {"options": options}});
        let answer = world.ask("PATCH", &format!("/v3/users/{demo}"), &world.admin, change).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        log_in(&world, with_password(&demo), "").await.status.as_u16()
    };
    assert_eq!(set(json!({})).await, 401);
    assert_eq!(set(json!({"multi_factor_auth_enabled": false})).await, 201);
    assert_eq!(set(json!({"multi_factor_auth_enabled": null})).await, 401);
    assert_eq!(set(json!({"multi_factor_auth_rules": [["telepathy"]]})).await, 201, "no rule that anybody could keep");
    assert_eq!(set(json!({"multi_factor_auth_rules": [["totp"], ["password"]]})).await, 201, "either is enough");
    assert_eq!(set(json!({"multi_factor_auth_rules": null})).await, 201);
}

#[tokio::test]
async fn a_passcode_cannot_be_replayed() {
    let (world, demo) = world_with(json!([])).await;
    let passcode = shown(SECRET, 0);
    let first = log_in(&world, with_passcode(&demo, &passcode), "").await;
    assert_eq!(first.status, 201, "{}", first.body);
    assert_eq!(first.body["token"]["methods"], json!(["totp"]));
    assert_eq!(log_in(&world, with_passcode(&demo, &passcode), "").await.status, 401);
    // Not at once either: of many that bring it one is let in.
    let passcode = shown(SECRET, -1);
    assert_eq!(log_in(&world, with_passcode(&demo, &passcode), "").await.status, 401, "of the future");
}

#[tokio::test]
async fn of_many_who_bring_one_passcode_one_gets_in() {
    let (world, demo) = world_with(json!([])).await;
    let passcode = shown(SECRET, 0);
    let tries = (0..8).map(|_| log_in(&world, with_passcode(&demo, &passcode), ""));
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
}

#[tokio::test]
async fn a_passcode_may_be_one_step_late_and_no_later() {
    let (world, demo) = world_with(json!([])).await;
    // Taken two steps back it may have become three; taken one step back it may have become two, so it is tried again.
    let mut late = log_in(&world, with_passcode(&demo, &shown(SECRET, 1)), "").await;
    if late.status != 201 {
        late = log_in(&world, with_passcode(&demo, &shown(SECRET, 1)), "").await;
    }
    assert_eq!(late.status, 201, "{}", late.body);
    for wrong in [shown(SECRET, 2), "000000x".to_owned(), String::new(), "9".repeat(5000)] {
        assert_eq!(log_in(&world, with_passcode(&demo, &wrong), "").await.status, 401, "{wrong}");
    }
    let other = world.id("users", "admin").await;
    assert_eq!(log_in(&world, with_passcode(&other, &shown(SECRET, 0)), "").await.status, 401, "another's device");
}

#[tokio::test]
async fn methods_are_followed_once_and_unknown_ones_cost_nothing() {
    let world = World::new().await;
    let demo = world.id("users", "demo").await;
    let mut body = with_password(&demo);
    body["auth"]["identity"]["methods"] = json!(vec!["password"; 5000]);
    let start = std::time::Instant::now();
    assert_eq!(log_in(&world, body.clone(), "").await.status, 201);
    let many = start.elapsed();
    let start = std::time::Instant::now();
    assert_eq!(log_in(&world, with_password(&demo), "").await.status, 201);
    assert!(many < start.elapsed() * 100, "5000 hashes would take longer: {many:?}");
    // What comes after an unknown one is not looked at, nor what comes before it.
    body["auth"]["identity"]["methods"] = json!(["password", "telepathy"]);
    assert_eq!(log_in(&world, body.clone(), "").await.status, 401);
    body["auth"]["identity"]["methods"] = json!(["password", "totp"]);
    let answer = log_in(&world, body, "").await;
    assert_eq!(answer.status, 400);
    assert!(answer.message().contains("identity.totp is missing"), "{}", answer.message());
}
