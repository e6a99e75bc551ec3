// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]
//! What is said of things that the caller may not see, and of those that are not there: Keystone's status for each.

use serde_json::{Value, json};

use crate::world::World;

/// A world with two domains, each with somebody who has a role on it.
struct Two {
    world: World,
    corp: String,
    away: String,
}

impl Two {
    async fn new() -> Self {
        let world = World::new().await;
        let corp = world.create("domains", "domain", json!({"name": "corp"})).await;
        let away = world.create("domains", "domain", json!({"name": "away"})).await;
        Self { world, corp, away }
    }

    /// A token of a new user of `corp` with this role on it.
    async fn someone(&self, role: &str) -> String {
        let fields = json!({"name": format!("a-{role}"), "domain_id": self.corp, "password": "pw"});
        let user = self.world.create("users", "user", fields).await;
        let role = self.world.id("roles", role).await;
        self.world.grant(&format!("domains/{}/users/{user}/roles/{role}", self.corp)).await;
        let login = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {"id": user, "password": "pw"}}},
            "scope": {"domain": {"id": self.corp}}}});
        self.world.ask("POST", "/v3/auth/tokens", "", login).await.token()
    }

    async fn status(&self, method: &str, path: &str, token: &str) -> u16 {
        let body = match (method, path.split('/').nth(2).unwrap()) {
            ("PATCH", collection) => json!({ collection.trim_end_matches('s'): {"description": "x"} }),
            _ => Value::Null,
        };
        self.world.ask(method, path, token, body).await.status.as_u16()
    }
}

#[tokio::test]
async fn ids_cannot_be_probed() {
    let two = Two::new().await;
    let world = &two.world;
    let (manager, demo) = (two.someone("manager").await, world.demo().await);
    let user = world.create("users", "user", json!({"name": "far", "domain_id": two.away})).await;
    let group = world.create("groups", "group", json!({"name": "far", "domain_id": two.away})).await;
    let project = world.create("projects", "project", json!({"name": "far", "domain_id": two.away})).await;
    let admin = world.id("users", "admin").await;
    let seed = json!({"blob": "SEED", "type": "totp", "user_id": admin});
    let credential = world.create("credentials", "credential", seed).await;
    for (methods, path, id) in [
        (&["GET", "PATCH", "DELETE"][..], "/v3/users/{}", &user),
        (&["GET"], "/v3/users/{}/projects", &user),
        (&["GET"], "/v3/users/{}/groups", &user),
        (&["GET"], "/v3/users/{}/application_credentials", &user),
        (&["GET"], "/v3/users/{}/access_rules", &user),
        (&["GET"], "/v3/users/{}/credentials/OS-EC2", &user),
        (&["GET", "PATCH"], "/v3/groups/{}", &group),
        (&["GET"], "/v3/groups/{}/users", &group),
        (&["GET", "PATCH", "DELETE"], "/v3/projects/{}", &project),
        (&["GET", "DELETE"], "/v3/projects/{}/tags", &project),
        (&["GET", "PUT", "DELETE"], "/v3/projects/{}/tags/blue", &project),
        (&["GET"], "/v3/domains/{}", &two.away),
        (&["GET"], "/v3/domains/{}/config", &two.away),
        (&["GET", "PATCH", "DELETE"], "/v3/credentials/{}", &credential),
    ] {
        for (who, token) in [("a manager of another domain", &manager), ("a member", &demo)] {
            for method in methods {
                let there = two.status(method, &path.replace("{}", id), token).await;
                let missing = two.status(method, &path.replace("{}", "nothing"), token).await;
                assert_eq!((there, missing), (403, 403), "{method} {path} as {who}");
            }
        }
    }
}

#[tokio::test]
async fn what_keystone_looks_for_first_is_404_for_all_when_it_is_missing() {
    let two = Two::new().await;
    let world = &two.world;
    let (manager, demo) = (two.someone("manager").await, world.demo().await);
    let group = world.create("groups", "group", json!({"name": "far", "domain_id": two.away})).await;
    let role = world.id("roles", "service").await;
    let admin = world.id("users", "admin").await;
    let key = json!({"tenant_id": world.id("projects", "admin").await});
    let key = world.ask("POST", &format!("/v3/users/{admin}/credentials/OS-EC2"), &world.admin, key).await;
    let key = key.body["credential"]["access"].as_str().unwrap().to_owned();
    for (method, path, id) in [
        ("DELETE", "/v3/groups/{}".to_owned(), &group),
        ("PATCH", "/v3/domains/{}".to_owned(), &two.away),
        ("DELETE", "/v3/domains/{}".to_owned(), &two.away),
        ("GET", "/v3/roles/{}".to_owned(), &role),
        ("PATCH", "/v3/roles/{}".to_owned(), &role),
        ("DELETE", "/v3/roles/{}".to_owned(), &role),
        ("GET", "/v3/roles/{}/implies".to_owned(), &role),
        ("PUT", format!("/v3/roles/{role}/implies/{{}}"), &role),
        ("GET", format!("/v3/users/{admin}/credentials/OS-EC2/{{}}"), &key),
        ("DELETE", format!("/v3/users/{admin}/credentials/OS-EC2/{{}}"), &key),
        ("PUT", format!("/v3/domains/{}/groups/{{}}/roles/{role}", two.away), &group),
        ("PUT", format!("/v3/domains/{}/groups/{group}/roles/{{}}", two.away), &role),
        ("PUT", format!("/v3/domains/{{}}/groups/{group}/roles/{role}"), &two.away),
        ("PUT", "/v3/system/groups/{}/roles/x".replace('x', &role), &group),
    ] {
        for (who, token) in [("a manager of another domain", &manager), ("a member", &demo)] {
            let there = two.status(method, &path.replace("{}", id), token).await;
            let missing = two.status(method, &path.replace("{}", "nothing"), token).await;
            assert_eq!((there, missing), (403, 404), "{method} {path} as {who}");
        }
    }
    // Of inherited roles, and of one from whom a role is to be taken, only whom the rules admit learns what is missing.
    for (method, path) in [
        ("PUT", format!("/v3/OS-INHERIT/domains/{}/groups/nobody/roles/{role}/inherited_to_projects", two.away)),
        ("DELETE", format!("/v3/domains/{}/groups/nobody/roles/{role}", two.away)),
    ] {
        assert_eq!(two.status(method, &path, &manager).await, 403, "{method} {path}");
        assert_eq!(two.status(method, &path, &world.admin).await, 404, "{method} {path}");
    }
}

#[tokio::test]
async fn with_a_domains_token_lists_are_of_the_domain() {
    let two = Two::new().await;
    let world = &two.world;
    let (reader, admin) = (two.someone("reader").await, two.someone("admin").await);
    for (collection, one) in [("users", "user"), ("groups", "group"), ("projects", "project")] {
        for (name, domain) in [("here", &two.corp), ("there", &two.away)] {
            world.create(collection, one, json!({"name": name, "domain_id": domain})).await;
        }
        for token in [&reader, &admin] {
            let names = world.get(&format!("/v3/{collection}"), token).await.all(collection, "name");
            assert!(names.contains(&"here".to_owned()) && !names.contains(&"there".to_owned()), "{collection}: {names:?}");
        }
    }
    assert_eq!(world.get("/v3/domains", &admin).await.all("domains", "name"), ["corp"]);
    let assigned = world.get("/v3/role_assignments", &admin).await;
    assert_eq!(assigned.body["role_assignments"].as_array().unwrap().len(), 2, "{}", assigned.body);
    // Who is in a group, and in which groups one is, likewise.
    let (group, spy) = (world.id("groups", "here").await, world.id("users", "there").await);
    let own = world.id("users", "here").await;
    for user in [&own, &spy] {
        world.grant(&format!("groups/{group}/users/{user}")).await;
    }
    assert_eq!(world.get(&format!("/v3/groups/{group}/users"), &reader).await.all("users", "name"), ["here"]);
    assert_eq!(world.get(&format!("/v3/groups/{group}/users"), &world.admin).await.all("users", "name"), ["here", "there"]);
    let abroad = world.id("groups", "there").await;
    world.grant(&format!("groups/{abroad}/users/{own}")).await;
    assert_eq!(world.get(&format!("/v3/users/{own}/groups"), &reader).await.all("groups", "name"), ["here"]);
}

#[tokio::test]
async fn a_domains_own_roles_are_the_clouds_business() {
    let two = Two::new().await;
    let world = &two.world;
    let (manager, admin) = (two.someone("manager").await, two.someone("admin").await);
    let own = world.create("roles", "role", json!({"name": "reader", "domain_id": two.corp})).await;
    for token in [&manager, &admin] {
        assert_eq!(two.status("GET", &format!("/v3/roles/{own}"), token).await, 403);
        assert_eq!(world.get(&format!("/v3/roles?domain_id={}", two.corp), token).await.status, 403);
        let another = json!({"role": {"name": "x", "domain_id": two.corp}});
        assert_eq!(world.ask("POST", "/v3/roles", token, another).await.status, 403);
    }
    let reader = world.id("roles", "reader").await;
    assert_eq!(two.status("GET", &format!("/v3/roles/{reader}"), &manager).await, 200);
    assert_eq!(world.get("/v3/roles", &manager).await.status, 200);
}

#[tokio::test]
async fn a_domains_own_role_is_given_in_its_own_projects_only() {
    let two = Two::new().await;
    let world = &two.world;
    let own = world.create("roles", "role", json!({"name": "baker", "domain_id": two.corp})).await;
    let demo = world.id("users", "demo").await;
    for (domain, status) in [(&two.corp, 204), (&two.away, 403)] {
        let project = world.create("projects", "project", json!({"name": "p", "domain_id": domain})).await;
        let path = format!("/v3/projects/{project}/users/{demo}/roles/{own}");
        assert_eq!(two.status("PUT", &path, &world.admin).await, status);
    }
    assert_eq!(two.status("PUT", &format!("/v3/domains/{}/users/{demo}/roles/{own}", two.away), &world.admin).await, 204);
}

#[tokio::test]
async fn everybody_sees_himself_and_a_tree_is_seen_whole_or_not_at_all() {
    let two = Two::new().await;
    let world = &two.world;
    // One whose role is on another domain than the one that he is of.
    let guest = world.create("users", "user", json!({"name": "guest", "domain_id": two.away, "password": "pw"})).await;
    let reader = world.id("roles", "reader").await;
    world.grant(&format!("domains/{}/users/{guest}/roles/{reader}", two.corp)).await;
    let login = json!({"auth": {
        "identity": {"methods": ["password"], "password": {"user": {"id": guest, "password": "pw"}}},
        "scope": {"domain": {"id": two.corp}}}});
    let token = world.ask("POST", "/v3/auth/tokens", "", login).await.token();
    for path in ["", "/projects", "/groups"] {
        assert_eq!(two.status("GET", &format!("/v3/users/{guest}{path}"), &token).await, 200, "{path}");
    }
    for (domain, status) in [(&two.corp, 200), (&two.away, 403)] {
        let project = world.create("projects", "project", json!({"name": "p", "domain_id": domain})).await;
        let tree = format!("/v3/role_assignments?include_subtree&scope.project.id={project}");
        assert_eq!(two.status("GET", &tree, &token).await, status);
        assert_eq!(two.status("GET", &tree, &world.admin).await, 200);
    }
    assert_eq!(two.status("GET", "/v3/role_assignments?include_subtree&scope.project.id=nothing", &token).await, 404);
}
