// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]
//! A cloud and a real provider of OpenID Connect beside it.

mod browser;
mod links;
mod login;
mod resources;
mod rights;

use oidc::{AccessTokens, CLIENT, Person, Provider, SECRET};
use serde_json::{Value, json};
use types::Secret;

use crate::{
    FederationSettings, OidcSettings,
    world::{Answer, World},
};

pub const DASHBOARD: &str = "https://cloud.test/dashboard/auth/websso/?a=1&b=\"2\"";
const AUTH: &str = "/v3/OS-FEDERATION/identity_providers/museum/protocols/openid/auth";

/// A cloud that takes the museum's word: its people are of the domain `museum`, and those who are `staff` there are in
/// the group `visitors`, which is a reader of the project `hall`.
pub struct Federated {
    pub world: World,
    pub provider: Provider,
    pub domain: String,
    pub group: String,
    pub project: String,
}

pub fn anna_and_ben() -> Vec<Person> {
    let person = |name, claims| Person { name, password: "pw", claims };
    vec![
        person("anna", json!({"preferred_username": "Anna", "email": "anna@museum.test", "groups": ["staff", "night-shift"]})),
        person("ben", json!({"preferred_username": "Ben", "groups": ["guests"]})),
    ]
}

pub fn usual_rules(group: &str) -> Value {
    json!([
        {"local": [{"user": {"id": "{0}", "name": "{1}"}}], "remote": [{"type": "sub"}, {"type": "OIDC-preferred_username"}]},
        {"local": [{"group": {"id": group}}], "remote": [{"type": "HTTP_OIDC_GROUPS", "any_one_of": ["staff"]}]},
    ])
}

impl Federated {
    pub async fn new() -> Self {
        Self::with(AccessTokens::Signed, 0).await
    }

    pub async fn with(access_tokens: AccessTokens, minutes: u32) -> Self {
        let world = World::new().await;
        let provider = Provider::start(anna_and_ben(), access_tokens);
        let domain = world.create("domains", "domain", json!({"name": "museum"})).await;
        let group = world.create("groups", "group", json!({"name": "visitors", "domain_id": domain})).await;
        let project = world.create("projects", "project", json!({"name": "hall"})).await;
        let reader = world.id("roles", "reader").await;
        world.grant(&format!("projects/{project}/groups/{group}/roles/{reader}")).await;
        let settings = FederationSettings {
            public_url: "http://cloud:80".into(),
            trusted_dashboards: vec![DASHBOARD.into()],
            remote_id_attribute: None,
            authorization_minutes: minutes,
            oidc: vec![OidcSettings {
                identity_provider: "museum".into(),
                protocol: "openid".into(),
                issuer: provider.issuer().into(),
                client_id: CLIENT.into(),
                client_secret: Some(Secret::new(SECRET.into())),
                scopes: vec!["openid".into(), "profile".into()],
                audiences: vec![],
                authorities: None,
            }],
        };
        world.room.federate(settings).unwrap();
        let federated = Self { world, provider, domain, group, project };
        let remote_ids = [federated.provider.issuer()];
        let idp = json!({"domain_id": federated.domain, "enabled": true, "remote_ids": remote_ids});
        federated.put("identity_providers/museum", json!({"identity_provider": idp})).await;
        federated.put("mappings/people", json!({"mapping": {"rules": usual_rules(&federated.group)}})).await;
        federated.put("identity_providers/museum/protocols/openid", json!({"protocol": {"mapping_id": "people"}})).await;
        federated
    }

    pub async fn put(&self, path: &str, body: Value) {
        let answer = self.world.ask("PUT", &format!("/v3/OS-FEDERATION/{path}"), &self.world.admin, body).await;
        assert_eq!(answer.status, 201, "{path}: {}", answer.body);
    }

    pub async fn patch(&self, path: &str, body: Value) {
        let answer = self.world.ask("PATCH", &format!("/v3/OS-FEDERATION/{path}"), &self.world.admin, body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }

    pub async fn map(&self, rules: Value) {
        self.patch("mappings/people", json!({"mapping": {"rules": rules}})).await;
    }

    /// Comes with a token of the provider.
    pub async fn bring(&self, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        self.world.ask_with("POST", AUTH, "", &[("authorization", &bearer)], Value::Null).await
    }

    /// Comes with claims that the provider signed.
    pub async fn come(&self, name: &str, more: Value) -> Answer {
        let mut claims = self.provider.claims_of(name);
        claims.extend(more.as_object().unwrap().clone());
        self.bring(&self.provider.sign(&Value::Object(claims))).await
    }

    /// An unscoped token of somebody.
    pub async fn log_in(&self, name: &str) -> String {
        let answer = self.come(name, json!({})).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.token()
    }

    pub async fn rescope(&self, token: &str, scope: Value) -> Answer {
        self.world.ask("POST", "/v3/auth/tokens", "", crate::world::token_login(token, scope)).await
    }

    pub async fn in_hall(&self, token: &str) -> Answer {
        self.rescope(token, json!({"project": {"id": self.project}})).await
    }

    pub async fn show(&self, token: &str) -> Answer {
        self.world.ask_with("GET", "/v3/auth/tokens", &self.world.admin, &[("x-subject-token", token)], Value::Null).await
    }
}
