// SPDX-License-Identifier: Apache-2.0
//! Attempts that were once successful, one by one.

use serde_json::{Value, json};

use crate::world::{ADMIN_PASSWORD, Answer, World};

/// A domain `corp` with a project `shop`; people have the password `pw`.
struct Corp {
    world: World,
    corp: String,
    shop: String,
}

impl Corp {
    async fn new() -> Self {
        let world = World::new().await;
        let corp = world.create("domains", "domain", json!({"name": "corp"})).await;
        let shop = world.create("projects", "project", json!({"name": "shop", "domain_id": corp})).await;
        Self { world, corp, shop }
    }

    async fn user(&self, name: &str, domain: &str) -> String {
        self.world.create("users", "user", json!({"name": name, "domain_id": domain, "password": "pw"})).await
    }

    /// Somebody with a role in a domain, and a token for it.
    async fn ruler(&self, name: &str, domain: &str, role: &str) -> (String, String) {
        let (user, role) = (self.user(name, domain).await, self.world.id("roles", role).await);
        self.world.grant(&format!("domains/{domain}/users/{user}/roles/{role}")).await;
        let token = self.log_in(&user, json!({"domain": {"id": domain}})).await;
        (user, token)
    }

    async fn log_in(&self, user: &str, scope: Value) -> String {
        let login = json!({"auth": {"scope": scope,
            "identity": {"methods": ["password"], "password": {"user": {"id": user, "password": "pw"}}}}});
        self.world.ask("POST", "/v3/auth/tokens", "", login).await.token()
    }

    async fn put(&self, path: &str, token: &str) -> u16 {
        self.world.ask("PUT", &format!("/v3/{path}"), token, Value::Null).await.status.as_u16()
    }

    async fn set_password(&self, user: &str, token: &str) -> Answer {
        self.world.ask("PATCH", &format!("/v3/users/{user}"), token, json!({"user": {"password": "mine"}})).await
    }
}

#[tokio::test]
async fn a_domains_administrator_rules_the_domain_and_no_more() {
    let corp = Corp::new().await;
    let (world, shop) = (&corp.world, &corp.shop);
    let (boss, token) = corp.ruler("boss", &corp.corp, "admin").await;
    let clerk = corp.user("clerk", &corp.corp).await;
    let (admin, demo) = (world.id("users", "admin").await, world.id("users", "demo").await);
    let mut roles = std::collections::HashMap::new();
    for name in ["admin", "manager", "member", "reader", "service"] {
        roles.insert(name, world.id("roles", name).await);
    }
    let auditor = world.create("roles", "role", json!({"name": "auditor"})).await;
    roles.insert("auditor", auditor);

    for victim in [&admin, &demo] {
        let refused = corp.set_password(victim, &token).await;
        assert_eq!(refused.status, 403, "{}", refused.body);
        assert!(refused.message().contains("rules the domain of this user"), "{}", refused.message());
    }
    world.login("admin", ADMIN_PASSWORD, None).await;
    assert_eq!(corp.set_password(&clerk, &token).await.status, 200, "his own people's he sets");

    // What is given in the domain means something in it; `admin` and `service` in a project mean the cloud.
    for (role, in_project, in_domain) in
        [("auditor", 204, 204), ("member", 204, 204), ("manager", 204, 204), ("admin", 403, 204), ("service", 403, 403)]
    {
        let role_id = &roles[role];
        for who in [&boss, &clerk, &demo] {
            assert_eq!(corp.put(&format!("projects/{shop}/users/{who}/roles/{role_id}"), &token).await, in_project, "{role}");
            assert_eq!(
                corp.put(&format!("domains/{}/users/{who}/roles/{role_id}", corp.corp), &token).await,
                in_domain,
                "{role}"
            );
            let below = format!("OS-INHERIT/domains/{}/users/{who}/roles/{role_id}/inherited_to_projects", corp.corp);
            assert_eq!(corp.put(&below, &token).await, in_project, "{role}");
            assert_eq!(corp.put(&format!("domains/default/users/{who}/roles/{role_id}"), &token).await, 403, "{role}");
            assert_eq!(corp.put(&format!("system/users/{who}/roles/{role_id}"), &token).await, 403, "{role}");
        }
    }
    let other = world.id("projects", "demo").await;
    assert_eq!(corp.put(&format!("projects/{other}/users/{boss}/roles/{}", roles["reader"]), &token).await, 403);
}

#[tokio::test]
async fn a_manager_of_the_default_domain_does_not_become_the_clouds_administrator() {
    let corp = Corp::new().await;
    let world = &corp.world;
    let (boss, token) = corp.ruler("boss", "default", "manager").await;
    let (admin, demo, role) =
        (world.id("users", "admin").await, world.id("users", "demo").await, world.id("roles", "admin").await);
    let refused = corp.set_password(&admin, &token).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert!(refused.message().contains("roles that you could not give"), "{}", refused.message());
    for change in [json!({"enabled": false}), json!({"options": {"lock_password": true}}), json!({"name": "nobody"})] {
        let refused = world.ask("PATCH", &format!("/v3/users/{admin}"), &token, json!({"user": change})).await;
        assert_eq!(refused.status, 403, "{}", refused.body);
    }
    assert_eq!(world.ask("DELETE", &format!("/v3/users/{admin}"), &token, Value::Null).await.status, 403);
    assert_eq!(corp.set_password(&demo, &token).await.status, 200, "a member he could have made himself");

    let group = world.create("groups", "group", json!({"name": "wheel"})).await;
    assert_eq!(corp.put(&format!("groups/{group}/users/{boss}"), &token).await, 204, "it has nothing yet");
    assert_eq!(world.ask("DELETE", &format!("/v3/groups/{group}/users/{boss}"), &token, Value::Null).await.status, 204);
    world.grant(&format!("system/groups/{group}/roles/{role}")).await;
    assert_eq!(corp.put(&format!("groups/{group}/users/{boss}"), &token).await, 403);
    assert_eq!(world.ask("DELETE", &format!("/v3/groups/{group}"), &token, Value::Null).await.status, 403);

    // The project through which the administrator is one is not the manager's to close, or to open.
    let project = world.id("projects", "admin").await;
    for enabled in [true, false] {
        let change = json!({"project": {"enabled": enabled}});
        assert_eq!(world.ask("PATCH", &format!("/v3/projects/{project}"), &token, change).await.status, 403);
    }
    assert_eq!(world.ask("DELETE", &format!("/v3/projects/{project}"), &token, Value::Null).await.status, 403);

    // Whoever trusts somebody with more than the manager has, puts him out of the manager's reach.
    let (trustee, by_trust) = (corp.user("trustee", "default").await, world.id("projects", "admin").await);
    assert_eq!(corp.set_password(&trustee, &token).await.status, 200);
    let trust = json!({"trust": {"trustor_user_id": admin, "trustee_user_id": trustee, "project_id": by_trust,
        "impersonation": false, "roles": [{"name": "admin"}]}});
    assert_eq!(world.ask("POST", "/v3/OS-TRUST/trusts", &world.admin, trust).await.status, 201);
    assert_eq!(corp.set_password(&trustee, &token).await.status, 403);
}

#[tokio::test]
async fn what_sleeps_is_nobodys_to_use_and_nobodys_to_wake() {
    let corp = Corp::new().await;
    let (world, shop) = (&corp.world, &corp.shop);
    let (boss, token) = corp.ruler("boss", &corp.corp, "manager").await;
    let chief = corp.user("chief", &corp.corp).await;
    let admin = world.id("roles", "admin").await;
    for who in [&boss, &chief] {
        world.grant(&format!("projects/{shop}/users/{who}/roles/{admin}")).await;
    }
    // Through the project he is the cloud's, also with a token of the domain: he could have another.
    assert_eq!(corp.set_password(&chief, &token).await.status, 200);
    let set = async |token: &str, enabled: bool| {
        let change = json!({"project": {"enabled": enabled}});
        world.ask("PATCH", &format!("/v3/projects/{shop}"), token, change).await.status.as_u16()
    };
    assert_eq!(set(&world.admin, false).await, 200);
    assert_eq!(corp.set_password(&chief, &token).await.status, 403, "the project is closed");
    assert_eq!(set(&token, true).await, 403, "and he does not open it");
    assert_eq!(set(&world.admin, true).await, 200);
    assert_eq!(corp.set_password(&chief, &token).await.status, 200);
}

#[tokio::test]
async fn a_part_of_an_administrator_does_not_change_him() {
    let corp = Corp::new().await;
    let world = &corp.world;
    let (admin, demo) = (world.id("users", "admin").await, world.id("users", "demo").await);
    let program = json!({"application_credential": {"name": "robot", "secret": "s", "unrestricted": true}});
    let path = format!("/v3/users/{admin}/application_credentials");
    let made = world.ask("POST", &path, &world.admin, program).await;
    let login = json!({"auth": {"identity": {"methods": ["application_credential"],
        "application_credential": {"id": made.body["application_credential"]["id"], "secret": "s"}}}});
    let part = world.ask("POST", "/v3/auth/tokens", "", login).await.token();
    let refused = corp.set_password(&admin, &part).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert!(refused.message().contains("Log in as the user"), "{}", refused.message());
    assert_eq!(corp.set_password(&demo, &part).await.status, 200, "but it administrates");
}

#[tokio::test]
async fn a_domain_specific_role_counts_as_what_it_implies() {
    let corp = Corp::new().await;
    let world = &corp.world;
    let (boss, token) = corp.ruler("boss", &corp.corp, "admin").await;
    let own = world.create("roles", "role", json!({"name": "keeper", "domain_id": corp.corp})).await;
    let path = format!("projects/{}/users/{boss}/roles/{own}", corp.shop);
    assert_eq!(corp.put(&path, &token).await, 204);
    assert_eq!(world.ask("DELETE", &format!("/v3/{path}"), &token, Value::Null).await.status, 204);
    let service = world.id("roles", "service").await;
    assert_eq!(world.ask("PUT", &format!("/v3/roles/{own}/implies/{service}"), &world.admin, Value::Null).await.status, 201);
    assert_eq!(corp.put(&path, &token).await, 403);
}

#[tokio::test]
async fn a_part_of_somebodys_power_reaches_no_key_of_the_whole() {
    let corp = Corp::new().await;
    let world = &corp.world;
    let (demo, friend, project) =
        (world.id("users", "demo").await, corp.user("friend", "default").await, world.id("projects", "demo").await);
    let whole = world.demo().await;
    let path = format!("/v3/users/{demo}/credentials/OS-EC2");
    let key = world.ask("POST", &path, &whole, json!({"tenant_id": project})).await;
    let access = key.body["credential"]["access"].as_str().unwrap().to_owned();
    let secret = key.body["credential"]["secret"].as_str().unwrap().to_owned();
    let listed = world.get("/v3/credentials", &whole).await;
    let id = listed.all("credentials", "id").pop().unwrap();

    let mut parts = vec![];
    for unrestricted in [false, true] {
        let program = json!({"name": format!("robot {unrestricted}"), "secret": "s", "roles": [{"name": "reader"}],
            "unrestricted": unrestricted});
        let path = format!("/v3/users/{demo}/application_credentials");
        let made = world.ask("POST", &path, &whole, json!({"application_credential": program})).await;
        let login = json!({"auth": {"identity": {"methods": ["application_credential"], "application_credential":
            {"id": made.body["application_credential"]["id"], "secret": "s"}}}});
        parts.push(world.ask("POST", "/v3/auth/tokens", "", login).await.token());
    }
    for impersonation in [false, true] {
        let trust = json!({"trust": {"trustor_user_id": demo, "trustee_user_id": friend, "project_id": project,
            "impersonation": impersonation, "roles": [{"name": "reader"}]}});
        let trust = world.ask("POST", "/v3/OS-TRUST/trusts", &whole, trust).await;
        parts.push(corp.log_in(&friend, json!({"OS-TRUST:trust": {"id": trust.body["trust"]["id"]}})).await);
    }
    for part in &parts {
        for path in ["/v3/credentials", &path] {
            let listed = world.get(path, part).await;
            assert!(!listed.body.to_string().contains(&secret), "{}", listed.body);
        }
        for (method, path, body) in [
            ("GET", format!("/v3/credentials/{id}"), Value::Null),
            ("GET", format!("{path}/{access}"), Value::Null),
            ("PATCH", format!("/v3/credentials/{id}"), json!({"credential": {"blob": "{\"access\": \"a\", \"secret\": \"b\"}"}})),
            ("DELETE", format!("/v3/credentials/{id}"), Value::Null),
            ("DELETE", format!("{path}/{access}"), Value::Null),
            ("POST", "/v3/credentials".to_owned(), json!({"credential": {"type": "totp", "blob": "MZXW6", "user_id": demo}})),
            (
                "POST",
                "/v3/credentials".to_owned(),
                json!({"credential": {"type": "cert", "blob": "x", "user_id": demo, "project_id": project}}),
            ),
        ] {
            let refused = world.ask(method, &path, part, body).await;
            assert!(matches!(refused.status.as_u16(), 403 | 404), "{method} {path}: {} {}", refused.status, refused.body);
        }
    }
    // The unrestricted one makes itself keys, sees them, and no others.
    let unrestricted = &parts[1];
    let own = json!({"credential": {"type": "ec2", "blob": "{\"access\": \"own\", \"secret\": \"s\"}", "user_id": demo,
        "project_id": project}});
    assert_eq!(world.ask("POST", "/v3/credentials", unrestricted, own).await.status, 201);
    assert_eq!(world.get("/v3/credentials", unrestricted).await.body["credentials"].as_array().unwrap().len(), 1);
    assert_eq!(world.get("/v3/credentials", &parts[0]).await.body["credentials"], json!([]));
    assert_eq!(world.get("/v3/credentials", &whole).await.body["credentials"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn only_the_owner_and_the_clouds_administrator_read_what_a_credential_holds() {
    let corp = Corp::new().await;
    let world = &corp.world;
    let (demo, project) = (world.id("users", "demo").await, world.id("projects", "demo").await);
    let reader = corp.user("reader", "default").await;
    world.grant(&format!("system/users/{reader}/roles/{}", world.id("roles", "reader").await)).await;
    let reads = corp.log_in(&reader, json!({"system": {"all": true}})).await;
    let (_, rules) = corp.ruler("boss", "default", "admin").await;
    let own = world.demo().await;
    let key = world.ask("POST", &format!("/v3/users/{demo}/credentials/OS-EC2"), &own, json!({"tenant_id": project})).await;
    let (access, secret) = (key.body["credential"]["access"].clone(), key.body["credential"]["secret"].clone());
    let seed = json!({"credential": {"type": "totp", "blob": "GEZDGNBVGY3TQOJQ", "user_id": demo}});
    let seed = world.ask("POST", "/v3/credentials", &own, seed).await.body["credential"]["id"].as_str().unwrap().to_owned();

    let one = format!("/v3/users/{demo}/credentials/OS-EC2/{}", access.as_str().unwrap());
    for (token, knows) in [(&own, true), (&world.admin, true), (&reads, false), (&rules, false)] {
        let listed = world.get("/v3/credentials", token).await;
        let shown = [listed.body.to_string(), world.get(&format!("/v3/credentials/{seed}"), token).await.body.to_string()];
        let told = shown.concat();
        assert_eq!((told.contains(secret.as_str().unwrap()), told.contains("GEZDGNBVGY3TQOJQ")), (knows, knows), "{told}");
    }
    let told = world.get(&one, &reads).await;
    assert_eq!(
        (&told.body["credential"]["access"], &told.body["credential"]["secret"]),
        (&access, &Value::Null),
        "{}",
        told.body
    );
}

#[tokio::test]
async fn an_application_credential_makes_none_that_reaches_or_lives_beyond_it() {
    let corp = Corp::new().await;
    let world = &corp.world;
    let demo = world.id("users", "demo").await;
    let path = format!("/v3/users/{demo}/application_credentials");
    let rules = json!([{"service": "identity", "method": "POST", "path": "/v3/users/*/application_credentials"},
                       {"service": "compute", "method": "GET", "path": "/v2.1/servers"}]);
    let maker = json!({"name": "maker", "secret": "s", "unrestricted": true, "expires_at": "2099-01-01T00:00:00Z",
        "access_rules": rules});
    let made = world.ask("POST", &path, &world.demo().await, json!({"application_credential": maker})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let login = json!({"auth": {"identity": {"methods": ["application_credential"],
        "application_credential": {"id": made.body["application_credential"]["id"], "secret": "s"}}}});
    let token = world.ask("POST", "/v3/auth/tokens", "", login).await.token();
    let servers = json!([{"service": "compute", "method": "GET", "path": "/v2.1/servers"}]);
    for (fields, status) in [
        (json!({"name": "free"}), 403),
        (json!({"name": "other", "access_rules": [{"service": "compute", "method": "POST", "path": "/v2.1/servers"}]}), 403),
        (json!({"name": "later", "access_rules": servers, "expires_at": "2100-01-01T00:00:00Z"}), 403),
        (json!({"name": "small", "access_rules": servers}), 201),
        (json!({"name": "short", "access_rules": servers, "expires_at": "2098-01-01T00:00:00Z"}), 201),
    ] {
        let answer = world.ask("POST", &path, &token, json!({"application_credential": fields})).await;
        assert_eq!(answer.status, status, "{} {}", fields, answer.body);
        if fields["name"] == "small" {
            assert_eq!(answer.body["application_credential"]["expires_at"], "2099-01-01T00:00:00.000000", "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn power_costs_a_constant_number_of_statements() {
    let corp = Corp::new().await;
    let world = &corp.world;
    let (_, token) = corp.ruler("boss", &corp.corp, "manager").await;
    let clerk = corp.user("clerk", &corp.corp).await;
    let change = async || {
        let mut least = u64::MAX;
        for _ in 0..5 {
            let before = world.store.statements();
            let answer =
                world.ask("PATCH", &format!("/v3/users/{clerk}"), &token, json!({"user": {"description": "changed"}})).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            least = least.min(world.store.statements() - before);
        }
        least
    };
    let before = change().await;
    let (member, group) = (
        world.id("roles", "member").await,
        world.create("groups", "group", json!({"name": "all", "domain_id": corp.corp})).await,
    );
    world.grant(&format!("groups/{group}/users/{clerk}")).await;
    for i in 0..20 {
        let project = json!({"name": format!("part {i}"), "domain_id": corp.corp, "parent_id": corp.shop});
        let project = world.create("projects", "project", project).await;
        world.grant(&format!("projects/{project}/users/{clerk}/roles/{member}")).await;
        world.grant(&format!("projects/{project}/groups/{group}/roles/{member}")).await;
    }
    assert_eq!(change().await, before);
}
