// SPDX-License-Identifier: Apache-2.0
//! Holes that Keystone once had. The same ones come back, so each has a test for good that fails if it is opened:
//! [`KEPT_SHUT`] says which, here or in the drawer where it belongs.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{fs, path::Path};

use http::StatusCode;
use serde_json::{Value, json};

use crate::world::{DEMO_PASSWORD, World, password_login, token_login};

/// Advisory, the hole, and the test that keeps it shut.
const KEPT_SHUT: &[(&str, &str, &str)] = &[
    ("OSSA-2012-002", "huge passwords and bodies exhaust the server", "huge_passwords_and_bodies_are_refused_unread"),
    ("OSSA-2012-010", "a token is bought again and again and never ends", "rescoping_keeps_the_expiry_and_the_audit_chain"),
    ("OSSA-2012-014", "a role that was taken away stays in tokens", "whatever_a_token_stands_on_must_stay"),
    ("OSSA-2013-003", "huge requests fill the disk", "huge_passwords_and_bodies_are_refused_unread"),
    ("OSSA-2013-011", "tokens outlive their user", "whatever_a_token_stands_on_must_stay"),
    ("OSSA-2013-032", "an EC2 key of a trustee has all roles of the trustor", "a_key_made_under_a_trust_is_worth_the_trust"),
    ("OSSA-2014-018", "a trustee widens his trust by trusts of his own", "a_trust_is_passed_on_within_its_bounds"),
    ("OSSA-2014-022", "the token of a trust buys one without it", "a_token_of_a_trust_buys_no_other_token"),
    ("OSSA-2014-029", "an endpoint's address shows the configuration", "an_endpoints_address_shows_nothing_but_who_asks"),
    ("OSSA-2016-005", "a revoked token is still good elsewhere", "revocation_takes_effect_at_once"),
    ("OSSA-2016-008", "a token survives the revocation of that which bought it", "who_ends_a_login_ends_what_it_bought"),
    ("OSSA-2017-004", "who comes by federation has all roles of a project", "only_what_the_mapping_leads_to"),
    ("OSSA-2018-002", "who comes by federation lists all projects", "only_what_the_mapping_leads_to"),
    ("OSSA-2019-006", "any role lists everybody's credentials", "a_user_sees_own_credentials_only"),
    ("OSSA-2020-003", "a signature is good for ever", "an_old_signature_is_refused"),
    ("OSSA-2020-004", "an EC2 credential is moved to another user", "an_update_moves_a_credential_to_nobody_else"),
    (
        "OSSA-2020-005",
        "a role of a trust or credential is lost on the way",
        "a_key_stays_within_the_application_credential_that_made_it",
    ),
    ("OSSA-2021-003", "a refusal tells whether the account exists", "refusals_look_the_same"),
    ("OSSA-2021-003", "so does the refusal of a locked account", "a_locked_account_looks_like_a_wrong_password"),
    ("OSSA-2025-002", "anybody with a signature gets a token", "only_services_may_ask"),
    ("OSSA-2026-001", "headers of a client pass for those of the middleware", "headers_of_a_client_say_nothing_about_who_he_is"),
    ("OSSA-2026-005", "a restricted application credential makes keys", "a_restricted_application_credential_makes_no_keys"),
    ("OSSA-2026-007", "\"enabled\": \"FALSE\" counts as true", "enabled_is_true_or_false_and_no_text"),
];

#[test]
fn each_advisory_has_its_test() {
    let mut sources = String::new();
    for folder in ["src", "evidence/src"] {
        read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut sources);
    }
    for (advisory, hole, test) in KEPT_SHUT {
        assert!(sources.contains(&format!("async fn {test}()")), "{advisory}, {hole}: the test {test} is gone");
    }
}

fn read_all(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[tokio::test]
async fn huge_passwords_and_bodies_are_refused_unread() {
    let world = World::new().await;
    let long = "x".repeat(100_000);
    let answer = world.ask("POST", "/v3/auth/tokens", "", password_login("demo", &long, json!("unscoped"))).await;
    assert!(matches!(answer.status.as_u16(), 400 | 401 | 403), "{}", answer.body);
    let fields = json!({"user": {"name": "much", "password": long}});
    assert_eq!(world.ask("POST", "/v3/users", &world.admin, fields).await.status, 400, "no password is that long");

    // A megabyte is not even read to its end.
    let huge = password_login("demo", &"x".repeat(1 << 20), json!("unscoped"));
    assert_eq!(world.ask("POST", "/v3/auth/tokens", "", huge).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let fields = json!({"project": {"name": "much", "description": "x".repeat(1 << 20)}});
    assert_eq!(world.ask("POST", "/v3/projects", &world.admin, fields).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn an_endpoints_address_shows_nothing_but_who_asks() {
    let world = World::new().await;
    let service = world.create("services", "service", json!({"name": "odd", "type": "odd"})).await;
    let mut addresses = vec![];
    for key in ["admin_token", "connection", "password", "key_repository"] {
        addresses.push(format!("http://a/%({key})s"));
        addresses.push(format!("http://a/$({key})s"));
    }
    addresses.push("http://a/%(project_id)s".to_owned());
    for url in &addresses {
        let fields = json!({"service_id": service, "interface": "public", "url": url});
        let answer = world.ask("POST", "/v3/endpoints", &world.admin, json!({"endpoint": fields})).await;
        assert!(matches!(answer.status.as_u16(), 201 | 400), "{}", answer.body);
    }
    let answer = world.get("/v3/auth/catalog", &world.demo().await).await;
    let project = world.id("projects", "demo").await;
    let services = answer.body["catalog"].as_array().unwrap();
    let odd = services.iter().find(|service| service["type"] == "odd").unwrap();
    let told: Vec<&str> = odd["endpoints"].as_array().unwrap().iter().map(|endpoint| endpoint["url"].as_str().unwrap()).collect();
    assert_eq!(told, [format!("http://a/{project}")], "what is not known of the caller is left out");
}

#[tokio::test]
async fn who_ends_a_login_ends_what_it_bought() {
    let world = World::new().await;
    let login = world.login("demo", DEMO_PASSWORD, None).await;
    let scope = json!({"project": {"name": "demo", "domain": {"id": "default"}}});
    let bought = world.ask("POST", "/v3/auth/tokens", "", token_login(&login, scope.clone())).await.token();
    let further = world.ask("POST", "/v3/auth/tokens", "", token_login(&bought, scope.clone())).await.token();
    let sibling = world.ask("POST", "/v3/auth/tokens", "", token_login(&login, scope)).await.token();
    let good = async |token: &str| world.get("/v3/auth/projects", token).await.status == 200;
    let revoke = async |token: &str| {
        let answer = world.ask_with("DELETE", "/v3/auth/tokens", token, &[("x-subject-token", token)], Value::Null).await;
        assert_eq!(answer.status, 204, "{}", answer.body);
    };
    assert!(good(&bought).await && good(&further).await && good(&sibling).await);
    revoke(&sibling).await;
    assert!(!good(&sibling).await && good(&login).await && good(&bought).await, "what was bought ends alone");
    revoke(&login).await;
    assert!(!good(&login).await && !good(&bought).await && !good(&further).await, "a login ends with all of it");
}

#[tokio::test]
async fn headers_of_a_client_say_nothing_about_who_he_is() {
    let world = World::new().await;
    let admin = world.id("users", "admin").await;
    let forged = [
        ("x-identity-status", "Confirmed"),
        ("x-service-identity-status", "Confirmed"),
        ("x-roles", "admin"),
        ("x-role", "admin"),
        ("x-user-id", admin.as_str()),
        ("x-user-name", "admin"),
        ("x-user", "admin"),
        ("x-domain-id", "default"),
        ("x-project-id", "admin"),
        ("x-tenant-id", "admin"),
        ("x-is-admin-project", "True"),
        ("openstack-system-scope", "all"),
        ("x-service-token", world.admin.as_str()),
        ("x-service-roles", "service,admin"),
        ("remote_user", "admin"),
        ("ssl-client-s-dn", "CN=admin"),
    ];
    let demo = world.demo().await;
    let routes = [
        ("GET", "/v3/users", Value::Null),
        ("GET", "/v3/projects", Value::Null),
        ("POST", "/v3/regions", json!({"region": {"id": "forged"}})),
        ("POST", "/v3/ec2tokens", json!({"credentials": {}})),
        ("GET", "/v3/role_assignments", Value::Null),
        ("POST", "/v3/users", json!({"user": {"name": "forged"}})),
    ];
    for (method, path, body) in routes {
        assert_eq!(world.ask_with(method, path, "", &forged, body.clone()).await.status, 401, "{method} {path} without a token");
        assert_eq!(world.ask_with(method, path, &demo, &forged, body).await.status, 403, "{method} {path} as demo");
    }
    let methods = json!({"auth": {"identity": {"methods": ["external"], "external": {}}}});
    assert_eq!(world.ask_with("POST", "/v3/auth/tokens", "", &forged, methods).await.status, 401);
}

#[tokio::test]
async fn enabled_is_true_or_false_and_no_text() {
    let world = World::new().await;
    let service = world.create("services", "service", json!({"name": "s", "type": "s"})).await;
    let idle = json!({"name": "idle", "enabled": false, "password": "p"});
    let user = world.create("users", "user", idle).await;
    let project = world.create("projects", "project", json!({"name": "idle", "enabled": false})).await;
    let domain = world.create("domains", "domain", json!({"name": "idle", "enabled": false})).await;
    let odd = [json!("FALSE"), json!("true"), json!("0"), json!(1), json!(null), json!([]), json!({})];
    for value in &odd {
        for (collection, one, fields) in [
            ("users", "user", json!({"name": "odd"})),
            ("projects", "project", json!({"name": "odd"})),
            ("domains", "domain", json!({"name": "odd"})),
            ("services", "service", json!({"name": "odd", "type": "odd"})),
            ("endpoints", "endpoint", json!({"service_id": service, "interface": "public", "url": "http://a"})),
        ] {
            let mut fields = fields;
            fields["enabled"] = value.clone();
            let answer = world.ask("POST", &format!("/v3/{collection}"), &world.admin, json!({ one: fields })).await;
            assert_eq!(answer.status, 400, "{collection} with {value}: {}", answer.body);
        }
        for (path, one) in [
            (format!("users/{user}"), "user"),
            (format!("projects/{project}"), "project"),
            (format!("domains/{domain}"), "domain"),
        ] {
            let update = json!({ one: {"enabled": value} });
            let answer = world.ask("PATCH", &format!("/v3/{path}"), &world.admin, update).await;
            let is_on = world.get(&format!("/v3/{path}"), &world.admin).await.body[one]["enabled"].clone();
            assert!(answer.status == 400 || value.is_null(), "{path} with {value}: {}", answer.body);
            assert_eq!(is_on, json!(false), "{path} with {value}");
        }
    }
    let login = world.ask("POST", "/v3/auth/tokens", "", password_login("idle", "p", json!("unscoped"))).await;
    assert_eq!(login.status, 401, "{}", login.body);
}
