// SPDX-License-Identifier: Apache-2.0
//! Signing in at an identity provider, the way that the identity service has for browsers: there, back to it, and to us with a token.

use std::collections::HashMap;

use api::{Fault, RequestBody};
use contracts::caller::Unauthenticated;
use http::{header, request::Parts};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    Dashboard, ask,
    cookie::Held,
    elsewhere,
    reply::{Answer, see_other},
};

/// Where the identity service hands the token over; it must know the address as one of a dashboard that is trusted.
pub const WEBSSO: &str = "/dashboard/session/websso";
const LONGEST: usize = 64 << 10;

/// Leaves for the provider that `idp` and `protocol` name.
pub(super) fn depart(dashboard: &Dashboard, parts: &Parts) -> Answer {
    let query = parts.uri.query().unwrap_or_default();
    let query: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).collect();
    let (Some(provider), Some(protocol)) = (query.get("idp"), query.get("protocol")) else {
        return Err(Fault::bad_request("The address names an identity provider, as idp, and its protocol."));
    };
    let [provider, protocol] = [provider, protocol].map(|part| utf8_percent_encode(part, NON_ALPHANUMERIC).to_string());
    let here = &dashboard.parts.public_url;
    let back = utf8_percent_encode(&format!("{here}{WEBSSO}"), NON_ALPHANUMERIC).to_string();
    see_other(&format!(
        "{here}/identity/v3/auth/OS-FEDERATION/identity_providers/{provider}/protocols/{protocol}/websso?origin={back}"
    ))
}

/// Takes the token from the identity service's page, which is at our own address: another page's token would make a
/// stranger's session of this browser's.
pub(super) async fn arrive(dashboard: &Dashboard, parts: &Parts, body: RequestBody) -> Answer {
    elsewhere::refuse_other_pages(parts)?;
    let bytes = ask::body(dashboard, body, LONGEST).await?;
    let token = form_urlencoded::parse(&bytes).find(|(name, _)| name == "token").map(|(_, token)| token.into_owned());
    let token = token.ok_or_else(|| Fault::bad_request("The form has no token."))?;
    match dashboard.parts.authenticator.caller(&token).await {
        Ok(_) => {}
        Err(Unauthenticated::BadToken) => return Err(Fault::unauthorized()),
        Err(Unauthenticated::Unavailable(_)) => return Err(Fault::unavailable("No token can be checked now. Try again.")),
    }
    let mut response = see_other("/dashboard/")?;
    response.headers_mut().append(header::SET_COOKIE, Held { token: &token, first: &token }.kept(dashboard)?);
    Ok(response)
}
