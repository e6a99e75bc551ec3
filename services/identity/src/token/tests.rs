// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]
//! Logging in, being checked, being thrown out.

use contracts::caller::{Authenticator, TokenScope};
use serde_json::{Value, json};

use crate::world::{ADMIN_PASSWORD, DEMO_PASSWORD, World, password_login, token_login};

fn demo_scope() -> Value {
    json!({"project": {"name": "demo", "domain": {"name": "Default"}}})
}

#[tokio::test]
async fn a_project_token_has_keystones_shape() {
    let world = World::new().await;
    let answer = world.ask("POST", "/v3/auth/tokens", "", password_login("demo", DEMO_PASSWORD, demo_scope())).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.headers["vary"], "X-Auth-Token");
    assert!(answer.token().starts_with("gAAAAA"));
    let token = &answer.body["token"];
    assert_eq!(token["methods"], json!(["password"]));
    assert_eq!(token["is_domain"], json!(false));
    assert_eq!(token["user"]["name"], "demo");
    assert_eq!(token["user"]["domain"], json!({"id": "default", "name": "Default"}));
    assert_eq!(token["user"]["password_expires_at"], Value::Null);
    assert_eq!(token["project"]["name"], "demo");
    let roles: Vec<&str> = token["roles"].as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect();
    assert_eq!(roles, ["member", "reader"], "member implies reader");
    assert!(token["issued_at"].as_str().unwrap().ends_with(".000000Z"));
    assert_eq!(token["audit_ids"][0].as_str().unwrap().len(), 22);
    let types: Vec<&str> = token["catalog"].as_array().unwrap().iter().map(|s| s["type"].as_str().unwrap()).collect();
    let known =
        ["block-storage", "compute", "identity", "image", "load-balancer", "network", "object-store", "placement", "volumev3"];
    assert_eq!(types, known);
    let compute = &token["catalog"][1];
    assert_eq!(compute["name"], "nova");
    let endpoints = compute["endpoints"].as_array().unwrap();
    assert_eq!(endpoints.len(), 3);
    assert_eq!(endpoints[0]["url"], "http://cloud:80/compute/v2.1");
    assert_eq!(endpoints[0]["region"], "RegionOne");
    assert_eq!(endpoints[0]["region_id"], "RegionOne");

    // The keys of the answer are those of Keystone's sample.
    let keys: std::collections::BTreeSet<&str> = token.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["audit_ids", "catalog", "expires_at", "is_domain", "issued_at", "methods", "project", "roles", "user"];
    assert_eq!(keys, expected.into());
}

#[tokio::test]
async fn every_scope_can_be_asked_for() {
    let world = World::new().await;
    let admin = world.id("users", "admin").await;
    let role = world.id("roles", "admin").await;
    world.grant(&format!("domains/default/users/{admin}/roles/{role}")).await;
    for (scope, key) in [
        (json!({"domain": {"id": "default"}}), "domain"),
        (json!({"domain": {"name": "Default"}}), "domain"),
        (json!({"system": {"all": true}}), "system"),
        (json!({"project": {"name": "admin", "domain": {"id": "default"}}}), "project"),
    ] {
        let answer = world.ask("POST", "/v3/auth/tokens?nocatalog", "", password_login("admin", ADMIN_PASSWORD, scope)).await;
        assert_eq!(answer.status, 201, "{key} {}", answer.body);
        assert!(answer.body["token"][key].is_object(), "{}", answer.body);
        assert!(answer.body["token"].get("catalog").is_none());
        let roles = answer.body["token"]["roles"].as_array().unwrap();
        assert_eq!(roles.len(), 4, "admin implies manager, member and reader");
    }
    for scope in [json!("unscoped"), json!({"unscoped": {}})] {
        let answer = world.ask("POST", "/v3/auth/tokens", "", password_login("admin", ADMIN_PASSWORD, scope)).await;
        assert_eq!(answer.status, 201);
        assert!(answer.body["token"].get("roles").is_none() && answer.body["token"].get("catalog").is_none());
    }
}

#[tokio::test]
async fn refusals_look_the_same() {
    let world = World::new().await;
    let disabled = world.create("users", "user", json!({"name": "gone", "password": "known", "enabled": false})).await;
    let wrong_id =
        json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": disabled, "password": "known"}}}}});
    let tries = [
        password_login("demo", "wrong", demo_scope()),
        password_login("nobody", DEMO_PASSWORD, demo_scope()),
        password_login("gone", "known", json!("unscoped")),
        wrong_id,
        password_login("demo", DEMO_PASSWORD, json!({"project": {"name": "admin", "domain": {"id": "default"}}})),
        password_login("demo", DEMO_PASSWORD, json!({"project": {"id": "0123456789abcdef0123456789abcdef"}})),
        password_login("demo", DEMO_PASSWORD, json!({"domain": {"id": "default"}})),
        password_login("demo", DEMO_PASSWORD, json!({"system": {"all": true}})),
        json!({"auth": {"identity": {"methods": ["telepathy"]}}}),
    ];
    for body in tries {
        let answer = world.ask("POST", "/v3/auth/tokens", "", body.clone()).await;
        assert_eq!(answer.status, 401, "{body}");
        let expected = json!({"error": {
            "code": 401, "message": "The request you have made requires authentication.", "title": "Unauthorized"
        }});
        assert_eq!(answer.body, expected, "{body}");
    }
}

#[tokio::test]
async fn malformed_logins_are_told_what_is_wrong() {
    let world = World::new().await;
    let with = |scope: Value| password_login("demo", DEMO_PASSWORD, scope);
    for (body, word) in [
        (json!({}), "auth"),
        (json!({"auth": {}}), "identity"),
        (json!({"auth": {"identity": {"methods": "password"}}}), "auth.identity.methods"),
        (json!({"auth": {"identity": {"methods": []}}}), "no method"),
        (json!({"auth": {"identity": {"methods": ["password"]}}}), "identity.password is missing"),
        (
            json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "demo", "password": "x"}}}}}),
            "domain",
        ),
        (json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": 7, "password": "x"}}}}}), "user.id"),
        (with(json!({"project": {"name": "demo"}})), "needs the domain"),
        (with(json!({"project": {}})), "by id, or by name"),
        (with(json!({"project": {"id": "x"}, "domain": {"id": "y"}})), "exactly one"),
        (with(json!({"system": {"all": false}})), "system"),
        (with(json!({"OS-TRUST:trust": {}})), "by its id"),
        (with(json!("everything")), "unscoped"),
    ] {
        let answer = world.ask("POST", "/v3/auth/tokens", "", body.clone()).await;
        assert_eq!(answer.status, 400, "{body} {}", answer.body);
        assert!(answer.message().contains(word), "{body}: {}", answer.message());
    }
    let answer = world.ask_raw("POST", "/v3/auth/tokens", "", &[], "{\"auth\": ".to_owned()).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn rescoping_keeps_the_expiry_and_the_audit_chain() {
    let world = World::new().await;
    let first = world.ask("POST", "/v3/auth/tokens", "", password_login("demo", DEMO_PASSWORD, json!("unscoped"))).await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let second = world.ask("POST", "/v3/auth/tokens", "", token_login(&first.token(), demo_scope())).await;
    assert_eq!(second.status, 201, "{}", second.body);
    let third = world.ask("POST", "/v3/auth/tokens", "", token_login(&second.token(), demo_scope())).await;
    let (a, b, c) = (&first.body["token"], &second.body["token"], &third.body["token"]);
    assert_eq!(a["expires_at"], b["expires_at"]);
    assert_eq!(a["expires_at"], c["expires_at"]);
    assert_ne!(a["issued_at"], b["issued_at"]);
    assert_eq!(b["methods"], json!(["token", "password"]));
    assert_eq!(b["audit_ids"][1], a["audit_ids"][0]);
    assert_eq!(c["audit_ids"][1], a["audit_ids"][0], "the chain names its first token");
    assert_ne!(b["audit_ids"][0], c["audit_ids"][0]);
}

#[tokio::test]
async fn who_may_look_at_whose_token() {
    let world = World::new().await;
    let demo = world.demo().await;
    let about = |token: &str| vec![("x-subject-token", token.to_owned())];
    let look = async |method: &str, own: &str, subject: &str| {
        let headers = about(subject);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.ask_with(method, "/v3/auth/tokens", own, &headers, Value::Null).await
    };
    let own = look("GET", &demo, &demo).await;
    assert_eq!((own.status.as_u16(), own.token()), (200, demo.clone()));
    assert_eq!(own.body["token"]["user"]["name"], "demo");
    let head = look("HEAD", &demo, &demo).await;
    assert_eq!((head.status.as_u16(), head.body), (200, Value::Null));
    assert_eq!(look("GET", &world.admin, &demo).await.status, 200);
    assert_eq!(look("GET", &demo, &world.admin).await.status, 403);
    assert_eq!(look("DELETE", &demo, &world.admin).await.status, 403);
    for own in [&world.admin, &demo] {
        assert_eq!(look("GET", own, "gAAAAABnonsense").await.status, 404);
        assert_eq!(look("GET", own, "").await.status, 404);
    }
    assert_eq!(look("GET", "", &demo).await.status, 401);
}

#[tokio::test]
async fn revocation_takes_effect_at_once() {
    let world = World::new().await;
    let (demo, other) = (world.demo().await, world.demo().await);
    let elsewhere = world.second_room().await;
    assert!(elsewhere.caller(&demo).await.is_ok());
    let revoked = world.ask_with("DELETE", "/v3/auth/tokens", &demo, &[("x-subject-token", &demo)], Value::Null).await;
    assert_eq!(revoked.status, 204);
    assert_eq!(world.get("/v3/auth/projects", &demo).await.status, 401);
    assert_eq!(world.get("/v3/auth/projects", &other).await.status, 200, "only that token");

    // It is durable: a room opened later knows. The one that runs beside is woken by the event.
    assert!(world.second_room().await.caller(&demo).await.is_err());
    for _ in 0..500 {
        if elsewhere.caller(&demo).await.is_err() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the other controller still accepts a revoked token");
}

#[tokio::test]
async fn with_the_first_of_a_chain_go_the_others() {
    let world = World::new().await;
    let buy = async |token: &str| world.ask("POST", "/v3/auth/tokens", "", token_login(token, demo_scope())).await.token();
    let revoke = async |token: &str| {
        let answer = world.ask_with("DELETE", "/v3/auth/tokens", token, &[("x-subject-token", token)], Value::Null).await;
        assert_eq!(answer.status, 204);
    };
    let works = async |token: &str| world.get("/v3/auth/projects", token).await.status == 200;
    let first = world.login("demo", DEMO_PASSWORD, None).await;
    let (second, sibling) = (buy(&first).await, buy(&first).await);
    let third = buy(&second).await;
    revoke(&sibling).await;
    assert!(works(&first).await && works(&second).await && works(&third).await, "one of them, and no other");
    revoke(&first).await;
    assert!(!works(&second).await && !works(&third).await, "their ground is gone");
}

#[tokio::test]
async fn services_can_ask_which_tokens_are_void() {
    let world = World::new().await;
    let demo = world.demo().await;
    let user = world.id("users", "demo").await;
    let audit_id = world.room.caller(&demo).await.unwrap().token.audit_ids[0].clone();
    world.ask_with("DELETE", "/v3/auth/tokens", &demo, &[("x-subject-token", &demo)], Value::Null).await;
    let events = world.get("/v3/OS-REVOKE/events", &world.admin).await;
    assert_eq!(events.status, 200, "{}", events.body);
    let of = |key: &str, id: &str| {
        let list = events.body["events"].as_array().unwrap();
        list.iter().find(|event| event[key] == id).cloned()
    };
    assert!(of("audit_id", &audit_id).unwrap()["issued_before"].as_str().unwrap().ends_with('Z'));
    assert_eq!(of("user_id", &user), None);

    let since = types::Timestamp::now().zulu_micros();
    let change = json!({"user": {"password": "another"}});
    assert_eq!(world.ask("PATCH", &format!("/v3/users/{user}"), &world.admin, change).await.status, 200);
    let later = world.get(&format!("/v3/OS-REVOKE/events?since={since}"), &world.admin).await;
    let later = later.body["events"].as_array().unwrap().clone();
    assert_eq!(later.len(), 1, "{later:?}");
    assert_eq!(later[0]["user_id"], user);
    assert_eq!(world.get("/v3/OS-REVOKE/events?since=yesterday", &world.admin).await.status, 400);
    let demo = world.login("demo", "another", Some("demo")).await;
    assert_eq!(world.get("/v3/OS-REVOKE/events", &demo).await.status, 403);
}

#[tokio::test]
async fn a_warm_check_runs_no_statement() {
    let world = World::new().await;
    let demo = world.demo().await;
    world.room.caller(&demo).await.unwrap();
    // The change that the bootstrap made may still be heeded in the background.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let caller = world.room.caller(&demo).await.unwrap();
    assert!(matches!(&caller.scope, TokenScope::Project(project) if project.name == "demo"));
    let before = world.store.statements();
    for _ in 0..100 {
        world.room.caller(&demo).await.unwrap();
    }
    assert_eq!(world.store.statements(), before);
}

#[tokio::test]
async fn what_a_token_means_is_told_as_it_is_now_however_often_it_was_told_before() {
    let world = World::new().await;
    let demo = world.demo().await;
    let shown = async || {
        let answer = world.ask_with("GET", "/v3/auth/tokens", &demo, &[("x-subject-token", &demo)], Value::Null).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["token"].clone()
    };
    let first = shown().await;
    assert_eq!(shown().await, first);
    assert!(first["catalog"].as_array().is_some_and(|catalog| !catalog.is_empty()));

    let service = world.create("services", "service", json!({"type": "dns", "name": "names"})).await;
    let told: Vec<_> = shown().await["catalog"].as_array().unwrap().iter().map(|service| service["id"].clone()).collect();
    assert!(told.contains(&json!(service)), "{told:?}");

    let user = world.id("users", "demo").await;
    let renamed = json!({"user": {"name": "another"}});
    assert_eq!(world.ask("PATCH", &format!("/v3/users/{user}"), &world.admin, renamed).await.status, 200);
    assert_eq!(shown().await["user"]["name"], "another");

    let revoked = world.ask_with("DELETE", "/v3/auth/tokens", &world.admin, &[("x-subject-token", &demo)], Value::Null).await;
    assert_eq!(revoked.status, 204);
    let shown = world.ask_with("GET", "/v3/auth/tokens", &world.admin, &[("x-subject-token", &demo)], Value::Null).await;
    assert_eq!(shown.status, 404);
}

#[tokio::test]
async fn whatever_a_token_stands_on_must_stay() {
    let world = World::new().await;
    let (user, project) = (world.id("users", "demo").await, world.id("projects", "demo").await);
    let role = world.id("roles", "member").await;
    let works = async |token: &str| world.get("/v3/auth/projects", token).await.status == 200;
    let change = async |method: &str, path: String, body: Value| {
        let answer = world.ask(method, &path, &world.admin, body).await;
        assert!(answer.status.is_success(), "{path} {}", answer.body);
    };

    let token = world.demo().await;
    change("PATCH", format!("/v3/projects/{project}"), json!({"project": {"enabled": false}})).await;
    assert!(!works(&token).await, "the project is disabled");
    change("PATCH", format!("/v3/projects/{project}"), json!({"project": {"enabled": true}})).await;
    assert!(works(&token).await);

    let grant = format!("/v3/projects/{project}/users/{user}/roles/{role}");
    change("DELETE", grant.clone(), Value::Null).await;
    assert!(!works(&token).await, "the last role is gone");
    change("PUT", grant, Value::Null).await;
    assert!(works(&token).await);

    change("PATCH", format!("/v3/users/{user}"), json!({"user": {"enabled": false}})).await;
    assert!(!works(&token).await, "the user is disabled");
    change("PATCH", format!("/v3/users/{user}"), json!({"user": {"enabled": true}})).await;
    assert!(!works(&token).await, "what was void stays void");
    let token = world.demo().await;
    assert!(works(&token).await, "a login in the same second counts");

    change("PATCH", format!("/v3/users/{user}"), json!({"user": {"password": "another"}})).await;
    assert!(!works(&token).await, "the password changed");
    let token = world.login("demo", "another", Some("demo")).await;
    assert!(works(&token).await);
    change("DELETE", format!("/v3/users/{user}"), Value::Null).await;
    assert!(!works(&token).await, "the user is deleted");
}

#[tokio::test]
async fn the_default_project_is_the_scope_when_none_is_asked_for() {
    let world = World::new().await;
    let (user, project) = (world.id("users", "demo").await, world.id("projects", "demo").await);
    let admin_project = world.id("projects", "admin").await;
    let login = json!({"auth": {"identity": {"methods": ["password"],
        "password": {"user": {"id": user, "password": DEMO_PASSWORD}}}}});
    let set = async |id: &Value| {
        let body = json!({"user": {"default_project_id": id}});
        assert_eq!(world.ask("PATCH", &format!("/v3/users/{user}"), &world.admin, body).await.status, 200);
        world.ask("POST", "/v3/auth/tokens", "", login.clone()).await.body["token"]["project"]["id"].clone()
    };
    assert_eq!(set(&json!(project)).await, json!(project));
    assert_eq!(set(&json!(admin_project)).await, Value::Null, "no role there: unscoped");
    assert_eq!(set(&Value::Null).await, Value::Null);
}

#[tokio::test]
async fn one_can_see_where_to_log_in() {
    let world = World::new().await;
    let unscoped = world.login("demo", DEMO_PASSWORD, None).await;
    let projects = world.get("/v3/auth/projects", &unscoped).await;
    assert_eq!(projects.all("projects", "name"), ["demo"]);
    assert_eq!(
        projects.body["links"],
        json!({"next": null, "previous": null, "self": "http://cloud:80/identity/v3/auth/projects"})
    );
    assert_eq!(world.get("/v3/auth/domains", &unscoped).await.body["domains"], json!([]));
    assert_eq!(world.get("/v3/auth/system", &unscoped).await.body["system"], json!([]));
    assert_eq!(world.get("/v3/auth/system", &world.admin).await.body["system"], json!([{"all": true}]));
    assert_eq!(world.get("/v3/auth/catalog", &unscoped).await.status, 403);
    let catalog = world.get("/v3/auth/catalog", &world.demo().await).await;
    let names = ["cinder", "cinderv3", "glance", "keystone", "neutron", "nova", "octavia", "placement", "swift"];
    assert_eq!(catalog.all("catalog", "name"), names);
}

#[tokio::test]
async fn rotating_keys_logs_nobody_out() {
    let world = World::new().await;
    let demo = world.demo().await;
    for _ in 0..4 {
        world.room.rotate_keys().unwrap();
    }
    assert!(world.second_room().await.caller(&demo).await.is_ok());
    world.demo().await;
}

#[tokio::test]
async fn keys_that_were_rotated_elsewhere_are_taken_up() {
    let world = World::new().await;
    let valid = world.room.check_token(&world.demo().await).await.unwrap();
    let elsewhere = world.second_room().await;
    // Twice: the first rotation makes the staged key primary, which this room knows already.
    elsewhere.rotate_keys().unwrap();
    elsewhere.rotate_keys().unwrap();
    let token = elsewhere.keys.ring().seal(&valid.payload.pack(), types::Timestamp::now()).unwrap();
    for _ in 0..600 {
        if world.room.caller(&token).await.is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the keys were not taken up");
}

#[tokio::test]
async fn a_void_token_buys_nothing_and_is_not_found() {
    let world = World::new().await;
    let (admin, demo) = (world.admin.clone(), world.demo().await);
    let revoked = world.ask_with("DELETE", "/v3/auth/tokens", &demo, &[("x-subject-token", &demo)], Value::Null).await;
    assert_eq!(revoked.status, 204);
    for void in [demo.as_str(), "gAAAAABnonsense", ""] {
        let bought = world.ask("POST", "/v3/auth/tokens", "", token_login(void, json!("unscoped"))).await;
        assert_eq!(bought.status, 404, "{void}: {}", bought.body);
        let assertion = json!({"auth": {
            "identity": {"methods": ["token"], "token": {"id": void}}, "scope": {"service_provider": {"id": "nobody"}}}});
        assert_eq!(world.ask("POST", "/v3/auth/OS-FEDERATION/saml2", "", assertion).await.status, 404);
    }
    // Who shows no token at all is asked first whether he may look at any.
    assert_eq!(world.get("/v3/auth/tokens", &admin).await.status, 404);
    assert_eq!(world.get("/v3/auth/tokens", &world.demo().await).await.status, 403);
    let unknown = json!({"id": "nothing", "secret": "s"});
    let login = json!({"auth": {"identity": {"methods": ["application_credential"], "application_credential": unknown}}});
    assert_eq!(world.ask("POST", "/v3/auth/tokens", "", login).await.status, 404);
}
