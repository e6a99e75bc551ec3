// SPDX-License-Identifier: Apache-2.0
//! Signing in and out by forms, where no script runs.

use std::collections::HashMap;

use api::{Fault, RequestBody};
use http::{Method, StatusCode, header, request::Parts};
use serde_json::{Value, json};

use super::{
    TOKENS,
    begin::{SUBJECT, told},
    end,
    scope::first_project,
};
use crate::{
    Dashboard,
    ask::{self, Question},
    cookie::Held,
    elsewhere,
    form_key::FormKey,
    page::{self, Refused},
    reply::{Answer, see_other},
};

const LONGEST: usize = 16 << 10;

pub(super) async fn sign_in(dashboard: &Dashboard, parts: &Parts, body: RequestBody) -> Answer {
    let form = read(dashboard, parts, body).await?;
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let user = json!({"name": field("username"), "domain": {"name": field("domain")}, "password": field("password")});
    let asked = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}});
    let said = Question::new(parts, Method::POST, TOKENS).say(dashboard, Some(&asked)).await?;
    let token = match said.headers.get(SUBJECT).and_then(|token| token.to_str().ok()) {
        Some(token) if said.status == StatusCode::CREATED => token.to_owned(),
        _ => return refused(dashboard, parts, &told(&said)).await,
    };
    let document: Value = serde_json::from_slice(&said.body).unwrap_or_default();
    let is_scoped = ["project", "domain", "system"].iter().any(|scope| !document["token"][scope].is_null());
    let scoped = if is_scoped { None } else { first_project(dashboard, parts, &token).await? };
    let held = Held { token: scoped.as_deref().unwrap_or(&token), first: &token };
    let mut response = see_other("/dashboard/")?;
    response.headers_mut().append(header::SET_COOKIE, held.kept(dashboard)?);
    Ok(response)
}

pub(super) async fn sign_out(dashboard: &Dashboard, parts: &Parts, body: RequestBody) -> Answer {
    read(dashboard, parts, body).await?;
    end::ended(dashboard, parts, see_other("/dashboard/")?).await
}

/// The form again, and why.
async fn refused(dashboard: &Dashboard, parts: &Parts, fault: &Fault) -> Answer {
    let why = match fault.status {
        StatusCode::UNAUTHORIZED => "The user, the password or the domain is wrong, or this account needs a further proof.",
        _ => &fault.message,
    };
    page::show(dashboard, parts, Some(Refused { status: fault.status, why: why.to_owned() })).await
}

/// A form that one of our own pages sent.
async fn read(dashboard: &Dashboard, parts: &Parts, body: RequestBody) -> Result<HashMap<String, String>, Fault> {
    elsewhere::refuse_other_pages(parts)?;
    let bytes = ask::body(dashboard, body, LONGEST).await?;
    let form: HashMap<String, String> = form_urlencoded::parse(&bytes).into_owned().collect();
    FormKey::check(dashboard, &parts.headers, form.get("csrfmiddlewaretoken").map(String::as_str).unwrap_or_default())?;
    Ok(form)
}
