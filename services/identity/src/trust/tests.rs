// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use serde_json::{Value, json};
use types::Timestamp;

use crate::world::{Answer, DEMO_PASSWORD, World, password_login, token_login};

const TRUSTS: &str = "/v3/OS-TRUST/trusts";

/// `demo` trusts `ann` with what he may do in his project; `bob` is a third.
struct Made {
    world: World,
    project: String,
    demo: String,
    ann: String,
    bob: String,
    /// Demo's token for his project.
    token: String,
}

impl Made {
    async fn new() -> Self {
        let world = World::new().await;
        let ann = world.create("users", "user", json!({"name": "ann", "password": "ann's own"})).await;
        let bob = world.create("users", "user", json!({"name": "bob", "password": "bob's own"})).await;
        let (demo, project) = (world.id("users", "demo").await, world.id("projects", "demo").await);
        let token = world.demo().await;
        Self { world, project, demo, ann, bob, token }
    }

    /// A trust of demo in ann, with what differs from the usual.
    async fn ask(&self, token: &str, differs: Value) -> Answer {
        let mut trust = json!({
            "trustor_user_id": self.demo, "trustee_user_id": self.ann, "project_id": self.project,
            "impersonation": true, "roles": [{"name": "member"}]
        });
        for (key, value) in differs.as_object().unwrap() {
            trust[key] = value.clone();
        }
        self.world.ask("POST", TRUSTS, token, json!({"trust": trust})).await
    }

    async fn trust(&self, differs: Value) -> String {
        let answer = self.ask(&self.token, differs).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body["trust"]["id"].as_str().unwrap().to_owned()
    }

    async fn login(&self, user: &str, trust: &str) -> Answer {
        let body = password_login(user, &format!("{user}'s own"), json!({"OS-TRUST:trust": {"id": trust}}));
        self.world.ask("POST", "/v3/auth/tokens", "", body).await
    }

    async fn token_of(&self, trust: &str) -> String {
        let answer = self.login("ann", trust).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.token()
    }

    async fn works(&self, token: &str) -> bool {
        self.world.get("/v3/auth/catalog", token).await.status == 200
    }

    async fn change(&self, method: &str, path: String, body: Value) {
        let answer = self.world.ask(method, &path, &self.world.admin, body).await;
        assert!(answer.status.is_success(), "{method} {path} {}", answer.body);
    }
}

fn in_an_hour() -> String {
    Timestamp::now().plus(Duration::from_secs(3600)).zulu_micros()
}

#[tokio::test]
async fn a_life() {
    let made = Made::new().await;
    let world = &made.world;
    let expires_at = in_an_hour();
    let answer = made.ask(&made.token, json!({"expires_at": expires_at, "remaining_uses": 7})).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let trust = &answer.body["trust"];
    let id = trust["id"].as_str().unwrap();
    let member = world.id("roles", "member").await;
    let url = format!("http://cloud:80/identity{TRUSTS}/{id}");
    let role = json!({"id": member, "name": "member", "domain_id": null, "description": null, "options": {"immutable": true},
                      "links": {"self": format!("http://cloud:80/identity/v3/roles/{member}")}});
    let mut expected = json!({
        "id": id, "trustor_user_id": made.demo, "trustee_user_id": made.ann, "project_id": made.project,
        "impersonation": true, "expires_at": expires_at, "remaining_uses": 7, "redelegated_trust_id": null,
        "redelegation_count": 0, "deleted_at": null, "roles": [role], "links": {"self": url},
        "roles_links": {"self": format!("{url}/roles"), "next": null, "previous": null},
    });
    assert_eq!(*trust, expected);
    let path = format!("{TRUSTS}/{id}");
    let ann = world.ask("POST", "/v3/auth/tokens", "", password_login("ann", "ann's own", json!("unscoped"))).await.token();
    for token in [&made.token, &ann, &world.admin] {
        assert_eq!(world.get(&path, token).await.body["trust"], expected);
    }
    assert_eq!(world.get(&format!("{path}/roles"), &ann).await.body, json!({"roles": [role], "links": expected["roles_links"]}));
    assert_eq!(world.get(&format!("{path}/roles/{member}"), &ann).await.body, json!({"role": role}));
    let reader = world.id("roles", "reader").await;
    assert_eq!(world.get(&format!("{path}/roles/{reader}"), &ann).await.status, 404);

    expected.as_object_mut().unwrap().retain(|key, _| !key.starts_with("roles"));
    let of_demo = world.get(&format!("{TRUSTS}?trustor_user_id={}", made.demo), &made.token).await;
    assert_eq!(of_demo.body["trusts"], json!([expected]));
    assert_eq!(of_demo.body["links"]["next"], Value::Null);
    let of_ann = world.get(&format!("{TRUSTS}?trustee_user_id={}", made.ann), &ann).await;
    assert_eq!(of_ann.body["trusts"], json!([expected]));
    assert_eq!(world.get(TRUSTS, &world.admin).await.body["trusts"], json!([expected]));

    assert_eq!(world.ask("DELETE", &path, &ann, Value::Null).await.status, 403, "the trustor ends it");
    assert_eq!(world.ask("DELETE", &path, &made.token, Value::Null).await.status, 204);
    assert_eq!(world.get(&path, &made.token).await.status, 404);
}

#[tokio::test]
async fn whose_trusts_one_sees() {
    let made = Made::new().await;
    let world = &made.world;
    let id = made.trust(json!({})).await;
    let bob = world.ask("POST", "/v3/auth/tokens", "", password_login("bob", "bob's own", json!("unscoped"))).await.token();
    for path in [
        format!("{TRUSTS}/{id}"),
        format!("{TRUSTS}/{id}/roles"),
        format!("{TRUSTS}?trustor_user_id={}", made.demo),
        format!("{TRUSTS}?trustee_user_id={}", made.ann),
        TRUSTS.to_owned(),
    ] {
        assert_eq!(world.get(&path, &bob).await.status, 403, "{path}");
    }
    let own = world.get(&format!("{TRUSTS}?trustee_user_id={}", made.bob), &bob).await;
    assert_eq!((own.status.as_u16(), &own.body["trusts"]), (200, &json!([])));
    assert_eq!(world.get(&format!("{TRUSTS}/nothing"), &bob).await.status, 404);
}

#[tokio::test]
async fn a_trustee_acts_in_the_trustors_name_or_in_his_own() {
    let made = Made::new().await;
    for (impersonation, user, name) in [(true, &made.demo, "demo"), (false, &made.ann, "ann")] {
        let id = made.trust(json!({"impersonation": impersonation})).await;
        let answer = made.login("ann", &id).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let token = &answer.body["token"];
        assert_eq!((&token["user"]["id"], &token["user"]["name"]), (&json!(user), &json!(name)));
        assert_eq!(token["project"]["id"], json!(made.project));
        let expected = json!({"id": id, "impersonation": impersonation,
                              "trustor_user": {"id": made.demo}, "trustee_user": {"id": made.ann}});
        assert_eq!(token["OS-TRUST:trust"], expected);
        assert_eq!(token.get("is_domain"), None, "of a trust Keystone does not say so");
        assert_eq!(token["methods"], json!(["password"]));
        let roles: Vec<&str> = token["roles"].as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect();
        assert_eq!(roles, ["member", "reader"], "with what the roles imply");
        assert!(token["catalog"].is_array());
        let own = answer.token();
        let shown = made.world.ask_with("GET", "/v3/auth/tokens", &own, &[("x-subject-token", &own)], Value::Null).await;
        assert_eq!(shown.body["token"]["OS-TRUST:trust"], expected);
    }
    // A token serves as the proof of who one is, too.
    let id = made.trust(json!({"roles": [{"name": "reader"}]})).await;
    let own = made.world.ask("POST", "/v3/auth/tokens", "", password_login("ann", "ann's own", json!("unscoped"))).await;
    let body = token_login(&own.token(), json!({"OS-TRUST:trust": {"id": id}}));
    let answer = made.world.ask("POST", "/v3/auth/tokens", "", body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.body["token"]["roles"][0]["name"], "reader");
    assert_eq!(answer.body["token"]["roles"].as_array().unwrap().len(), 1, "no more than was delegated");
}

#[tokio::test]
async fn only_the_trustee_uses_a_trust() {
    let made = Made::new().await;
    let id = made.trust(json!({})).await;
    assert_eq!(made.login("bob", &id).await.status, 403);
    assert_eq!(made.login("ann", "nothing").await.status, 401);
    // The trustor is no trustee either.
    let body = password_login("demo", DEMO_PASSWORD, json!({"OS-TRUST:trust": {"id": id}}));
    assert_eq!(made.world.ask("POST", "/v3/auth/tokens", "", body).await.status, 403);
}

#[tokio::test]
async fn a_token_of_a_trust_buys_no_other_token() {
    let made = Made::new().await;
    let token = made.token_of(&made.trust(json!({})).await).await;
    for scope in [json!("unscoped"), json!({"project": {"id": made.project}})] {
        let answer = made.world.ask("POST", "/v3/auth/tokens", "", token_login(&token, scope)).await;
        assert_eq!(answer.status, 403, "{}", answer.body);
    }
}

#[tokio::test]
async fn a_token_does_not_outlive_its_trust() {
    let made = Made::new().await;
    let soon = Timestamp::now().plus(Duration::from_secs(2));
    let id = made.trust(json!({"expires_at": soon.zulu_micros()})).await;
    let answer = made.login("ann", &id).await;
    let token = answer.token();
    let ends = Timestamp::parse(answer.body["token"]["expires_at"].as_str().unwrap()).unwrap();
    assert!(ends <= soon, "{} is after {}", ends.zulu_micros(), soon.zulu_micros());
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert!(!made.works(&token).await);
    assert_eq!(made.login("ann", &id).await.status, 401);
    assert_eq!(made.world.get(&format!("{TRUSTS}/{id}"), &made.token).await.status, 404);
}

#[tokio::test]
async fn uses_are_counted_also_under_concurrency() {
    let made = Made::new().await;
    let id = made.trust(json!({"remaining_uses": 3})).await;
    // What fails takes no use.
    assert_eq!(made.login("bob", &id).await.status, 403);
    let body = |user: &str, password: &str| password_login(user, password, json!({"OS-TRUST:trust": {"id": id}}));
    assert_eq!(made.world.ask("POST", "/v3/auth/tokens", "", body("ann", "wrong")).await.status, 401);
    let shown = made.world.get(&format!("{TRUSTS}/{id}"), &made.token).await;
    assert_eq!(shown.body["trust"]["remaining_uses"], 3);

    let unscoped = made.world.ask("POST", "/v3/auth/tokens", "", password_login("ann", "ann's own", json!("unscoped"))).await;
    let proof = unscoped.token();
    let login = async || {
        let body = token_login(&proof, json!({"OS-TRUST:trust": {"id": id}}));
        made.world.ask("POST", "/v3/auth/tokens", "", body).await
    };
    let (a, b, c, d, e, f) = tokio::join!(login(), login(), login(), login(), login(), login());
    let mut statuses: Vec<u16> = [&a, &b, &c, &d, &e, &f].iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 201, 401, 401, 401]);
    assert_eq!(made.world.get(&format!("{TRUSTS}/{id}"), &made.token).await.status, 404, "used up, it is as good as gone");
    let last = [a, b, c, d, e, f].into_iter().find(|answer| answer.status == 201).unwrap();
    assert!(made.works(&last.token()).await, "what was bought is good");
}

#[tokio::test]
async fn a_trust_ends_with_what_it_stands_on() {
    let made = Made::new().await;
    let member = made.world.id("roles", "member").await;
    let reader = made.world.id("roles", "reader").await;
    let grant = |role: &str| format!("/v3/projects/{}/users/{}/roles/{role}", made.project, made.demo);
    let id = made.trust(json!({"impersonation": false})).await;
    let token = made.token_of(&id).await;
    assert!(made.works(&token).await);

    made.change("PUT", grant(&reader), Value::Null).await;
    made.change("DELETE", grant(&member), Value::Null).await;
    assert!(!made.works(&token).await, "one delegated role is gone, and with it all");
    assert_eq!(made.login("ann", &id).await.status, 403);
    made.change("PUT", grant(&member), Value::Null).await;
    assert!(made.works(&token).await);

    let project = format!("/v3/projects/{}", made.project);
    made.change("PATCH", project.clone(), json!({"project": {"enabled": false}})).await;
    assert!(!made.works(&token).await, "the project is disabled");
    made.change("PATCH", project.clone(), json!({"project": {"enabled": true}})).await;
    assert!(made.works(&token).await);

    for user in [&made.demo, &made.ann] {
        let path = format!("/v3/users/{user}");
        made.change("PATCH", path.clone(), json!({"user": {"enabled": false}})).await;
        assert!(!made.works(&token).await, "one of the two is disabled");
        assert_ne!(made.login("ann", &id).await.status, 201);
        made.change("PATCH", path, json!({"user": {"enabled": true}})).await;
        assert!(!made.works(&token).await, "what was void stays void");
    }
    let token = made.token_of(&id).await;
    assert!(made.works(&token).await, "a new one is good, in the same second too");
    made.change("PATCH", format!("/v3/users/{}", made.demo), json!({"user": {"password": DEMO_PASSWORD}})).await;
    assert!(!made.works(&token).await, "the trustor's password changed");

    let token = made.token_of(&id).await;
    let demo = made.world.demo().await;
    assert_eq!(made.world.ask("DELETE", &format!("{TRUSTS}/{id}"), &demo, Value::Null).await.status, 204);
    assert!(!made.works(&token).await, "the trust was ended");

    let answer = made.ask(&demo, json!({})).await;
    let id = answer.body["trust"]["id"].as_str().unwrap().to_owned();
    let token = made.token_of(&id).await;
    made.change("DELETE", format!("/v3/users/{}", made.demo), Value::Null).await;
    assert!(!made.works(&token).await, "the trustor is deleted");
    assert_eq!(made.world.get(TRUSTS, &made.world.admin).await.body["trusts"], json!([]), "and the trust with him");
}

#[tokio::test]
async fn a_role_that_is_deleted_is_delegated_no_more() {
    let made = Made::new().await;
    let auditor = made.world.create("roles", "role", json!({"name": "auditor"})).await;
    let grant = format!("projects/{}/users/{}/roles/{auditor}", made.project, made.demo);
    made.world.grant(&grant).await;
    let id = made.trust(json!({"roles": [{"id": auditor}, {"name": "member"}]})).await;
    let token = made.token_of(&id).await;
    made.change("DELETE", format!("/v3/roles/{auditor}"), Value::Null).await;
    assert!(!made.works(&token).await);
    let shown = made.world.get(&format!("{TRUSTS}/{id}"), &made.world.demo().await).await;
    assert_eq!(shown.body["trust"]["roles"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn one_delegates_only_what_one_has_in_ones_own_name() {
    let made = Made::new().await;
    let admin_project = made.world.id("projects", "admin").await;
    for (differs, status, word) in [
        (json!({"roles": [{"name": "admin"}]}), 404, "role"),
        (json!({"roles": [{"name": "nonsense"}]}), 404, "nonsense"),
        (json!({"roles": [{"id": "nonsense"}]}), 404, "nonsense"),
        (json!({"roles": [{}]}), 400, "id or a name"),
        (json!({"roles": []}), 403, "least one role"),
        (json!({"project_id": admin_project}), 404, "role"),
        (json!({"project_id": "nowhere"}), 404, "nowhere"),
        (json!({"project_id": null}), 404, "role"),
        (json!({"trustee_user_id": "nobody"}), 404, "nobody"),
        (json!({"trustor_user_id": made.ann}), 403, "create_trust"),
        (json!({"expires_at": "2001-01-01T00:00:00.000000Z"}), 400, "future"),
        (json!({"expires_at": "tomorrow"}), 400, "tomorrow"),
        (json!({"remaining_uses": 0}), 400, "at least 1"),
        (json!({"remaining_uses": -1}), 400, "at least 1"),
        (json!({"remaining_uses": "many"}), 400, "remaining_uses"),
        (json!({"redelegation_count": -1}), 400, "at least 0"),
        (json!({"allow_redelegation": true, "redelegation_count": 4}), 403, "greater"),
        (json!({"allow_redelegation": true, "remaining_uses": 4}), 400, "remaining_uses"),
        (json!({"impersonation": "FALSE"}), 400, "impersonation"),
        (json!({"impersonation": null}), 400, "impersonation"),
    ] {
        let answer = made.ask(&made.token, differs.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{differs} {}", answer.body);
        assert!(answer.message().contains(word), "{differs}: {}", answer.message());
    }
    // Nobody, the administrator included, trusts in another's name.
    assert_eq!(made.ask(&made.world.admin, json!({})).await.status, 403);
    let trust = json!({"expires_at": in_an_hour()});
    assert_eq!(made.ask(&made.token, trust.clone()).await.status, 201);
    assert_eq!(made.ask(&made.token, trust).await.status, 409, "the same again");
}

#[tokio::test]
async fn a_trust_is_passed_on_within_its_bounds() {
    let made = Made::new().await;
    let end = Timestamp::parse(&in_an_hour()).unwrap();
    let first = json!({"allow_redelegation": true, "redelegation_count": 2, "expires_at": end.zulu_micros(),
                       "roles": [{"name": "member"}, {"name": "reader"}]});
    let first = made.trust(first).await;
    let token = made.token_of(&first).await;
    let to_bob = |differs: Value| {
        let mut trust = json!({"trustee_user_id": made.bob, "roles": [{"name": "reader"}]});
        trust.as_object_mut().unwrap().extend(differs.as_object().unwrap().clone());
        trust
    };
    let later = end.plus(Duration::from_secs(1)).zulu_micros();
    let auditor = made.world.create("roles", "role", json!({"name": "auditor"})).await;
    made.world.grant(&format!("projects/{}/users/{}/roles/{auditor}", made.project, made.demo)).await;
    for (differs, word) in [
        (json!({"expires_at": later}), "later"),
        (json!({"remaining_uses": 1}), "remaining_uses"),
        (json!({"roles": [{"id": auditor}]}), "not in the trust"),
        (json!({"allow_redelegation": true, "redelegation_count": 2}), "redelegation_count"),
    ] {
        let answer = made.ask(&token, to_bob(differs.clone())).await;
        assert_eq!(answer.status, 403, "{differs} {}", answer.body);
        assert!(answer.message().contains(word), "{differs}: {}", answer.message());
    }
    let second = made.ask(&token, to_bob(json!({"allow_redelegation": true}))).await;
    assert_eq!(second.status, 201, "{}", second.body);
    let second = &second.body["trust"];
    assert_eq!(second["redelegated_trust_id"], json!(first));
    assert_eq!(second["redelegation_count"], 1);
    assert_eq!(second["expires_at"], json!(end.zulu_micros()), "it ends with the first");
    assert_eq!(second["trustor_user_id"], json!(made.demo), "he who is impersonated trusts");
    let bob = made.login("bob", second["id"].as_str().unwrap()).await;
    assert_eq!(bob.status, 201, "{}", bob.body);
    assert_eq!(bob.body["token"]["roles"].as_array().unwrap().len(), 1);

    // Once more, and then no more.
    let earlier = end.seconds() - 1;
    let third = json!({"roles": [{"name": "reader"}], "allow_redelegation": true,
                       "expires_at": Timestamp::from_seconds(earlier).zulu_micros()});
    let third = made.ask(&bob.token(), third).await;
    assert_eq!(third.body["trust"]["redelegation_count"], 0, "{}", third.body);
    let last = made.token_of(third.body["trust"]["id"].as_str().unwrap()).await;
    assert!(made.works(&last).await);
    let fourth = made.ask(&last, to_bob(json!({}))).await;
    assert_eq!(fourth.status, 403);
    assert!(fourth.message().contains("depth"), "{}", fourth.message());

    // Whoever stands between must be there, and the end of the first is the end of all.
    let path = format!("/v3/users/{}", made.bob);
    made.change("PATCH", path.clone(), json!({"user": {"enabled": false}})).await;
    assert!(!made.works(&last).await, "one who passed it on is disabled");
    made.change("PATCH", path, json!({"user": {"enabled": true}})).await;
    let last = made.token_of(third.body["trust"]["id"].as_str().unwrap()).await;
    assert!(made.works(&last).await);
    assert_eq!(made.world.ask("DELETE", &format!("{TRUSTS}/{first}"), &made.token, Value::Null).await.status, 204);
    assert!(!made.works(&last).await);
    assert_eq!(made.world.get(TRUSTS, &made.world.admin).await.body["trusts"], json!([]));
}

#[tokio::test]
async fn who_may_not_impersonate_lets_nobody_impersonate() {
    let made = Made::new().await;
    let first = made.trust(json!({"allow_redelegation": true, "impersonation": false})).await;
    let token = made.token_of(&first).await;
    let differs = json!({"trustor_user_id": made.ann, "trustee_user_id": made.bob});
    let refused = made.ask(&token, differs.clone()).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert!(refused.message().contains("Impersonation"), "{}", refused.message());
    let mut without = differs;
    without["impersonation"] = json!(false);
    let passed = made.ask(&token, without).await;
    assert_eq!(passed.status, 201, "{}", passed.body);
    assert_eq!(passed.body["trust"]["trustor_user_id"], json!(made.ann));
    let bob = made.login("bob", passed.body["trust"]["id"].as_str().unwrap()).await;
    assert_eq!(bob.body["token"]["user"]["name"], "bob", "the roles are those of the first trustor: {}", bob.body);
}

/// OSSA-2014-018, OSSA-2014-022 and their kin: what a delegated token makes must not reach beyond the delegation.
#[tokio::test]
async fn a_trustee_makes_nothing_that_outlives_or_outgrows_the_trust() {
    let made = Made::new().await;
    let world = &made.world;
    let token = made.token_of(&made.trust(json!({})).await).await;
    let ask = async |method: &str, path: String, body: Value| world.ask(method, &path, &token, body).await;

    let another = made.ask(&token, json!({})).await;
    assert_eq!(another.status, 403, "it must not be passed on: {}", another.body);
    let credentials = format!("/v3/users/{}/application_credentials", made.demo);
    let credential = json!({"application_credential": {"name": "backdoor"}});
    assert_eq!(ask("POST", credentials.clone(), credential).await.status, 403);
    let own = json!({"application_credential": {"name": "own"}});
    let own = world.ask("POST", &credentials, &made.token, own).await;
    let id = own.body["application_credential"]["id"].as_str().unwrap();
    assert_eq!(ask("DELETE", format!("{credentials}/{id}"), Value::Null).await.status, 403);
    let change = json!({"user": {"original_password": DEMO_PASSWORD, "password": "mine now"}});
    let answer = ask("POST", format!("/v3/users/{}/password", made.demo), change).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    world.login("demo", DEMO_PASSWORD, Some("demo")).await;
}

#[tokio::test]
async fn an_administrators_trustee_changes_no_password() {
    let made = Made::new().await;
    let world = &made.world;
    let (admin, project) = (world.id("users", "admin").await, world.id("projects", "admin").await);
    let trust = json!({"trustor_user_id": admin, "project_id": project, "roles": [{"name": "admin"}]});
    let trust = made.ask(&world.admin, trust).await;
    assert_eq!(trust.status, 201, "{}", trust.body);
    let token = made.token_of(trust.body["trust"]["id"].as_str().unwrap()).await;
    let path = format!("/v3/users/{}", made.bob);
    let change = world.ask("PATCH", &path, &token, json!({"user": {"password": "x"}})).await;
    assert_eq!(change.status, 403, "{}", change.body);
    let change = world.ask("PATCH", &path, &token, json!({"user": {"description": "x"}})).await;
    assert_eq!(change.status, 200, "what else an administrator does, the trustee does: {}", change.body);
}

#[tokio::test]
async fn a_program_has_nothing_to_do_with_trusts() {
    let made = Made::new().await;
    let world = &made.world;
    let id = made.trust(json!({})).await;
    for unrestricted in [false, true] {
        let credential = json!({"name": format!("program {unrestricted}"), "unrestricted": unrestricted});
        let path = format!("/v3/users/{}/application_credentials", made.demo);
        let credential = world.ask("POST", &path, &made.token, json!({"application_credential": credential})).await;
        let credential = &credential.body["application_credential"];
        let login = |scope: Option<Value>| {
            let own = json!({"id": credential["id"], "secret": credential["secret"]});
            let mut body = json!({"auth": {"identity": {"methods": ["application_credential"], "application_credential": own}}});
            if let Some(scope) = scope {
                body["auth"]["scope"] = scope;
            }
            body
        };
        let token = world.ask("POST", "/v3/auth/tokens", "", login(None)).await.token();
        assert_eq!(made.ask(&token, json!({})).await.status, 403);
        for (method, path) in [
            ("GET", format!("{TRUSTS}/{id}")),
            ("GET", format!("{TRUSTS}/{id}/roles")),
            ("GET", format!("{TRUSTS}?trustor_user_id={}", made.demo)),
            ("DELETE", format!("{TRUSTS}/{id}")),
        ] {
            assert_eq!(world.ask(method, &path, &token, Value::Null).await.status, 403, "{method} {path}");
        }
        let by_trust = login(Some(json!({"OS-TRUST:trust": {"id": id}})));
        assert_eq!(world.ask("POST", "/v3/auth/tokens", "", by_trust).await.status, 401);
    }
}
