// SPDX-License-Identifier: Apache-2.0
//! This cloud as a SAML identity provider for others: not configured, and answered as Keystone does then.

use std::sync::Arc;

use access::payload::PayloadScope;
use api::{Access, Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde::Deserialize;
use types::Secret;

use super::service_provider::table as service_providers;
use crate::{Identity, error::Error};

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/OS-FEDERATION/saml2/metadata", Access::Public, metadata)
        .post("/v3/auth/OS-FEDERATION/saml2", Access::Public, assertion)
        .post("/v3/auth/OS-FEDERATION/saml2/ecp", Access::Public, assertion)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    identity: Identified,
    scope: Scoped,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Identified {
    token: Token,
    #[serde(default, rename = "methods")]
    _methods: Vec<String>,
}

#[derive(Deserialize)]
struct Token {
    id: Secret<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scoped {
    service_provider: Named,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

async fn metadata(_: Arc<Identity>, _: Cx) -> Reply {
    Err(not_configured("Error while reading metadata file: this cloud has no SAML metadata."))
}

/// What is asked is judged in full before the answer that there is nothing to sign with.
async fn assertion(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let request: Request = cx.document("auth").await?;
    let id = request.scope.service_provider.id;
    let wanted = id.clone();
    let provider = room.read(move |tx| service_providers::find(tx, &wanted)).await?;
    let provider = provider.ok_or_else(|| Error::not_found("service provider", &id))?;
    if !provider.enabled {
        return Err(Fault::forbidden(format!("Service Provider {id} is disabled")));
    }
    let valid = room.shown_token(request.identity.token.id.reveal()).await?;
    if !matches!(valid.payload.scope, PayloadScope::Project(_) | PayloadScope::FederatedProject { .. }) {
        return Err(Fault::forbidden("Use a project scoped token when attempting to create a SAML assertion"));
    }
    Err(not_configured("Unable to sign SAML assertion: this cloud has no SAML certificate."))
}

/// Keystone's status where the operator has set nothing up.
fn not_configured(message: &str) -> Fault {
    Fault::new(StatusCode::INTERNAL_SERVER_ERROR, message)
}
