// SPDX-License-Identifier: Apache-2.0
//! `/v3/auth`

use std::{collections::HashMap, sync::Arc};

use access::{Policy, Target};
use api::{Access, Cx, Fault, Reply, Response, Routes, json, no_content, respond};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;
use types::GroupId;

use super::{
    Through, ValidToken,
    cache::Shown,
    issue::LoggedIn,
    login::{Asking, LoginRequest},
    view::view,
};
use crate::{
    Identity,
    assignment::{Place, effective},
    catalog::{self, Catalog},
    error::Error,
    federation::service_provider::Advertised,
    reply,
};

static CHECK: Policy = Policy::new(
    "identity:check_token",
    "rule:admin_required or (role:reader and system_scope:all) or rule:token_subject",
    "Check that a token is valid",
)
.also_for_domains();
static VALIDATE: Policy = Policy::new(
    "identity:validate_token",
    "rule:admin_required or (role:reader and system_scope:all) or rule:service_role or rule:token_subject",
    "Show what a token means",
)
.also_for_domains();
static REVOKE: Policy =
    Policy::new("identity:revoke_token", "rule:admin_required or rule:token_subject", "Revoke a token").also_for_domains();
static CATALOG: Policy = Policy::new("identity:get_auth_catalog", "", "Show the catalog of the token").also_for_domains();
static PROJECTS: Policy = Policy::new("identity:get_auth_projects", "", "List the projects one can log in to").also_for_domains();
static DOMAINS: Policy = Policy::new("identity:get_auth_domains", "", "List the domains one can log in to").also_for_domains();
static SYSTEM: Policy =
    Policy::new("identity:get_auth_system", "", "Show whether one can log in to the system").also_for_domains();

pub const SUBJECT: &str = "x-subject-token";
const RULES_KEPT: &str = "openstack-identity-access-rules";

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .post("/v3/auth/tokens", Access::Public, issue)
        // Whose the token is decides, so these ask about the token that they are shown.
        .get("/v3/auth/tokens", Access::Asks(&VALIDATE), validate)
        .head("/v3/auth/tokens", Access::Asks(&CHECK), validate)
        .delete("/v3/auth/tokens", Access::Asks(&REVOKE), revoke)
        .get("/v3/auth/catalog", &CATALOG, show_catalog)
        .get("/v3/auth/projects", &PROJECTS, list_projects)
        .get("/v3/auth/domains", &DOMAINS, list_domains)
        // The same under the names that they had when only federated users asked.
        .get("/v3/OS-FEDERATION/projects", &PROJECTS, list_projects)
        .get("/v3/OS-FEDERATION/domains", &DOMAINS, list_domains)
        .get("/v3/auth/system", &SYSTEM, show_system)
}

async fn issue(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let request: LoginRequest = cx.document("auth").await?;
    match room.log_in(request, &Asking::of(&cx)).await? {
        LoggedIn::Issued(issued) => answer(&room, &cx, StatusCode::CREATED, &issued.token, &issued.valid).await,
        LoggedIn::Halfway(receipt) => receipt.answer(),
    }
}

async fn validate(room: Arc<Identity>, cx: Cx) -> Reply {
    let policy = if cx.method == Method::HEAD { &CHECK } else { &VALIDATE };
    let (token, valid) = subject(&room, &cx, policy).await?;
    // Who does not say that he keeps to access rules would take the token to be good for everything.
    let keeps_rules = cx.header(RULES_KEPT).and_then(|version| version.parse::<f32>().ok()).is_some_and(|it| it >= 1.0);
    if valid.caller.access_rules.is_some() && !keeps_rules {
        return Err(Fault::not_found(
            "The token is confined by access rules, and the request does not say by OpenStack-Identity-Access-Rules: 1.0 \
             that it keeps to them.",
        ));
    }
    show(&room, &cx, &token, &valid).await
}

async fn revoke(room: Arc<Identity>, cx: Cx) -> Reply {
    let (_, valid) = subject(&room, &cx, &REVOKE).await?;
    room.revoke(cx.actor(), &valid.payload).await?;
    no_content()
}

async fn show_catalog(room: Arc<Identity>, cx: Cx) -> Reply {
    let caller = cx.caller()?;
    let project = caller
        .project_id()
        .ok_or_else(|| Fault::forbidden("A project-scoped token is required to produce a service catalog."))?;
    let catalog = room.catalog().await?;
    let services = catalog::for_caller(&catalog, caller, project.as_str());
    let links = json!({"self": cx.own_url(), "previous": null, "next": null});
    json(StatusCode::OK, &json!({"catalog": services, "links": links}))
}

async fn list_projects(room: Arc<Identity>, cx: Cx) -> Reply {
    let user = cx.caller()?.user.id.clone();
    let groups = groups_said(&room, &cx).await?;
    let projects = room.list(move |tx| effective::projects_through(tx, &user, &groups)).await?;
    reply::list(&cx, &projects)
}

async fn list_domains(room: Arc<Identity>, cx: Cx) -> Reply {
    let user = cx.caller()?.user.id.clone();
    let groups = groups_said(&room, &cx).await?;
    let domains = room.list(move |tx| effective::domains_through(tx, &user, &groups)).await?;
    reply::list(&cx, &domains)
}

async fn show_system(room: Arc<Identity>, cx: Cx) -> Reply {
    let user = cx.caller()?.user.id.clone();
    let roles = room.read(move |tx| effective::roles_of(tx, &user, &Place::System)).await?;
    let system = if roles.is_empty() { vec![] } else { vec![json!({"all": true})] };
    json(StatusCode::OK, &json!({"system": system, "links": {"self": cx.own_url()}}))
}

/// The token that the request is about, after the policy admitted the caller to it. One that is not valid is not
/// found, whoever asks: that says nothing about anybody.
async fn subject(room: &Identity, cx: &Cx, policy: &'static Policy) -> Result<(String, Arc<ValidToken>), Fault> {
    let Some(token) = cx.header(SUBJECT).map(str::to_owned) else {
        cx.check(policy, &Target::new())?;
        return Err(Error::NoSuchToken.into());
    };
    let valid = room.shown_token(&token).await?;
    cx.check(policy, &Target::new().with("target.token.user_id", valid.caller.user.id.as_str()))?;
    Ok((token, valid))
}

/// The groups in which the caller is by the token's word alone.
async fn groups_said(room: &Identity, cx: &Cx) -> Result<Vec<GroupId>, Fault> {
    let valid = room.check_token(cx.header("x-auth-token").unwrap_or_default()).await?;
    Ok(match &valid.through {
        Some(Through::Federated(said)) => said.groups.clone(),
        _ => vec![],
    })
}

/// The same answer as long as nothing changes: it is written once.
async fn show(room: &Identity, cx: &Cx, token: &str, valid: &Arc<ValidToken>) -> Reply {
    if !wants_catalog(cx) {
        return answer(room, cx, StatusCode::OK, token, valid).await;
    }
    let (catalog, service_providers) = (room.catalog().await?, room.advertised().await?);
    if let Some(document) = room.tokens.answer(token, valid, &catalog, &service_providers) {
        return with_token(respond(StatusCode::OK, "application/json", document), token);
    }
    let document = Bytes::from(document(valid, Some(&catalog), &service_providers)?);
    let shown = Shown { valid: valid.clone(), catalog, service_providers, document: document.clone() };
    room.tokens.keep_answer(token, shown);
    with_token(respond(StatusCode::OK, "application/json", document), token)
}

/// A token's view, and the token itself in its header.
pub async fn answer(room: &Identity, cx: &Cx, status: StatusCode, token: &str, valid: &ValidToken) -> Reply {
    let catalog = if wants_catalog(cx) { Some(room.catalog().await?) } else { None };
    let document = document(valid, catalog.as_deref(), &room.advertised().await?)?;
    with_token(respond(status, "application/json", document), token)
}

fn wants_catalog(cx: &Cx) -> bool {
    cx.query().get("nocatalog").is_none()
}

fn document(valid: &ValidToken, catalog: Option<&Catalog>, service_providers: &[Advertised]) -> Result<Vec<u8>, Fault> {
    let project = valid.caller.project_id().map_or("", |project| project.as_str());
    let services = catalog.map(|catalog| catalog::for_caller(catalog, &valid.caller, project));
    let document = HashMap::from([("token", view(valid, services.as_deref(), service_providers))]);
    serde_json::to_vec(&document).map_err(Fault::internal)
}

fn with_token(mut response: Response, token: &str) -> Reply {
    let value = HeaderValue::from_str(token).map_err(Fault::internal)?;
    response.headers_mut().insert(SUBJECT, value);
    Ok(response)
}
