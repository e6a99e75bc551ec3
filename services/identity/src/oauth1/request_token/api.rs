// SPDX-License-Identifier: Apache-2.0
//! `/v3/OS-OAUTH1/request_token` and `/v3/OS-OAUTH1/authorize`

use std::sync::Arc;

use access::Policy;
use api::{Access, Cx, Fault, Reply, Routes, json, respond};
use evidence::signature::oauth1::SignedRequest;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use types::{ProjectId, RoleId, Secret, Timestamp};

use super::{Authorization, RequestToken, table};
use crate::{
    Identity,
    assignment::{Place, effective},
    delegation::Delegation,
    error::{Error, Result},
    oauth1::{REQUEST_TOKEN_LIFETIME, consumer, form, new_word, nonce},
    role,
    token::login::Asking,
};

static AUTHORIZE: Policy =
    Policy::new("identity:authorize_request_token", "rule:admin_required", "Grant an OAuth request token").only_for_projects();

/// No letters that look like others would be kinder, but these are Keystone's.
const VERIFIER_LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const VERIFIER_LENGTH: usize = 8;

pub fn routes() -> Routes<Identity> {
    Routes::new()
        // The consumer's signature is asked for, not a token.
        .post("/v3/OS-OAUTH1/request_token", Access::Public, create)
        .put("/v3/OS-OAUTH1/authorize/{request_token_id}", &AUTHORIZE, authorize)
}

#[derive(Deserialize)]
struct Grant {
    roles: Vec<GrantedRole>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct GrantedRole {
    id: Option<RoleId>,
    name: Option<String>,
}

async fn create(room: Arc<Identity>, cx: Cx) -> Reply {
    let request = SignedRequest::read(Asking::of(&cx).signed()).map_err(Error::from)?;
    let project = cx.header("requested-project-id").filter(|id| !id.is_empty());
    let project = project.ok_or_else(|| Fault::bad_request("The header 'Requested-Project-Id' is missing."))?;
    let token = RequestToken {
        id: new_word(),
        consumer_id: request.consumer.clone(),
        project_id: ProjectId::from(project),
        secret: Secret::new(new_word()),
        expires_at: Timestamp::now().plus(REQUEST_TOKEN_LIFETIME),
        authorized: None,
    };
    let (ring, consumer) = (room.credential_ring(), request.consumer.clone());
    let secret = room.read(move |tx| consumer::table::secret(tx, &ring, &consumer)).await?;
    let secret = secret.ok_or_else(|| Error::not_found("consumer", request.consumer.as_str()))?;
    request.verify(&secret, None).map_err(Error::from)?;
    let answer = form(&token.id, &token.secret, token.expires_at);
    let (ring, actor) = (room.credential_ring(), cx.actor());
    room.store
        .write(move |tx| {
            nonce::accept_once(tx, &request)?;
            table::create(tx, &ring, &actor, &token)
        })
        .await?;
    Ok(respond(StatusCode::CREATED, "application/x-www-form-urlencoded", answer))
}

async fn authorize(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let grant: Grant = cx.json().await?;
    if Delegation::of_request(&room, &cx).await?.is_some() {
        return Err(Fault::forbidden("Cannot authorize a request token with a token issued via delegation."));
    }
    let (ring, allowed, actor) = (room.credential_ring(), cx.allowed()?.clone(), cx.actor());
    let (user_id, id) = (cx.caller()?.user.id.clone(), cx.param("request_token_id").to_owned());
    let verifier = Secret::new(new_verifier()?);
    let answer = json!({"token": {"oauth_verifier": verifier.reveal()}});
    room.store
        .write(move |tx| {
            let token = table::find(tx, &ring, &id)?.ok_or_else(|| Error::not_found("request token", id.as_str()))?;
            let mut role_ids = vec![];
            for granted in &grant.roles {
                let role = named(tx, granted)?;
                if !role_ids.contains(&role) {
                    role_ids.push(role);
                }
            }
            let held = effective::roles_of(tx, &user_id, &Place::Project(token.project_id))?;
            if !role_ids.iter().all(|role| held.iter().any(|held| held.id == *role)) {
                return Err(Error::Unauthorized);
            }
            let granted = Authorization { user_id: user_id.clone(), role_ids, verifier: verifier.clone() };
            table::authorize(tx, &ring, &allowed, &actor, &id, &granted)
        })
        .await?;
    json(StatusCode::OK, &answer)
}

fn named(tx: &mut ::store::Tx, granted: &GrantedRole) -> Result<RoleId> {
    match (&granted.id, &granted.name) {
        (Some(id), None) => Ok(id.clone()),
        (None, Some(name)) => {
            let role = role::table::named(tx, name)?.ok_or_else(|| Error::not_found("role", name.as_str()))?;
            Ok(role.id)
        }
        _ => Err(Error::Invalid("Invalid input for field 'roles': each is named by its id or by its name.".into())),
    }
}

fn new_verifier() -> Result<String, Fault> {
    let mut verifier = String::with_capacity(VERIFIER_LENGTH);
    while verifier.len() < VERIFIER_LENGTH {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(Fault::internal)?;
        // The numbers above are left out, lest some letters come more often than others.
        let letters = bytes.iter().filter_map(|byte| VERIFIER_LETTERS.get(usize::from(byte & 63)));
        verifier.extend(letters.map(|letter| char::from(*letter)).take(VERIFIER_LENGTH - verifier.len()));
    }
    Ok(verifier)
}
