// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn roles_are_given_and_taken_everywhere() {
    let world = World::new().await;
    let user = world.create("users", "user", json!({"name": "ann"})).await;
    let group = world.create("groups", "group", json!({"name": "ops"})).await;
    let (project, role) = (world.id("projects", "demo").await, world.id("roles", "member").await);
    for place in [
        format!("projects/{project}/users/{user}"),
        format!("projects/{project}/groups/{group}"),
        format!("domains/default/users/{user}"),
        format!("domains/default/groups/{group}"),
        format!("system/users/{user}"),
        format!("system/groups/{group}"),
    ] {
        let (all, one) = (format!("/v3/{place}/roles"), format!("/v3/{place}/roles/{role}"));
        let ask = async |method: &str, path: &str| world.ask(method, path, &world.admin, Value::Null).await;
        assert_eq!(ask("HEAD", &one).await.status, 404, "{place}");
        assert_eq!(ask("GET", &all).await.body["roles"], json!([]), "{place}");
        assert_eq!(ask("PUT", &one).await.status, 204, "{place}");
        assert_eq!(ask("PUT", &one).await.status, 204, "{place}: twice is no error");
        assert_eq!(ask("HEAD", &one).await.status, 204, "{place}");
        assert_eq!(ask("GET", &one).await.status, 204, "{place}");
        let listed = ask("GET", &all).await;
        assert_eq!(listed.all("roles", "name"), ["member"], "{place}");
        assert_eq!(listed.body["links"]["self"], format!("http://cloud:80/identity{all}"));
        assert_eq!(ask("DELETE", &one).await.status, 204, "{place}");
        assert_eq!(ask("DELETE", &one).await.status, 404, "{place}");
        assert_eq!(ask("PUT", &format!("/v3/{place}/roles/nowhere")).await.status, 404, "{place}");

        let demo = world.demo().await;
        for (method, path) in [("PUT", &one), ("GET", &one), ("DELETE", &one), ("GET", &all)] {
            assert_eq!(world.ask(method, path, &demo, Value::Null).await.status, 403, "{method} {path}");
        }
    }
    for missing in [
        format!("projects/nowhere/users/{user}"),
        format!("projects/{project}/users/nobody"),
        format!("domains/nowhere/users/{user}"),
        "domains/default/groups/nobody".to_owned(),
    ] {
        let path = format!("/v3/{missing}/roles/{role}");
        assert_eq!(world.ask("PUT", &path, &world.admin, Value::Null).await.status, 404, "{missing}");
    }
}

#[tokio::test]
async fn inherited_roles_are_a_thing_apart() {
    let world = World::new().await;
    let (user, role) = (world.id("users", "demo").await, world.id("roles", "manager").await);
    let inherited = format!("OS-INHERIT/domains/default/users/{user}/roles/{role}/inherited_to_projects");
    let ask = async |method: &str, path: &str| world.ask(method, &format!("/v3/{path}"), &world.admin, Value::Null).await;
    world.grant(&inherited).await;
    assert_eq!(ask("HEAD", &inherited).await.status, 204);
    assert_eq!(ask("HEAD", &format!("domains/default/users/{user}/roles/{role}")).await.status, 404);
    let listed = ask("GET", &format!("OS-INHERIT/domains/default/users/{user}/roles/inherited_to_projects")).await;
    assert_eq!(listed.all("roles", "name"), ["manager"]);
    let token = world.demo().await;
    assert_eq!(world.get("/v3/auth/projects", &token).await.all("projects", "name"), ["admin", "demo"]);
    assert_eq!(world.get("/v3/auth/domains", &token).await.body["domains"], json!([]));
    assert_eq!(ask("DELETE", &inherited).await.status, 204);
    assert_eq!(ask("HEAD", &inherited).await.status, 404);
}

#[tokio::test]
async fn assignments_are_listed_as_given_and_as_they_come_out() {
    let world = World::new().await;
    let (user, project) = (world.id("users", "demo").await, world.id("projects", "demo").await);
    let (member, reader) = (world.id("roles", "member").await, world.id("roles", "reader").await);
    let listed = world.get(&format!("/v3/role_assignments?user.id={user}"), &world.admin).await;
    let given = json!({
        "user": {"id": user}, "role": {"id": member}, "scope": {"project": {"id": project}},
        "links": {"assignment": format!("http://cloud:80/identity/v3/projects/{project}/users/{user}/roles/{member}")}
    });
    assert_eq!(listed.body["role_assignments"], json!([given]));

    let named = world.get(&format!("/v3/role_assignments?user.id={user}&include_names=True"), &world.admin).await;
    let line = &named.body["role_assignments"][0];
    let default = json!({"id": "default", "name": "Default"});
    assert_eq!(line["user"], json!({"id": user, "name": "demo", "domain": default}));
    assert_eq!(line["scope"]["project"], json!({"id": project, "name": "demo", "domain": default}));
    assert_eq!(line["role"], json!({"id": member, "name": "member"}));

    let query = format!("/v3/role_assignments?effective&scope.project.id={project}");
    let effective = world.get(&query, &world.admin).await;
    let roles: Vec<&str> =
        effective.body["role_assignments"].as_array().unwrap().iter().map(|a| a["role"]["id"].as_str().unwrap()).collect();
    assert_eq!(roles, [&member, &reader]);

    let system = world.get("/v3/role_assignments?scope.system=all", &world.admin).await;
    assert_eq!(system.body["role_assignments"][0]["scope"], json!({"system": {"all": true}}));

    // Through a group, inherited from the domain.
    let group = world.create("groups", "group", json!({"name": "ops"})).await;
    world.grant(&format!("groups/{group}/users/{user}")).await;
    let auditor = world.create("roles", "role", json!({"name": "auditor"})).await;
    world.grant(&format!("OS-INHERIT/domains/default/groups/{group}/roles/{auditor}/inherited_to_projects")).await;
    let query = format!("/v3/role_assignments?effective=1&user.id={user}&role.id={auditor}&include_names=1");
    let lines = world.get(&query, &world.admin).await;
    let lines = lines.body["role_assignments"].as_array().unwrap().clone();
    assert_eq!(lines.len(), 2, "in both projects: {lines:?}");
    for line in lines {
        assert_eq!(line["user"]["name"], "demo");
        assert_eq!(line["scope"]["OS-INHERIT:inherited_to"], "projects");
        assert!(line["links"]["assignment"].as_str().unwrap().contains(&format!("/OS-INHERIT/domains/default/groups/{group}/")));
        assert!(line["links"]["membership"].as_str().unwrap().ends_with(&format!("/groups/{group}/users/{user}")));
    }
}

#[tokio::test]
async fn questions_that_make_no_sense_are_refused() {
    let world = World::new().await;
    for query in [
        "user.id=a&group.id=b",
        "scope.project.id=a&scope.domain.id=b",
        "effective&group.id=a",
        "include_subtree",
        "effective&scope.domain.id=default&scope.OS-INHERIT:inherited_to=projects",
    ] {
        let answer = world.get(&format!("/v3/role_assignments?{query}"), &world.admin).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(!answer.message().is_empty());
    }
    assert_eq!(world.get("/v3/role_assignments", &world.demo().await).await.status, 403);
}

/// A small world: `top` with `mid` with `low` in it, users in a group, roles given directly and by inheritance.
struct Tree {
    world: World,
    ids: std::collections::HashMap<String, String>,
}

impl Tree {
    async fn new() -> Self {
        let world = World::new().await;
        let mut ids: std::collections::HashMap<String, String> = std::collections::HashMap::new();
        let corp = world.create("domains", "domain", json!({"name": "corp"})).await;
        for (name, parent) in [("top", None), ("mid", Some("top")), ("low", Some("mid")), ("side", None)] {
            let parent = parent.map(|parent: &str| ids[parent].clone());
            let project = json!({"name": name, "domain_id": corp, "parent_id": parent});
            ids.insert(name.to_owned(), world.create("projects", "project", project).await);
        }
        for name in ["ann", "bob", "eve"] {
            let user = json!({"name": name, "domain_id": corp, "password": "secret"});
            ids.insert(name.to_owned(), world.create("users", "user", user).await);
        }
        ids.insert("ops".to_owned(), world.create("groups", "group", json!({"name": "ops", "domain_id": corp})).await);
        for role in ["member", "reader", "manager"] {
            ids.insert(role.to_owned(), world.id("roles", role).await);
        }
        ids.insert("corp".to_owned(), corp);
        let tree = Self { world, ids };
        for grant in [
            "groups/{ops}/users/{ann}",
            "groups/{ops}/users/{bob}",
            "projects/{top}/users/{ann}/roles/{member}",
            "OS-INHERIT/projects/{top}/users/{eve}/roles/{member}/inherited_to_projects",
            "OS-INHERIT/domains/{corp}/groups/{ops}/roles/{reader}/inherited_to_projects",
            "domains/{corp}/users/{bob}/roles/{manager}",
            "projects/{side}/groups/{ops}/roles/{manager}",
            "system/users/{eve}/roles/{reader}",
        ] {
            tree.world.grant(&tree.fill(grant)).await;
        }
        tree
    }

    fn fill(&self, text: &str) -> String {
        self.ids.iter().fold(text.to_owned(), |text, (name, id)| text.replace(&format!("{{{name}}}"), id))
    }

    /// The lines as `holder role place`, sorted.
    async fn ask(&self, query: &str, token: &str) -> Vec<String> {
        let answer = self.world.get(&format!("/v3/role_assignments?include_names&{}", self.fill(query)), token).await;
        assert_eq!(answer.status, 200, "{query} {}", answer.body);
        let name = |thing: &Value| thing["name"].as_str().map(str::to_owned);
        let one = |line: &Value| {
            let holder = name(&line["user"]).or(name(&line["group"])).unwrap();
            let scope = &line["scope"];
            let place = name(&scope["project"]).or(name(&scope["domain"])).unwrap_or_else(|| "system".to_owned());
            let sign = if scope.get("OS-INHERIT:inherited_to").is_some() { "*" } else { "" };
            format!("{holder} {} {place}{sign}", line["role"]["name"].as_str().unwrap())
        };
        let mut lines: Vec<String> = answer.body["role_assignments"].as_array().unwrap().iter().map(one).collect();
        lines.sort();
        lines
    }
}

#[tokio::test]
async fn each_question_about_assignments_has_its_answer() {
    let tree = Tree::new().await;
    let admin = tree.world.admin.clone();
    for (query, expected) in [
        ("scope.project.id={top}", vec!["ann member top", "eve member top*"]),
        ("scope.project.id={top}&include_subtree", vec!["ann member top", "eve member top*"]),
        ("scope.domain.id={corp}", vec!["bob manager corp", "ops reader corp*"]),
        ("group.id={ops}", vec!["ops manager side", "ops reader corp*"]),
        ("user.id={bob}", vec!["bob manager corp"]),
        ("user.id={eve}&scope.OS-INHERIT:inherited_to=projects", vec!["eve member top*"]),
        ("user.id={eve}&scope.system=all", vec!["eve reader system"]),
        ("role.id={member}&user.id={ann}", vec!["ann member top"]),
        ("effective&scope.project.id={low}", vec!["ann reader low*", "bob reader low*", "eve member low*", "eve reader low*"]),
        ("effective&scope.project.id={low}&role.id={member}", vec!["eve member low*"]),
        ("effective&scope.project.id={top}&user.id={eve}", vec![]),
        (
            "effective&scope.project.id={mid}&include_subtree&user.id={eve}",
            vec!["eve member low*", "eve member mid*", "eve reader low*", "eve reader mid*"],
        ),
        ("effective&scope.domain.id={corp}", vec!["bob manager corp", "bob member corp", "bob reader corp"]),
        ("effective&user.id={bob}&role.id={manager}", vec!["bob manager corp", "bob manager side"]),
        (
            "effective&user.id={bob}&role.id={reader}",
            // In `side` he is manager, and so reader, by what was given there; that it is also inherited adds nothing.
            vec!["bob reader corp", "bob reader low*", "bob reader mid*", "bob reader side", "bob reader top*"],
        ),
        ("effective&user.id={eve}&scope.system=all", vec!["eve reader system"]),
        (
            "effective&user.id={eve}&scope.OS-INHERIT:inherited_to=projects&role.id={member}",
            vec!["eve member low*", "eve member mid*"],
        ),
        ("effective&scope.project.id=nowhere", vec![]),
    ] {
        let lines: Vec<String> = tree.ask(query, &admin).await;
        let lines: Vec<String> = lines.iter().map(|line| line.replace("side*", "side")).collect();
        assert_eq!(lines, expected, "{query}");
    }
}

#[tokio::test]
async fn a_domains_reader_sees_the_assignments_of_the_domain() {
    let tree = Tree::new().await;
    let login = json!({"auth": {
        "identity": {"methods": ["password"], "password": {"user": {"id": tree.ids["bob"], "password": "secret"}}},
        "scope": {"domain": {"id": tree.ids["corp"]}}}});
    let token = tree.world.ask("POST", "/v3/auth/tokens", "", login).await.token();
    let expected = ["ann member top", "bob manager corp", "eve member top*", "ops manager side", "ops reader corp*"];
    assert_eq!(tree.ask("", &token).await, expected);
    assert!(!tree.ask("effective", &token).await.iter().any(|line| line.contains("admin") || line.contains("system")));
    assert_eq!(tree.ask("scope.domain.id=default", &token).await, Vec::<String>::new());
    assert_eq!(tree.ask("scope.project.id={mid}&include_subtree&effective&role.id={member}", &token).await.len(), 2);
}

/// What the list says comes out, and what a login gives, are found by different statements: they agree.
#[tokio::test]
async fn the_effective_list_agrees_with_what_tokens_say() {
    let tree = Tree::new().await;
    for user in ["ann", "bob", "eve"] {
        for project in ["top", "mid", "low", "side"] {
            let login = json!({"auth": {
                "identity": {"methods": ["password"], "password": {"user": {"id": tree.ids[user], "password": "secret"}}},
                "scope": {"project": {"id": tree.ids[project]}}}});
            let answer = tree.world.ask("POST", "/v3/auth/tokens", "", login).await;
            let no_roles = vec![];
            let roles = answer.body["token"]["roles"].as_array().unwrap_or(&no_roles);
            let mut told: Vec<String> = roles.iter().map(|role| role["name"].as_str().unwrap().to_owned()).collect();
            told.sort();
            let query = format!("effective&user.id={{{user}}}&scope.project.id={{{project}}}");
            let lines = tree.ask(&query, &tree.world.admin).await;
            let mut listed: Vec<String> = lines.iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect();
            listed.dedup();
            assert_eq!(told, listed, "{user} in {project}");
        }
    }
}

#[tokio::test]
async fn a_list_of_assignments_costs_a_constant_number_of_statements() {
    let tree = Tree::new().await;
    // The least of a few, for what was changed before may still be heeded in the background.
    let cost = async |query: &str| {
        let (mut least, mut lines) = (u64::MAX, 0);
        for _ in 0..5 {
            let before = tree.world.store.statements();
            lines = tree.ask(query, &tree.world.admin).await.len();
            least = least.min(tree.world.store.statements() - before);
        }
        (least, lines)
    };
    let queries = ["", "effective", "effective&scope.project.id={top}&include_subtree", "effective&user.id={ann}"];
    let mut before = vec![];
    for query in queries {
        before.push(cost(query).await);
    }
    for i in 0..20 {
        let user = json!({"name": format!("user{i}"), "domain_id": tree.ids["corp"]});
        let user = tree.world.create("users", "user", user).await;
        tree.world.grant(&tree.fill(&format!("groups/{{ops}}/users/{user}"))).await;
        let project = json!({"name": format!("project{i}"), "parent_id": tree.ids["top"], "domain_id": tree.ids["corp"]});
        tree.world.create("projects", "project", project).await;
    }
    for (query, (statements, lines)) in queries.into_iter().zip(before) {
        let now = cost(query).await;
        assert_eq!(now.0, statements, "{query}");
        // Where a tree lies is looked up before it is said who may see it.
        let most = if query.contains("include_subtree") { 4 } else { 3 };
        assert!(now.0 <= most, "{query} {}", now.0);
        assert!(query.is_empty() || now.1 > lines, "{query}: there is more to tell");
    }
}
