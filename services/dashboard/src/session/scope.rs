// SPDX-License-Identifier: Apache-2.0
//! A session for another project, domain or the whole cloud, by the token that it has.

use api::{Fault, RequestBody};
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    TOKENS,
    begin::{begun, told},
    end::revoke,
};
use crate::{
    Dashboard,
    ask::{self, Question, whole},
    cookie, elsewhere,
    reply::Answer,
};

const LONGEST: usize = 4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    project_id: Option<String>,
    domain_id: Option<String>,
    system: Option<String>,
}

pub(super) async fn switch(dashboard: &Dashboard, parts: &Parts, body: RequestBody) -> Answer {
    elsewhere::refuse_all_but_our_scripts(parts)?;
    let held = cookie::held(dashboard, &parts.headers)?;
    let bytes = ask::body(dashboard, body, LONGEST).await?;
    let wanted: Wanted = serde_json::from_slice(&bytes)
        .map_err(|error| Fault::bad_request(format!("The body names project_id, domain_id or system: {error}")))?;
    let scope = match wanted {
        Wanted { project_id: Some(id), domain_id: None, system: None } => json!({"project": {"id": id}}),
        Wanted { project_id: None, domain_id: Some(id), system: None } => json!({"domain": {"id": id}}),
        Wanted { project_id: None, domain_id: None, system: Some(all) } if all == "all" => json!({"system": {"all": true}}),
        _ => return Err(Fault::bad_request("The body names one of project_id, domain_id, and system as \"all\".")),
    };
    let mut question = Question::new(parts, Method::POST, TOKENS);
    question.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let response = question.ask(dashboard, whole(by_token(held.first, &scope).to_string().into())).await?;
    let is_switched = response.status() == StatusCode::CREATED;
    let answer = begun(dashboard, response, Some(held.first))?;
    // Other pages hear that theirs is over, and look at what the session is now. The first token cannot go before the session.
    if is_switched && held.token != held.first {
        revoke(dashboard, parts, held.token).await;
    }
    Ok(answer)
}

/// A token for the first project that somebody has, if he has one, for those who cannot be asked.
pub(super) async fn first_project(dashboard: &Dashboard, parts: &Parts, token: &str) -> Result<Option<String>, Fault> {
    let said = Question::new(parts, Method::GET, "/identity/v3/auth/projects").with_token(token).say(dashboard, None).await?;
    let found: Value = serde_json::from_slice(&said.body).unwrap_or_default();
    let Some(id) = found["projects"][0]["id"].as_str() else { return Ok(None) };
    let asked = by_token(token, &json!({"project": {"id": id}}));
    let said = Question::new(parts, Method::POST, TOKENS).say(dashboard, Some(&asked)).await?;
    match said.headers.get(super::begin::SUBJECT).and_then(|token| token.to_str().ok()) {
        Some(token) if said.status == StatusCode::CREATED => Ok(Some(token.to_owned())),
        _ => Err(told(&said)),
    }
}

fn by_token(token: &str, scope: &Value) -> Value {
    json!({"auth": {"identity": {"methods": ["token"], "token": {"id": token}}, "scope": scope}})
}
