// SPDX-License-Identifier: Apache-2.0
//! Tokens of every kind, and what belongs to the ways to them: receipts, federation, OAuth.

use serde_json::{Value, json};

use super::Taken;
use crate::{
    federation::tests::Federated,
    oauth1,
    token::method::totp::tests::shown,
    world::{ADMIN_PASSWORD, Answer, DEMO_PASSWORD, World, password_login, token_login},
};

const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

pub async fn walk(taken: &mut Taken) {
    let mut world = World::with(super::settings()).await;
    // One that an administrator gave expires; the one of the start does not.
    let change = json!({"user": {"password": ADMIN_PASSWORD}});
    world.ask("PATCH", &format!("/v3/users/{}", world.id("users", "admin").await), &world.admin, change).await;
    world.admin = world.login("admin", ADMIN_PASSWORD, Some("admin")).await;
    passwords_and_tokens(taken, &world).await;
    application_credentials(taken, &world).await;
    trusts(taken, &world).await;
    factors(taken, &world).await;
    federation(taken).await;
    consumers(taken).await;
}

async fn log_in(world: &World, body: Value) -> Answer {
    world.ask("POST", "/v3/auth/tokens", "", body).await
}

fn admin(scope: Value) -> Value {
    password_login("admin", ADMIN_PASSWORD, scope)
}

fn in_project(name: &str) -> Value {
    json!({"project": {"name": name, "domain": {"id": "default"}}})
}

async fn passwords_and_tokens(taken: &mut Taken, world: &World) {
    let (user, role) = (world.id("users", "admin").await, world.id("roles", "admin").await);
    world.grant(&format!("domains/default/users/{user}/roles/{role}")).await;
    let (project, domain, system) = (in_project("admin"), json!({"domain": {"id": "default"}}), json!({"system": {"all": true}}));
    let with_token = |scope: &Value| token_login(&world.admin, scope.clone());
    for (sample, body) in [
        ("auth-password-unscoped", admin(json!("unscoped"))),
        ("auth-password-explicit-unscoped", admin(json!("unscoped"))),
        ("auth-password-project-scoped", admin(project.clone())),
        ("auth-token-unscoped", with_token(&json!("unscoped"))),
        ("auth-token-scoped", with_token(&project)),
        ("v3/samples/auth/responses/unscoped-password", admin(json!("unscoped"))),
        ("v3/samples/auth/responses/project-scoped-password", admin(project.clone())),
        ("v3/samples/auth/responses/project-scoped-token", with_token(&project)),
        ("v3/samples/auth/responses/domain-scoped-password", admin(domain.clone())),
        ("v3/samples/auth/responses/domain-scoped-token", with_token(&domain)),
        ("v3/samples/auth/responses/system-scoped-password", admin(system.clone())),
        ("v3/samples/auth/responses/system-scoped-token", with_token(&system)),
    ] {
        let answer = log_in(world, body).await;
        taken.put(sample, answer);
    }
}

async fn application_credentials(taken: &mut Taken, world: &World) {
    let path = format!("/v3/users/{}/application_credentials", world.id("users", "admin").await);
    let body = json!({"application_credential": {"name": "client", "secret": "secret",
        "access_rules": [{"path": "/v2.0/metrics", "method": "GET", "service": "monitoring"}]}});
    let made = world.ask("POST", &path, &world.admin, body).await;
    let id = made.body["application_credential"]["id"].as_str().unwrap();
    let own = json!({"id": id, "secret": "secret"});
    let body = json!({"auth": {"identity": {"methods": ["application_credential"], "application_credential": own}}});
    taken.put("auth-application-credential", log_in(world, body).await);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret=secret");
    let answer = world.ask_raw("POST", "/v3/OS-OAUTH2/token", "", &headers, form).await;
    taken.put("v3-ext/samples/OS-OAUTH2/token-create", answer);
}

/// The administrator trusts `demo`, who trusts him back with what he was given.
async fn trusts(taken: &mut Taken, world: &World) {
    let (admin, demo, project) =
        (world.id("users", "admin").await, world.id("users", "demo").await, world.id("projects", "admin").await);
    let trust = |trustor: &str, trustee: &str| {
        json!({"trust": {"trustor_user_id": trustor, "trustee_user_id": trustee, "project_id": project, "impersonation": true,
            "allow_redelegation": true, "redelegation_count": 2, "roles": [{"name": "member"}]}})
    };
    let first = world.ask("POST", "/v3/OS-TRUST/trusts", &world.admin, trust(&admin, &demo)).await;
    let through = |answer: &Answer| json!({"OS-TRUST:trust": {"id": answer.body["trust"]["id"]}});
    let token = log_in(world, password_login("demo", DEMO_PASSWORD, through(&first))).await;
    let second = json!({"trust": {"trustor_user_id": admin, "trustee_user_id": demo, "project_id": project,
        "impersonation": true, "roles": [{"name": "member"}]}});
    let second = world.ask("POST", "/v3/OS-TRUST/trusts", &token.token(), second).await;
    taken.put("v3-ext/samples/OS-TRUST/trust-auth-trust", token);
    let again = log_in(world, password_login("demo", DEMO_PASSWORD, through(&second))).await;
    taken.put("v3-ext/samples/OS-TRUST/trust-auth-redelegated", again);
}

/// The last of this world: `demo` needs a passcode from now on.
async fn factors(taken: &mut Taken, world: &World) {
    let demo = world.id("users", "demo").await;
    world.create("credentials", "credential", json!({"type": "totp", "blob": SEED, "user_id": demo})).await;
    let rules = json!({"user": {"options": {"multi_factor_auth_rules": [["password", "totp"]]}}});
    world.ask("PATCH", &format!("/v3/users/{demo}"), &world.admin, rules).await;
    let change = json!({"user": {"password": DEMO_PASSWORD}});
    world.ask("PATCH", &format!("/v3/users/{demo}"), &world.admin, change).await;
    let half = log_in(world, password_login("demo", DEMO_PASSWORD, in_project("demo"))).await;
    taken.put("v3/samples/auth/responses/auth-receipt-password", half);
    let mut both = password_login("demo", DEMO_PASSWORD, in_project("demo"));
    both["auth"]["identity"]["methods"] = json!(["password", "totp"]);
    both["auth"]["identity"]["totp"] = json!({"user": {"id": demo, "passcode": shown(SEED, 0)}});
    taken.put("v3/samples/auth/responses/project-scoped-password-totp", log_in(world, both).await);
}

async fn federation(taken: &mut Taken) {
    let federated = Federated::new().await;
    let world = &federated.world;
    let of = |name: &str| format!("v3-ext/federation/{name}");
    let base = "/v3/OS-FEDERATION";
    let unscoped = federated.come("anna", json!({})).await;
    let token = unscoped.token();
    taken.put(&of("auth/samples/unscoped-token"), unscoped);
    let scoped = federated.in_hall(&token).await;
    taken.put(&of("auth/samples/scoped-token"), scoped);

    for (kind, one, at, body, change) in [
        (
            "identity-provider",
            "identity_provider",
            "identity_providers/acme",
            json!({"description": "d", "enabled": true, "remote_ids": ["acme_id_1"], "authorization_ttl": 30}),
            json!({"enabled": false, "remote_ids": ["acme_id_2"], "authorization_ttl": 20}),
        ),
        (
            "service-provider",
            "service_provider",
            "service_providers/acme",
            json!({"auth_url": "https://a.test/v3/x", "sp_url": "https://a.test/sp", "description": "d", "enabled": true}),
            json!({"description": "other"}),
        ),
        ("mapping", "mapping", "mappings/acme", json!({"rules": rules(&federated.group)}), json!({"rules": rules("x")})),
    ] {
        let named = |verb: &str| of(&format!("{kind}/samples/{verb}"));
        let (list, _) = at.split_once('/').unwrap();
        let made = if kind == "mapping" { "create" } else { "register" };
        taken.ask(world, &named(made), &format!("PUT {base}/{at}"), json!({ one: body })).await;
        taken.get(world, &named("get"), &format!("{base}/{at}")).await;
        taken.get(world, &named("list"), &format!("{base}/{list}")).await;
        taken.ask(world, &named("update"), &format!("PATCH {base}/{at}"), json!({ one: change })).await;
    }
    let named = |verb: &str| of(&format!("identity-provider/samples/{verb}"));
    let protocols = format!("{base}/identity_providers/acme/protocols");
    let protocol = json!({"protocol": {"mapping_id": "acme"}});
    taken.ask(world, &named("add-protocol"), &format!("PUT {protocols}/saml2"), protocol.clone()).await;
    taken.get(world, &named("get-protocol"), &format!("{protocols}/saml2")).await;
    taken.get(world, &named("list-protocol"), &protocols).await;
    taken.ask(world, &named("update-protocol"), &format!("PATCH {protocols}/saml2"), protocol).await;
}

fn rules(group: &str) -> Value {
    json!([{"local": [{"user": {"name": "{0}"}}, {"group": {"id": group}}],
        "remote": [{"type": "UserName"}, {"type": "orgPersonType", "not_any_of": ["Contractor"]},
            {"type": "orgPersonType", "any_one_of": ["Staff"]}]}])
}

async fn consumers(taken: &mut Taken) {
    let made = oauth1::tests::Made::new().await;
    let world = &made.world;
    let of = |name: &str| format!("v3-ext/samples/OS-OAUTH1/{name}");
    let base = "/v3/OS-OAUTH1/consumers";
    let body = json!({"consumer": {"description": "another"}});
    let consumer = taken.ask(world, &of("consumer-create"), &format!("POST {base}"), body.clone()).await;
    let id = consumer["consumer"]["id"].as_str().unwrap();
    taken.get(world, &of("consumer-show"), &format!("{base}/{id}")).await;
    taken.get(world, &of("consumers-list"), base).await;
    taken.ask(world, &of("consumer-update"), &format!("PATCH {base}/{id}"), body).await;

    let roles = json!([{"id": world.id("roles", "admin").await}]);
    let request = made.request_token().await;
    let authorized = made.authorize(&request, &world.admin, roles.clone()).await;
    taken.put(&of("authorize-request-token"), authorized);
    let path = made.path(&made.access_token(roles).await);
    taken.get(world, &of("access-token-show"), &path).await;
    let (list, _) = path.rsplit_once('/').unwrap();
    taken.get(world, &of("access-tokens-list"), list).await;
    let roles = taken.get(world, &of("access-token-roles-list"), &format!("{path}/roles")).await;
    let role = roles["roles"][0]["id"].as_str().unwrap();
    taken.get(world, &of("access-token-role-show"), &format!("{path}/roles/{role}")).await;
}
