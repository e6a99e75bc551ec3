// SPDX-License-Identifier: Apache-2.0
//! A token as Keystone shows it.

use contracts::caller::{DomainFacts, RoleFacts, TokenScope};
use serde::Serialize;
use serde_json::{Map, Value, json};
use types::Timestamp;

use super::{ConsumerFacts, CredentialFacts, Through, TrustFacts, ValidToken};
use crate::{access_rule, catalog::ServiceView, federation::service_provider::Advertised};

#[derive(Serialize)]
pub struct TokenView<'a> {
    methods: &'a [String],
    user: Value,
    audit_ids: &'a [String],
    expires_at: String,
    issued_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_domain: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog: Option<&'a [ServiceView]>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    service_providers: &'a [Advertised],
    /// `application_credential`, `OS-TRUST:trust` and the like: through what the token has its rights.
    #[serde(flatten)]
    through: Map<String, Value>,
}

/// An unscoped token has no catalog and no roles.
pub fn view<'a>(valid: &'a ValidToken, catalog: Option<&'a [ServiceView]>, service_providers: &'a [Advertised]) -> TokenView<'a> {
    let caller = &valid.caller;
    let is_scoped = caller.scope != TokenScope::Unscoped;
    TokenView {
        methods: &caller.token.methods,
        user: user(valid),
        audit_ids: &caller.token.audit_ids,
        expires_at: caller.token.expires_at.zulu_micros(),
        issued_at: caller.token.issued_at.zulu_micros(),
        project: match &caller.scope {
            TokenScope::Project(project) => {
                Some(json!({"domain": named(&project.domain), "id": project.id, "name": project.name}))
            }
            _ => None,
        },
        domain: match &caller.scope {
            TokenScope::Domain(domain) => Some(named(domain)),
            _ => None,
        },
        system: (caller.scope == TokenScope::System).then(|| json!({"all": true})),
        // Keystone does not say so of a trust's project.
        is_domain: matches!((&caller.scope, &valid.through), (TokenScope::Project(_), through) if !is_trust(through))
            .then_some(false),
        roles: is_scoped.then(|| caller.roles.iter().map(role).collect()),
        catalog: catalog.filter(|_| is_scoped),
        service_providers,
        through: through(valid),
    }
}

/// What the token's view says of it beside its scope.
fn through(valid: &ValidToken) -> Map<String, Value> {
    let Some(through) = &valid.through else { return Map::new() };
    let (key, view) = match through {
        Through::ApplicationCredential(credential) => {
            let CredentialFacts { id, name, unrestricted } = credential;
            let mut view = json!({"id": id, "name": name, "restricted": !unrestricted});
            if let Some(rules) = &valid.caller.access_rules {
                view["access_rules"] = json!(rules.iter().map(access_rule::view).collect::<Vec<_>>());
            }
            ("application_credential", view)
        }
        Through::Trust(trust) => {
            let TrustFacts { id, impersonation, trustor, trustee } = trust;
            let (trustor, trustee) = (json!({"id": trustor}), json!({"id": trustee}));
            let view = json!({"id": id, "trustor_user": trustor, "trustee_user": trustee, "impersonation": impersonation});
            ("OS-TRUST:trust", view)
        }
        Through::OAuth1(consumer) => {
            let ConsumerFacts { access_token_id, consumer_id } = consumer;
            ("OS-OAUTH1", json!({"access_token_id": access_token_id, "consumer_id": consumer_id}))
        }
        // It stands with the user.
        Through::Federated(_) => return Map::new(),
    };
    Map::from_iter([(key.to_owned(), view)])
}

fn is_trust(through: &Option<Through>) -> bool {
    matches!(through, Some(Through::Trust(_)))
}

fn user(valid: &ValidToken) -> Value {
    let user = &valid.caller.user;
    let mut view = json!({"domain": named(&user.domain), "id": user.id, "name": user.name});
    match &valid.through {
        Some(Through::Federated(said)) => {
            let groups: Vec<_> = said.groups.iter().map(|id| json!({"id": id})).collect();
            view["OS-FEDERATION"] =
                json!({"groups": groups, "identity_provider": {"id": said.identity_provider}, "protocol": {"id": said.protocol}});
        }
        _ => view["password_expires_at"] = json!(valid.password_expires_at.map(Timestamp::naive_micros)),
    }
    view
}

fn named(domain: &DomainFacts) -> Value {
    json!({"id": domain.id, "name": domain.name})
}

fn role(role: &RoleFacts) -> Value {
    json!({"id": role.id, "name": role.name})
}
