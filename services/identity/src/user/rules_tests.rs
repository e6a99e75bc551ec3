// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]
//! The operator's rules for passwords and logins, and the options that exempt from them.

use std::sync::Arc;

use serde_json::{Value, json};
use store::params;
use types::Timestamp;

use crate::{
    SecurityCompliance, Settings,
    settings::LockoutSeconds,
    world::{Answer, World},
};

async fn world_with(rules: SecurityCompliance) -> World {
    World::with(Settings { security_compliance: Arc::new(rules), ..Settings::default() }).await
}

async fn user(world: &World, fields: Value) -> String {
    let mut all = json!({"name": "ann", "password": "first-1"});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    world.create("users", "user", all).await
}

async fn log_in(world: &World, id: &str, password: &str) -> Answer {
    let body = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": id, "password": password}}}}});
    world.ask("POST", "/v3/auth/tokens", "", body).await
}

async fn change(world: &World, id: &str, from: &str, to: &str) -> Answer {
    let body = json!({"user": {"original_password": from, "password": to}});
    world.ask("POST", &format!("/v3/users/{id}/password"), "", body).await
}

async fn patch(world: &World, id: &str, fields: Value) -> Answer {
    world.ask("PATCH", &format!("/v3/users/{id}"), &world.admin, json!({"user": fields})).await
}

/// Moves an instant of the user's into the past.
async fn age(world: &World, id: &str, column: &'static str, days: i64) {
    let id = id.to_owned();
    let at = Timestamp::from_seconds(Timestamp::now().seconds() - days * 86_400 - 60);
    let sql = format!("UPDATE users SET {column} = $2 WHERE id = $1");
    world.store.write(move |tx| tx.execute(&sql, &params![&id, at])).await.unwrap();
}

#[tokio::test]
async fn options_are_checked_merged_and_taken_away() {
    let world = World::new().await;
    let id = user(&world, json!({"options": {"lock_password": true, "multi_factor_auth_rules": [["password", "totp"]]}})).await;
    let shown = patch(&world, &id, json!({"options": {"lock_password": null, "ignore_password_expiry": false}})).await;
    let left = json!({"ignore_password_expiry": false, "multi_factor_auth_rules": [["password", "totp"]]});
    assert_eq!(shown.body["user"]["options"], left);
    for (options, word) in [
        (json!({"lock_passwords": true}), "no such option"),
        (json!({"lock_password": "true"}), "true, false or null"),
        (json!({"lock_password": 1}), "true, false or null"),
        (json!({"multi_factor_auth_rules": "password"}), "list of lists"),
        (json!({"multi_factor_auth_rules": ["password"]}), "list of lists"),
        (json!({"multi_factor_auth_rules": [[]]}), "list of lists"),
        (json!({"multi_factor_auth_rules": [[1]]}), "list of lists"),
        (json!({"multi_factor_auth_rules": [["password", "password"]]}), "list of lists"),
        (json!({"multi_factor_auth_rules": [["password"], ["password"]]}), "list of lists"),
        (json!({"multi_factor_auth_rules": vec![["x"]; 100_000 / 8]}), "list of lists"),
    ] {
        for answer in [
            patch(&world, &id, json!({"options": options})).await,
            world.ask("POST", "/v3/users", &world.admin, json!({"user": {"name": "bob", "options": options}})).await,
        ] {
            assert_eq!(answer.status, 400, "{options}");
            assert!(answer.message().contains(word), "{}", answer.message());
        }
    }
    assert_eq!(world.get(&format!("/v3/users/{id}"), &world.admin).await.body["user"]["options"], left);
}

#[tokio::test]
async fn wrong_passwords_lock_an_account_for_a_while() {
    let rules = SecurityCompliance {
        lockout_failure_attempts: Some(2),
        lockout_duration: LockoutSeconds(3600),
        ..SecurityCompliance::default()
    };
    let world = world_with(rules).await;
    let id = user(&world, json!({})).await;
    for _ in 0..3 {
        // A right one between them: never two wrong ones in a row.
        assert_eq!(log_in(&world, &id, "wrong").await.status, 401);
        assert_eq!(log_in(&world, &id, "first-1").await.status, 201);
    }
    assert_eq!(log_in(&world, &id, "wrong").await.status, 401);
    assert_eq!(log_in(&world, &id, "wrong").await.status, 401);
    assert_eq!(log_in(&world, &id, "first-1").await.status, 401, "locked");
    assert_eq!(change(&world, &id, "first-1", "second-2").await.status, 401, "locked");

    age(&world, &id, "last_failed_at", 1).await;
    assert_eq!(log_in(&world, &id, "wrong").await.status, 401, "it is over, and this is the first of the next ones");
    assert_eq!(log_in(&world, &id, "first-1").await.status, 201);

    log_in(&world, &id, "wrong").await;
    log_in(&world, &id, "wrong").await;
    assert_eq!(log_in(&world, &id, "first-1").await.status, 401);
    assert_eq!(patch(&world, &id, json!({"enabled": true})).await.status, 200);
    assert_eq!(log_in(&world, &id, "first-1").await.status, 201, "the administrator opened it");

    assert_eq!(patch(&world, &id, json!({"options": {"ignore_lockout_failure_attempts": true}})).await.status, 200);
    for _ in 0..4 {
        log_in(&world, &id, "wrong").await;
    }
    assert_eq!(log_in(&world, &id, "first-1").await.status, 201, "exempt");
}

#[tokio::test]
async fn an_inactive_user_shows_disabled_and_his_tokens_end() {
    let rules = SecurityCompliance { disable_user_account_days_inactive: Some(30), ..SecurityCompliance::default() };
    let world = world_with(rules).await;
    let id = user(&world, json!({})).await;
    let token = log_in(&world, &id, "first-1").await.token();
    let is_enabled = async || world.get(&format!("/v3/users/{id}"), &world.admin).await.body["user"]["enabled"].clone();
    let disabled = async || world.get("/v3/users?enabled=false", &world.admin).await.all("users", "name");
    age(&world, &id, "last_active_at", 31).await;
    world.room.converge_inactive().await.unwrap();
    assert_eq!((is_enabled().await, disabled().await), (json!(false), vec!["ann".to_owned()]));
    assert_eq!(world.get("/v3/auth/projects", &token).await.status, 401);
    assert_eq!(log_in(&world, &id, "first-1").await.status, 401);

    let exempt = patch(&world, &id, json!({"options": {"ignore_user_inactivity": true}})).await;
    assert_eq!(exempt.body["user"]["enabled"], true, "the rule closed it, and does not say so any more");
    assert_eq!(world.get("/v3/auth/projects", &token).await.status, 401, "what ended does not live again");
    assert_eq!(log_in(&world, &id, "first-1").await.status, 201);
    assert_eq!(patch(&world, &id, json!({"options": {"ignore_user_inactivity": null}})).await.body["user"]["enabled"], true);

    age(&world, &id, "last_active_at", 31).await;
    world.room.converge_inactive().await.unwrap();
    assert_eq!(patch(&world, &id, json!({"enabled": false})).await.body["user"]["enabled"], false);
    // Without the rule those whom an administrator disabled stay so.
    let without = world.second_room().await;
    without.converge_inactive().await.unwrap();
    assert_eq!(is_enabled().await, false);
    assert_eq!(patch(&world, &id, json!({"enabled": true})).await.body["user"]["enabled"], true);
    age(&world, &id, "last_active_at", 31).await;
    world.room.converge_inactive().await.unwrap();
    assert_eq!(is_enabled().await, false);
    without.converge_inactive().await.unwrap();
    assert_eq!(is_enabled().await, true, "the rule was taken back");
}

#[tokio::test]
async fn a_locked_account_looks_like_a_wrong_password() {
    let world = world_with(SecurityCompliance { lockout_failure_attempts: Some(1), ..SecurityCompliance::default() }).await;
    let id = user(&world, json!({})).await;
    let wrong = log_in(&world, &id, "wrong").await;
    let locked = log_in(&world, &id, "first-1").await;
    let nobody = log_in(&world, "nobody", "first-1").await;
    assert_eq!(locked.body, wrong.body);
    assert_eq!(locked.body, nobody.body);
    // It takes a hash like any other.
    let mut fastest = std::time::Duration::MAX;
    let mut unlocked = std::time::Duration::MAX;
    let other = user(&world, json!({"name": "bob", "options": {"ignore_lockout_failure_attempts": true}})).await;
    for _ in 0..3 {
        let start = std::time::Instant::now();
        log_in(&world, &id, "first-1").await;
        fastest = fastest.min(start.elapsed());
        let start = std::time::Instant::now();
        log_in(&world, &other, "wrong").await;
        unlocked = unlocked.min(start.elapsed());
    }
    assert!(fastest * 4 > unlocked, "locked {fastest:?}, unlocked {unlocked:?}");
}

#[tokio::test]
async fn guesses_beside_each_other_do_not_get_around_the_lock() {
    let world = world_with(SecurityCompliance { lockout_failure_attempts: Some(2), ..SecurityCompliance::default() }).await;
    let id = user(&world, json!({})).await;
    let tries = (0..12).map(|i| {
        let (world, id) = (&world, &id);
        async move { log_in(world, id, if i == 11 { "first-1" } else { "wrong" }).await }
    });
    let answers = futures_util::future::join_all(tries).await;
    // The last one waits for its turn behind eleven wrong ones.
    assert_eq!(answers[11].status, 401);
    assert_eq!(log_in(&world, &id, "first-1").await.status, 401);
}

#[tokio::test]
async fn the_last_passwords_are_not_taken_again_by_their_owner() {
    let world = world_with(SecurityCompliance { unique_last_password_count: 2, ..SecurityCompliance::default() }).await;
    let id = user(&world, json!({})).await;
    assert_eq!(change(&world, &id, "first-1", "second-2").await.status, 204);
    for again in ["first-1", "second-2"] {
        let refused = change(&world, &id, "second-2", again).await;
        assert_eq!(refused.status, 400, "{again}");
        assert!(refused.message().contains("cannot be identical to a previous password"), "{}", refused.message());
    }
    assert_eq!(change(&world, &id, "second-2", "third-3").await.status, 204);
    assert_eq!(change(&world, &id, "third-3", "first-1").await.status, 204, "three back is far enough");
    assert_eq!(patch(&world, &id, json!({"password": "first-1"})).await.status, 200, "the administrator may");
    let kept = world.store.read(|tx| tx.query("SELECT 1 FROM former_passwords", &params![])).await.unwrap();
    assert_eq!(kept.len(), 1, "no more is kept than is asked for");
}

#[tokio::test]
async fn a_chosen_password_is_kept_for_a_while() {
    let world = world_with(SecurityCompliance { minimum_password_age: 2, ..SecurityCompliance::default() }).await;
    let id = user(&world, json!({})).await;
    assert_eq!(change(&world, &id, "first-1", "second-2").await.status, 204, "the administrator's may go at once");
    let refused = change(&world, &id, "second-2", "third-3").await;
    assert_eq!(refused.status, 400);
    assert!(refused.message().contains("must be used for 2 day(s)") && refused.message().contains("again in 1 day(s)"));
    age(&world, &id, "password_created_at", 2).await;
    assert_eq!(change(&world, &id, "second-2", "third-3").await.status, 204);
}

#[tokio::test]
async fn a_password_is_as_the_operator_wants_it() {
    let rules = SecurityCompliance {
        password_regex: Some(r"^(?=.*\d)(?=.*[a-zA-Z]).{7,}$".to_owned()),
        password_regex_description: Some("seven characters, a letter and a digit".to_owned()),
        ..SecurityCompliance::default()
    };
    let world = world_with(rules).await;
    let id = user(&world, json!({})).await;
    for answer in [
        world.ask("POST", "/v3/users", &world.admin, json!({"user": {"name": "bob", "password": "letters"}})).await,
        patch(&world, &id, json!({"password": "1234567"})).await,
        change(&world, &id, "first-1", "a1").await,
    ] {
        assert_eq!(answer.status, 400);
        let words = "The password does not match the requirements: seven characters, a letter and a digit.";
        assert_eq!(answer.message(), words);
    }
    assert_eq!(change(&world, &id, "first-1", "second-2").await.status, 204);
}

#[tokio::test]
async fn an_expression_that_explodes_is_given_up() {
    let rules = SecurityCompliance { password_regex: Some(r"^(?=.*x)(a|aa|a?)+\1$".to_owned()), ..SecurityCompliance::default() };
    let world = world_with(rules).await;
    let start = std::time::Instant::now();
    let bomb = format!("{}x", "a".repeat(4000));
    let answer = world.ask("POST", "/v3/users", &world.admin, json!({"user": {"name": "ann", "password": bomb}})).await;
    assert_eq!(answer.status, 400);
    assert!(start.elapsed() < std::time::Duration::from_secs(20));
}

#[tokio::test]
async fn passwords_expire_and_can_then_only_be_changed() {
    let world = world_with(SecurityCompliance { password_expires_days: Some(90), ..SecurityCompliance::default() }).await;
    let id = user(&world, json!({})).await;
    let shown = world.get(&format!("/v3/users/{id}"), &world.admin).await.body["user"]["password_expires_at"].clone();
    let until = Timestamp::parse(shown.as_str().unwrap()).unwrap().seconds() - Timestamp::now().seconds();
    assert!((90 * 86_400 - 60..=90 * 86_400).contains(&until), "{shown}");
    assert!(shown.as_str().unwrap().ends_with(".000000"));
    assert_eq!(log_in(&world, &id, "first-1").await.body["token"]["user"]["password_expires_at"], shown);
    let found = world.get("/v3/users?password_expires_at=gt:2020-01-01T00:00:00Z", &world.admin).await;
    assert_eq!(found.all("users", "name"), ["ann"]);
    let found = world.get("/v3/users?password_expires_at=lt:2020-01-01T00:00:00Z", &world.admin).await;
    assert_eq!(found.body["users"], json!([]));
    assert_eq!(world.get("/v3/users?password_expires_at=about:2020-01-01T00:00:00Z", &world.admin).await.status, 400);

    age(&world, &id, "password_expires_at", 1).await;
    let expired = log_in(&world, &id, "first-1").await;
    assert_eq!(expired.status, 401);
    assert_eq!(expired.message(), format!("The password is expired and needs to be changed for user: {id}."));
    assert_eq!(log_in(&world, &id, "wrong").await.message(), "The request you have made requires authentication.");
    assert_eq!(change(&world, &id, "first-1", "second-2").await.status, 204);
    assert_eq!(log_in(&world, &id, "second-2").await.status, 201);

    age(&world, &id, "password_expires_at", 1).await;
    patch(&world, &id, json!({"options": {"ignore_password_expiry": true}})).await;
    assert_eq!(log_in(&world, &id, "second-2").await.status, 201, "exempt");
}

#[tokio::test]
async fn a_given_password_is_changed_upon_first_use() {
    let world = world_with(SecurityCompliance { change_password_upon_first_use: true, ..SecurityCompliance::default() }).await;
    let id = user(&world, json!({})).await;
    assert!(log_in(&world, &id, "first-1").await.message().contains("needs to be changed"));
    assert_eq!(change(&world, &id, "first-1", "second-2").await.status, 204);
    assert_eq!(log_in(&world, &id, "second-2").await.status, 201);
    patch(&world, &id, json!({"password": "third-3"})).await;
    assert_eq!(log_in(&world, &id, "third-3").await.status, 401);
    patch(&world, &id, json!({"password": "fourth-4", "options": {"ignore_change_password_upon_first_use": true}})).await;
    assert_eq!(log_in(&world, &id, "fourth-4").await.status, 201, "exempt");
}

#[tokio::test]
async fn a_locked_password_is_the_administrators_to_change() {
    let world = World::new().await;
    let id = user(&world, json!({"options": {"lock_password": true}})).await;
    let refused = change(&world, &id, "first-1", "second-2").await;
    assert_eq!(refused.status, 400);
    assert!(refused.message().contains("contact your administrator"), "{}", refused.message());
    assert_eq!(change(&world, &id, "wrong", "second-2").await.status, 401);
    assert_eq!(patch(&world, &id, json!({"password": "second-2"})).await.status, 200);
    assert_eq!(log_in(&world, &id, "second-2").await.status, 201);
}

#[tokio::test]
async fn who_does_not_come_is_disabled() {
    let rules = SecurityCompliance { disable_user_account_days_inactive: Some(30), ..SecurityCompliance::default() };
    let world = world_with(rules).await;
    let id = user(&world, json!({})).await;
    age(&world, &id, "created_at", 40).await;
    assert_eq!(log_in(&world, &id, "first-1").await.status, 401);
    assert_eq!(patch(&world, &id, json!({"enabled": true})).await.status, 200);
    assert_eq!(log_in(&world, &id, "first-1").await.status, 201, "enabled anew");
    age(&world, &id, "last_active_at", 29).await;
    assert_eq!(log_in(&world, &id, "first-1").await.status, 201);
    age(&world, &id, "created_at", 100).await;
    assert_eq!(log_in(&world, &id, "first-1").await.status, 201, "it is the last login that counts");
    age(&world, &id, "last_active_at", 31).await;
    assert_eq!(log_in(&world, &id, "first-1").await.status, 401);
    patch(&world, &id, json!({"options": {"ignore_user_inactivity": true}})).await;
    assert_eq!(log_in(&world, &id, "first-1").await.status, 201, "exempt");
}

#[tokio::test]
async fn an_imported_password_is_hashed_anew_at_the_first_login() {
    let world = World::new().await;
    let id = user(&world, json!({})).await;
    let hash = async || {
        let id = id.clone();
        let row = world.store.read(move |tx| tx.query_one("SELECT password_hash FROM users WHERE id = $1", &params![&id])).await;
        row.unwrap().get::<String>(0).unwrap()
    };
    for imported in ["$2b$04$", "$2a$04$", "$2y$04$"] {
        let made = bcrypt::hash("imported", 4).unwrap().replace("$2b$04$", imported);
        let (user, kept) = (id.clone(), made.clone());
        world
            .store
            .write(move |tx| tx.execute("UPDATE users SET password_hash = $2 WHERE id = $1", &params![&user, &kept]))
            .await
            .unwrap();
        assert_eq!(log_in(&world, &id, "exported").await.status, 401);
        assert_eq!(hash().await, made);
        let token = log_in(&world, &id, "imported").await;
        assert_eq!(token.status, 201, "{imported}");
        assert!(hash().await.starts_with("$argon2id$"));
        assert_eq!(log_in(&world, &id, "imported").await.status, 201);
        assert_eq!(world.get("/v3/auth/projects", &token.token()).await.status, 200, "the token stays good");
    }
}

#[tokio::test]
async fn an_operator_finds_the_way_back_in() {
    let world = world_with(SecurityCompliance { lockout_failure_attempts: Some(1), ..SecurityCompliance::default() }).await;
    let id = user(&world, json!({"enabled": false})).await;
    log_in(&world, &id, "wrong").await;
    let token = world.demo().await;
    let demo = world.id("users", "demo").await;
    for (user, id) in [("ann", &id), (demo.as_str(), &demo)] {
        world.room.reset_password(user, &types::Secret::new("way back".to_owned())).await.unwrap();
        let again = log_in(&world, id, "way back").await;
        assert_eq!(again.status, 201, "{}", again.body);
        assert_eq!(world.get("/v3/auth/projects", &again.token()).await.status, 200);
    }
    assert_eq!(world.get("/v3/auth/projects", &token).await.status, 401, "whoever was in is out");
    assert_eq!(log_in(&world, &id, "first-1").await.status, 401);
    let nobody = world.room.reset_password("nobody", &types::Secret::new("x".to_owned())).await;
    assert_eq!(nobody.unwrap_err().to_string(), "Could not find user: nobody.");
}
