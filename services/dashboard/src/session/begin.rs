// SPDX-License-Identifier: Apache-2.0
//! How a session begins, and what it is.

use api::{Fault, RequestBody, Response, respond};
use http::{HeaderMap, HeaderName, Method, StatusCode, header, request::Parts};
use serde_json::Value;

use super::TOKENS;
use crate::{
    Dashboard,
    ask::{Question, Said},
    cookie::{self, ENDED, Held, SESSION, STATE},
    elsewhere,
    forward::strip,
    reply::{Answer, private},
};

pub(super) const SUBJECT: HeaderName = HeaderName::from_static("x-subject-token");
/// What was proved so far, where an account needs more than one proof.
const RECEIPT: HeaderName = HeaderName::from_static("openstack-auth-receipt");

/// Signs in as any client does, with the body that the identity service reads; what it answers, without the token.
pub(super) async fn by_script(dashboard: &Dashboard, parts: &Parts, body: RequestBody) -> Answer {
    elsewhere::refuse_all_but_our_scripts(parts)?;
    let question = Question::new(parts, Method::POST, TOKENS).taking(header::CONTENT_TYPE).taking(RECEIPT);
    begun(dashboard, question.ask(dashboard, body).await?, None)
}

/// Puts the token of an answer where no script finds it, beside the first of its session, if there was one before.
pub(super) fn begun(dashboard: &Dashboard, mut response: Response, first: Option<&str>) -> Answer {
    let token = response.headers().get(SUBJECT).and_then(|token| token.to_str().ok()).map(str::to_owned);
    strip(&mut response);
    if let (true, Some(token)) = (response.status().is_success(), token) {
        let held = Held { token: &token, first: first.unwrap_or(&token) };
        response.headers_mut().append(header::SET_COOKIE, held.kept(dashboard)?);
    }
    Ok(private(response))
}

/// The session's token as the identity service shows it. One that is not good any more is forgotten.
pub(super) async fn show(dashboard: &Dashboard, parts: &Parts) -> Answer {
    elsewhere::refuse_all_but_our_scripts(parts)?;
    let over = || -> Result<Fault, Fault> {
        Ok(Fault::unauthorized().header(STATE, ENDED).header(header::SET_COOKIE, SESSION.cleared(dashboard)?))
    };
    let Ok(token) = cookie::token(dashboard, &parts.headers) else { return Err(over()?) };
    let mut question = Question::new(parts, Method::GET, TOKENS).with_token(token);
    question.headers = subject(token)?;
    let said = question.say(dashboard, None).await?;
    match said.status {
        StatusCode::OK => Ok(private(respond(StatusCode::OK, "application/json", said.body))),
        StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND => Err(over()?),
        _ => Err(told(&said)),
    }
}

/// That it is this token that is asked about.
pub(super) fn subject(token: &str) -> Result<HeaderMap, Fault> {
    let mut value = http::HeaderValue::from_str(token).map_err(|_| Fault::unauthorized())?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(SUBJECT, value)]))
}

/// A refusal of the identity service, in its own words.
pub(super) fn told(said: &Said) -> Fault {
    let document: Value = serde_json::from_slice(&said.body).unwrap_or_default();
    let message = document["error"]["message"].as_str().unwrap_or("The identity service refused this without a word.");
    let mut fault = Fault::new(said.status, message.to_owned());
    for name in [header::RETRY_AFTER, RECEIPT] {
        if let Some(value) = said.headers.get(&name) {
            fault = fault.header(name, value.clone());
        }
    }
    fault
}
