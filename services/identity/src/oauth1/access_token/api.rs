// SPDX-License-Identifier: Apache-2.0
//! `/v3/OS-OAUTH1/access_token` for consumers, `/v3/users/{user_id}/OS-OAUTH1/access_tokens` for those who look after users.

use std::sync::Arc;

use access::Policy;
use api::{Access, Cx, Fault, Reply, Routes, json, no_content, respond};
use evidence::signature::oauth1::SignedRequest;
use http::StatusCode;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use types::{RoleId, Secret, Timestamp, UserId};

use super::{AccessToken, table};
use crate::{
    Identity,
    delegation::Delegation,
    error::{Error, Result},
    oauth1::{ACCESS_TOKEN_LIFETIME, consumer, form, new_word, nonce, request_token},
    power::Wielder,
    reply,
    role::{Role, table as roles},
    token::login::Asking,
};

static LIST: Policy =
    Policy::new("identity:list_access_tokens", "rule:admin_required", "List a user's OAuth access tokens").only_for_projects();
static GET: Policy =
    Policy::new("identity:get_access_token", "rule:admin_required", "Show an OAuth access token").only_for_projects();
static DELETE: Policy =
    Policy::new("identity:delete_access_token", "rule:admin_required", "Take an OAuth access token back").only_for_projects();
static LIST_ROLES: Policy =
    Policy::new("identity:list_access_token_roles", "rule:admin_required", "List the roles of an access token")
        .only_for_projects();
static GET_ROLE: Policy =
    Policy::new("identity:get_access_token_role", "rule:admin_required", "Show a role of an access token").only_for_projects();

pub fn routes() -> Routes<Identity> {
    Routes::new()
        // The consumer's signature is asked for, not a token.
        .post("/v3/OS-OAUTH1/access_token", Access::Public, create)
        .get("/v3/users/{user_id}/OS-OAUTH1/access_tokens", &LIST, list)
        .get("/v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}", &GET, show)
        .delete("/v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}", &DELETE, delete)
        .get("/v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}/roles", &LIST_ROLES, list_roles)
        .get("/v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}/roles/{role_id}", &GET_ROLE, show_role)
}

async fn create(room: Arc<Identity>, cx: Cx) -> Reply {
    let request = SignedRequest::read(Asking::of(&cx).signed()).map_err(Error::from)?;
    let asked = request.token().map_err(Error::from)?.to_owned();
    let (consumer, verifier) = (request.consumer.clone(), request.verifier().map_err(Error::from)?.to_owned());
    let (ring, id) = (room.credential_ring(), asked.clone());
    let (secret, of_token) = room
        .read(move |tx| {
            let of_token = request_token::table::find(tx, &ring, &id)?;
            let of_token = of_token.ok_or_else(|| Error::not_found("request token", id.as_str()))?;
            let is_his = of_token.consumer_id == consumer;
            Ok::<_, Error>((consumer::table::secret(tx, &ring, &consumer)?, is_his.then_some(of_token)))
        })
        .await?;
    let (secret, of_token) = secret.zip(of_token).ok_or(Error::Unauthorized)?;
    request.verify(&secret, Some(&of_token.secret)).map_err(Error::from)?;

    let (id, secret) = (new_word(), Secret::new(new_word()));
    let expires_at = Timestamp::now().plus(ACCESS_TOKEN_LIFETIME);
    let answer = form(&id, &secret, expires_at);
    let (ring, actor) = (room.credential_ring(), cx.actor());
    room.store
        .write(move |tx| {
            nonce::accept_once(tx, &request)?;
            // Read again: it is used once, and by one of two who ask at the same time.
            let used = request_token::table::find(tx, &ring, &asked)?.filter(|token| !token.is_expired());
            let used = used.ok_or(Error::Unauthorized)?;
            let granted = used.authorized.as_ref().ok_or(Error::Unauthorized)?;
            if !bool::from(granted.verifier.reveal().as_bytes().ct_eq(verifier.as_bytes())) {
                return Err(Error::Unauthorized);
            }
            let token = AccessToken {
                id: id.clone(),
                consumer_id: used.consumer_id.clone(),
                project_id: used.project_id.clone(),
                user_id: granted.user_id.clone(),
                secret: secret.clone(),
                role_ids: granted.role_ids.clone(),
                expires_at,
            };
            request_token::table::delete(tx, &actor, &used)?;
            table::create(tx, &ring, &actor, &token)
        })
        .await?;
    Ok(respond(StatusCode::CREATED, "application/x-www-form-urlencoded", answer))
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    refuse_delegated(&room, &cx).await?;
    let (ring, allowed, user) = (room.credential_ring(), cx.allowed()?.clone(), user_id(&cx));
    let tokens = room.list(move |tx| table::list(tx, &ring, &allowed, &user)).await?;
    let views: Vec<Value> = tokens.iter().map(|token| view(&cx, token)).collect();
    reply::collection(&cx, "access_tokens", &views)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    refuse_delegated(&room, &cx).await?;
    let token = named(&room, &cx).await?;
    json(StatusCode::OK, &json!({"access_token": view(&cx, &token)}))
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    refuse_delegated(&room, &cx).await?;
    let (ring, allowed, actor, user) = (room.credential_ring(), cx.allowed()?.clone(), cx.actor(), user_id(&cx));
    let id = cx.param("access_token_id").to_owned();
    let wielder = Wielder::of(&room, &cx).await?;
    room.change(move |tx| {
        let over = wielder.over_keys_of(tx, &user)?;
        table::delete(tx, &ring, &allowed, &over, &actor, &id)
    })
    .await?;
    no_content()
}

async fn list_roles(room: Arc<Identity>, cx: Cx) -> Reply {
    let token = named(&room, &cx).await?;
    let all = room.list(roles::AllRoles::load).await?;
    let views: Vec<Value> = token.role_ids.iter().filter_map(|id| all.by_id.get(id)).map(|role| role_view(&cx, role)).collect();
    reply::collection(&cx, "roles", &views)
}

async fn show_role(room: Arc<Identity>, cx: Cx) -> Reply {
    let token = named(&room, &cx).await?;
    let id = RoleId::from(cx.param("role_id"));
    if !token.role_ids.contains(&id) {
        return Err(Error::not_found("role", id.as_str()).into());
    }
    let role = room.read(move |tx| roles::get(tx, &id)).await?;
    json(StatusCode::OK, &json!({"role": role_view(&cx, &role)}))
}

async fn named(room: &Identity, cx: &Cx) -> Result<AccessToken, Fault> {
    let (ring, allowed, user) = (room.credential_ring(), cx.allowed()?.clone(), user_id(cx));
    let id = cx.param("access_token_id").to_owned();
    Ok(room.read(move |tx| table::get(tx, &ring, &allowed, &user, &id)).await?)
}

/// Who has a part of somebody's rights does not look after the other parts.
async fn refuse_delegated(room: &Identity, cx: &Cx) -> Result<(), Fault> {
    match Delegation::of_request(room, cx).await? {
        Some(_) => Err(Fault::forbidden("Cannot manage OAuth access tokens with a token issued via delegation.")),
        None => Ok(()),
    }
}

fn view(cx: &Cx, token: &AccessToken) -> Value {
    let own = cx.url(&format!("/v3/users/{}/OS-OAUTH1/access_tokens/{}", token.user_id, token.id));
    json!({
        "id": token.id,
        "consumer_id": token.consumer_id,
        "project_id": token.project_id,
        "authorizing_user_id": token.user_id,
        "expires_at": token.expires_at.zulu_micros(),
        "links": {"roles": format!("{own}/roles"), "self": own},
    })
}

fn role_view(cx: &Cx, role: &Role) -> Value {
    let own = cx.url(&format!("/v3/roles/{}", role.id));
    json!({"id": role.id, "name": role.name, "domain_id": role.domain_id, "options": role.options, "links": {"self": own}})
}

fn user_id(cx: &Cx) -> UserId {
    UserId::from(cx.param("user_id"))
}
