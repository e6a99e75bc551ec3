// SPDX-License-Identifier: Apache-2.0
//! `/dashboard/api/…`: the way of the menus' scripts to the public APIs. The session's token is put in here and taken out of
//! what comes back; of the rest of a request only what the APIs read goes on, named below.

use api::{Fault, RequestBody, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use percent_encoding::percent_decode_str;

use crate::{
    Dashboard,
    ask::Question,
    cookie::{self, ELSEWHERE, ENDED, STATE},
    elsewhere,
    reply::{Answer, private},
};
use contracts::caller::{Caller, TokenScope, Unauthenticated};

/// What the script believes its session to be for.
const SCOPE: &str = "x-ferrostack-scope";

/// Headers that go on.
const TAKEN: [HeaderName; 14] = [
    header::ACCEPT,
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONTENT_DISPOSITION,
    header::ETAG,
    header::RANGE,
    header::IF_RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    HeaderName::from_static("openstack-api-version"),
    HeaderName::from_static("x-openstack-nova-api-version"),
];
/// The same by how they begin: what Swift and Glance keep of a thing.
const TAKEN_THAT_BEGIN: [&str; 9] = [
    "x-object-",
    "x-container-",
    "x-account-",
    "x-remove-",
    "x-delete-",
    "x-copy-",
    "x-image-meta-",
    "x-openstack-image-",
    "x-fresh-metadata",
];
/// What answers say to other clients than browsers, or to nobody's script.
const KEPT_BACK: [HeaderName; 5] = [
    header::SET_COOKIE,
    header::WWW_AUTHENTICATE,
    header::REFRESH,
    HeaderName::from_static("x-subject-token"),
    HeaderName::from_static("x-auth-token"),
];

pub(crate) async fn forward(dashboard: &Dashboard, path: &str, parts: Parts, body: RequestBody) -> Answer {
    elsewhere::refuse_all_but_our_scripts(&parts)?;
    is_of_the_apis(dashboard, path)?;
    let token = cookie::token(dashboard, &parts.headers)?;
    let caller = match dashboard.parts.authenticator.caller(token).await {
        Ok(caller) => caller,
        Err(Unauthenticated::BadToken) => return Err(Fault::unauthorized().header(STATE, ENDED)),
        Err(Unauthenticated::Unavailable(_)) => {
            return Err(Fault::unavailable("No session can be checked now. Nothing was changed; try again."));
        }
    };
    if let Some(meant) = parts.headers.get(SCOPE)
        && meant.as_bytes() != scope(&caller).as_bytes()
    {
        let message = "Another page of this browser has switched the session to another project. Nothing was done.";
        return Err(Fault::conflict(message).header(STATE, ELSEWHERE));
    }
    pass(dashboard, path, &parts, token, body).await
}

/// Hands a request on with the token of its session.
pub(crate) async fn pass(dashboard: &Dashboard, path: &str, parts: &Parts, token: &str, body: RequestBody) -> Answer {
    let query = parts.uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let mut question = Question::new(parts, parts.method.clone(), format!("{path}{query}")).with_token(token);
    question.headers = taken(&parts.headers);
    let mut response = question.ask(dashboard, body).await?;
    strip(&mut response);
    if response.status() == StatusCode::UNAUTHORIZED {
        // It may be about a password that was asked for, and not about the session.
        let is_over = dashboard.parts.authenticator.caller(token).await == Err(Unauthenticated::BadToken);
        response.headers_mut().extend(is_over.then_some((STATE, ENDED)));
    }
    Ok(private(response))
}

/// Only where the APIs are: not the figures, not the menus themselves.
pub(crate) fn is_of_the_apis(dashboard: &Dashboard, path: &str) -> Result<(), Fault> {
    let is_below = |prefix: &&str| path.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    // No part of the way is walked, here or at the door; whoever writes one that climbs up means something else than he says.
    let climbs = path.split(['/', '\\']).any(|part| matches!(&*percent_decode_str(part).decode_utf8_lossy(), "." | ".."));
    match dashboard.parts.prefixes.iter().any(is_below) && !climbs {
        true => Ok(()),
        false => Err(Fault::not_found("There is no such API.")),
    }
}

fn taken(headers: &HeaderMap) -> HeaderMap {
    let goes_on =
        |name: &HeaderName| TAKEN.contains(name) || TAKEN_THAT_BEGIN.iter().any(|begin| name.as_str().starts_with(begin));
    headers.iter().filter(|(name, _)| goes_on(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

pub(crate) fn strip(response: &mut Response) {
    for name in KEPT_BACK {
        response.headers_mut().remove(name);
    }
    // A door that has a policy of its own for what lies behind it means its own pages.
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, INERT);
}

const INERT: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");

fn scope(caller: &Caller) -> &str {
    match &caller.scope {
        TokenScope::Project(project) => project.id.as_str(),
        TokenScope::Domain(domain) => domain.id.as_str(),
        TokenScope::System => "system",
        TokenScope::Unscoped => "",
    }
}
