// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use crate::world::{Answer, World};

struct Made {
    world: World,
    path: String,
}

impl Made {
    async fn new() -> Self {
        let world = World::new().await;
        let corp = world.create("domains", "domain", json!({"name": "corp"})).await;
        Self { world, path: format!("/v3/domains/{corp}/config") }
    }

    async fn ask(&self, method: &str, rest: &str, config: Value) -> Answer {
        let body = if config.is_null() { Value::Null } else { json!({"config": config}) };
        self.world.ask(method, &format!("{}{rest}", self.path), &self.world.admin, body).await
    }
}

#[tokio::test]
async fn a_life() {
    let made = Made::new().await;
    assert_eq!(made.ask("GET", "", Value::Null).await.status, 404);
    let config = json!({"identity": {"driver": "ldap"}, "ldap": {"url": "ldap://a", "user_tree_dn": "ou=Users", "page_size": 7}});
    let answer = made.ask("PUT", "", config.clone()).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (201, &json!({"config": config})));
    assert_eq!(made.ask("PUT", "", config.clone()).await.status, 200, "again it replaces what was there");
    assert_eq!(made.ask("GET", "", Value::Null).await.body, json!({"config": config}));
    assert_eq!(made.ask("HEAD", "", Value::Null).await.status, 200);
    assert_eq!(made.ask("GET", "/ldap", Value::Null).await.body, json!({"config": {"ldap": config["ldap"]}}));
    assert_eq!(made.ask("GET", "/ldap/url", Value::Null).await.body, json!({"config": {"url": "ldap://a"}}));
    assert_eq!(made.ask("GET", "/ldap/suffix", Value::Null).await.status, 404, "it is not set");

    let changed = made.ask("PATCH", "", json!({"ldap": {"suffix": "o=x"}})).await;
    assert_eq!(changed.body["config"]["ldap"]["suffix"], "o=x");
    assert_eq!(changed.body["config"]["identity"], config["identity"], "the rest stays");
    let changed = made.ask("PATCH", "/ldap", json!({"ldap": {"url": "ldap://b"}})).await;
    assert_eq!(changed.body["config"]["ldap"]["url"], "ldap://b");
    let changed = made.ask("PATCH", "/ldap/url", json!({"url": "ldap://c"})).await;
    assert_eq!(changed.body["config"]["ldap"]["url"], "ldap://c");

    assert_eq!(made.ask("DELETE", "/ldap/url", Value::Null).await.status, 204);
    assert_eq!(made.ask("DELETE", "/ldap/url", Value::Null).await.status, 404);
    assert_eq!(made.ask("DELETE", "/identity", Value::Null).await.status, 204);
    assert_eq!(made.ask("GET", "/identity", Value::Null).await.status, 404);
    assert_eq!(made.ask("PATCH", "/identity", json!({"identity": {"driver": "sql"}})).await.status, 404);
    assert_eq!(made.ask("DELETE", "", Value::Null).await.status, 204);
    assert_eq!(made.ask("GET", "", Value::Null).await.status, 404);
}

#[tokio::test]
async fn what_is_not_an_option_is_refused() {
    let made = Made::new().await;
    made.ask("PUT", "", json!({"ldap": {"url": "ldap://a"}})).await;
    for (method, rest, config) in [
        ("PUT", "", json!({})),
        ("PUT", "", json!({"ldap": {}})),
        ("PUT", "", json!({"ldap": "url"})),
        ("PUT", "", json!({"catalog": {"driver": "sql"}})),
        ("PUT", "", json!({"ldap": {"randomize_urls": true}})),
        ("PATCH", "/ldap", json!({"identity": {"driver": "sql"}})),
        ("PATCH", "/ldap", json!({"ldap": {"url": "x"}, "identity": {"driver": "sql"}})),
        ("PATCH", "/ldap/url", json!({"suffix": "x"})),
        ("PATCH", "/ldap/url", json!({"url": "x", "suffix": "x"})),
        ("GET", "/catalog", Value::Null),
        ("GET", "/ldap/nonsense", Value::Null),
        ("DELETE", "/ldap/nonsense", Value::Null),
    ] {
        let answer = made.ask(method, rest, config.clone()).await;
        assert_eq!(answer.status, 403, "{method} {rest} {config} {}", answer.body);
        assert!(answer.message().starts_with("Invalid domain specific configuration"), "{}", answer.message());
    }
    let nowhere = "/v3/domains/nowhere/config";
    assert_eq!(made.world.get(nowhere, &made.world.admin).await.status, 404);
    assert_eq!(made.world.get(&made.path, &made.world.demo().await).await.status, 403);
}

#[tokio::test]
async fn a_secret_is_taken_and_never_told() {
    let made = Made::new().await;
    let canary = "canary-of-the-directory";
    let config = json!({"ldap": {"url": "ldap://a", "password": canary}});
    assert_eq!(made.ask("PUT", "", config).await.body, json!({"config": {"ldap": {"url": "ldap://a"}}}));
    assert_eq!(made.ask("GET", "/ldap", Value::Null).await.body, json!({"config": {"ldap": {"url": "ldap://a"}}}));
    assert_eq!(made.ask("GET", "/ldap/password", Value::Null).await.status, 404);
    let changed = made.ask("PATCH", "/ldap/password", json!({"password": format!("{canary}-2")})).await;
    assert_eq!(changed.body, json!({"config": {"ldap": {"url": "ldap://a"}}}), "it is there, so it can be changed");

    let kept = made
        .world
        .store
        .read(|tx| {
            let mut all = vec![];
            for sql in ["SELECT value FROM domain_config", "SELECT after_state FROM events", "SELECT before_state FROM events"] {
                for row in tx.query(sql, &[])? {
                    all.extend(row.get::<Option<String>>(0)?);
                }
            }
            Ok::<_, store::Error>(all)
        })
        .await
        .unwrap();
    assert!(kept.len() > 10);
    assert!(!kept.iter().any(|text| text.contains(canary)), "neither the table nor the events hold it in the clear");

    // It moves with the keys, lest it be lost when the old ones go.
    let key = async || {
        let read = |tx: &mut store::Tx| {
            let sql = "SELECT key_hash FROM domain_config WHERE option_name = 'password'";
            tx.query_one(sql, &[])?.get::<String>(0)
        };
        made.world.store.read(read).await.unwrap()
    };
    let before = key().await;
    made.world.room.rotate_credential_keys().await.unwrap();
    assert_ne!(key().await, before);
    assert_eq!(made.ask("DELETE", "/ldap/password", Value::Null).await.status, 204);
    assert_eq!(made.ask("DELETE", "/ldap/password", Value::Null).await.status, 404);
}

#[tokio::test]
async fn defaults() {
    let made = Made::new().await;
    let ask = async |rest: &str| made.world.get(&format!("/v3/domains/config/{rest}default"), &made.world.admin).await;
    let all = ask("").await;
    assert_eq!(all.body["config"]["identity"], json!({"driver": "sql", "list_limit": null}));
    let ldap = &all.body["config"]["ldap"];
    assert_eq!((&ldap["url"], &ldap["pool_retry_delay"]), (&json!("ldap://localhost"), &json!(0.1)));
    assert_eq!(ldap.get("password"), None);
    assert_eq!(ask("ldap/").await.body, json!({"config": {"ldap": ldap}}));
    assert_eq!(ask("ldap/user_objectclass/").await.body, json!({"config": {"user_objectclass": "inetOrgPerson"}}));
    assert_eq!(ask("ldap/password/").await.status, 403);
    assert_eq!(ask("nonsense/").await.status, 403);
}

#[tokio::test]
async fn the_rules_for_passwords_are_told_to_everybody() {
    let world = World::new().await;
    let demo = world.demo().await;
    let path = "/v3/domains/default/config/security_compliance";
    let both = json!({"config": {"security_compliance": {"password_regex": null, "password_regex_description": null}}});
    assert_eq!(world.get(path, &demo).await.body, both);
    assert_eq!(world.get(&format!("{path}/password_regex"), &demo).await.body, json!({"config": {"password_regex": null}}));
    assert_eq!(world.get(&format!("{path}/lockout_duration"), &demo).await.status, 403);
    assert_eq!(world.get("/v3/domains/other/config/security_compliance", &demo).await.status, 403);
}
