// SPDX-License-Identifier: Apache-2.0
//! Single sign-on for a browser: from a dashboard to the identity provider, back here, and to the dashboard with a token.

use std::sync::Arc;

use api::{Access, Cx, Fault, Reply, Response, Routes, empty, text};
use evidence::oidc::{
    Connection, claims,
    code::{Journey, Return},
};
use http::{HeaderValue, StatusCode, header};
use types::Timestamp;

use super::{auth::fault, denied::denied};
use crate::{
    Identity,
    error::Error,
    token::{issue::LoggedIn, login::Asking},
};

const BY_PROTOCOL: &str = "/v3/auth/OS-FEDERATION/websso/{protocol_id}";
const BY_PROVIDER: &str = "/v3/auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/websso";
const CALLBACK: &str = "/v3/auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/websso/callback";

const COOKIE: &str = "ferrostack-sso";
const COOKIE_PATH: &str = "/identity/v3/auth/OS-FEDERATION";
/// Seconds that a person has to log in at the identity provider.
const PATIENCE: i64 = 600;
/// Before the sealed journey, so that nothing else that the token keys sealed passes for one, nor it for a token.
const SEAL: &[u8] = b"websso journey 1:";

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get(BY_PROTOCOL, Access::Public, depart_by_protocol)
        .post(BY_PROTOCOL, Access::Public, depart_by_protocol)
        .get(BY_PROVIDER, Access::Public, depart_by_provider)
        .post(BY_PROVIDER, Access::Public, depart_by_provider)
        .get(CALLBACK, Access::Public, arrive)
}

async fn depart_by_protocol(room: Arc<Identity>, cx: Cx) -> Reply {
    let origin = trusted_origin(&room, &cx)?;
    let connection = room.federation.only_connection(cx.param("protocol_id"))?;
    depart(&room, &connection, &origin).await
}

async fn depart_by_provider(room: Arc<Identity>, cx: Cx) -> Reply {
    let origin = trusted_origin(&room, &cx)?;
    let connection = room.federation.connection(cx.param("idp_id"), cx.param("protocol_id"))?;
    depart(&room, &connection, &origin).await
}

async fn depart(room: &Identity, connection: &Connection, origin: &str) -> Reply {
    let (provider, protocol) = (connection.identity_provider(), connection.protocol());
    room.check_way(provider, protocol).await?;
    let back = CALLBACK.replace("{idp_id}", provider).replace("{protocol_id}", protocol);
    let redirect_uri = format!("{}/identity{back}", room.federation.public_url());
    let (place, journey) = connection.depart(origin, redirect_uri).await.map_err(fault)?;
    let mut response = empty(StatusCode::FOUND);
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_str(&place).map_err(Fault::internal)?);
    let sealed = [SEAL, &serde_json::to_vec(&journey).map_err(Fault::internal)?].concat();
    let cookie = room.keys.ring().seal(&sealed, Timestamp::now()).map_err(Error::from)?;
    set_cookie(&mut response, room, &cookie, PATIENCE)?;
    private(&mut response);
    Ok(response)
}

async fn arrive(room: Arc<Identity>, cx: Cx) -> Reply {
    let (provider, protocol) = (cx.param("idp_id"), cx.param("protocol_id"));
    let journey = journey(&room, &cx)?;
    if journey.identity_provider != provider || journey.protocol != protocol {
        return Err(denied("a browser came back by another way than it left").into());
    }
    // The operator may have ceased to trust the dashboard meanwhile.
    if !room.federation.trusts(&journey.origin) {
        return Err(untrusted(&journey.origin));
    }
    room.check_way(provider, protocol).await?;
    let connection = room.federation.connection(provider, protocol)?;
    let query = cx.query();
    let back = Return { code: query.get("code"), state: query.get("state"), issuer: query.get("iss"), error: query.get("error") };
    let claims = connection.arrive(&journey, &back).await.map_err(fault)?;
    let proved = room.take_word(provider, protocol, claims::assertion(&claims), &cx.actor()).await?;
    let LoggedIn::Issued(issued) = room.log_in_with(proved, None, &Asking::of(&cx)).await? else {
        return Err(denied("the user's rules want further methods, for which a browser has no place").into());
    };
    let mut response = hand_over(&journey.origin, &issued.token)?;
    set_cookie(&mut response, &room, "", 0)?;
    Ok(response)
}

/// The dashboard that waits for the token: one of those that the operator named, letter by letter.
fn trusted_origin(room: &Identity, cx: &Cx) -> Result<String, Fault> {
    let origin = cx.query().get("origin").filter(|origin| !origin.is_empty());
    let origin = origin.ok_or_else(|| Fault::bad_request("Request must have an origin query parameter"))?;
    if room.federation.trusts(origin) { Ok(origin.to_owned()) } else { Err(untrusted(origin)) }
}

fn untrusted(origin: &str) -> Fault {
    Fault::new(StatusCode::UNAUTHORIZED, format!("{} is not a trusted dashboard host", origin.escape_default()))
}

fn journey(room: &Identity, cx: &Cx) -> Result<Journey, Fault> {
    let cookies = cx.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let ours = |cookie: &str| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('=').map(str::to_owned);
    let sealed = cookies.flat_map(|cookies| cookies.split(';')).find_map(ours);
    let opened = sealed.and_then(|sealed| room.keys.ring().open(&sealed).ok());
    let opened = opened.filter(|opened| {
        let age = Timestamp::now().seconds() - opened.sealed_at.seconds();
        (-60..=PATIENCE).contains(&age)
    });
    let journey = opened.and_then(|opened| serde_json::from_slice(opened.message.strip_prefix(SEAL)?).ok());
    journey.ok_or_else(|| denied("a browser came back without having left from here, or too late").into())
}

/// A page that posts the token to the dashboard as soon as it is shown.
fn hand_over(origin: &str, token: &str) -> Result<Response, Fault> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(Fault::internal)?;
    let nonce = hex::encode(random);
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Logging in</title></head>\n<body>\n\
         <form id=\"sso\" name=\"sso\" action=\"{}\" method=\"post\">\n\
         <input type=\"hidden\" name=\"token\" id=\"token\" value=\"{}\">\n\
         <noscript><button type=\"submit\">Continue to the dashboard</button></noscript>\n</form>\n\
         <script nonce=\"{nonce}\">document.getElementById(\"sso\").submit();</script>\n</body>\n</html>\n",
        api::escape_html(origin),
        api::escape_html(token),
    );
    let mut response = text(StatusCode::OK, "text/html; charset=utf-8", page);
    let policy = format!("default-src 'none'; script-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).map_err(Fault::internal)?);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    private(&mut response);
    // A dashboard that takes forms of one address only must see whose this is; the code in this page's own address stays here.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("origin"));
    Ok(response)
}

/// For this browser now, and for nobody's record.
fn private(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

fn set_cookie(response: &mut Response, room: &Identity, value: &str, seconds: i64) -> Result<(), Fault> {
    let secure = if room.federation.public_url().starts_with("https://") { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={value}; Path={COOKIE_PATH}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let mut cookie = HeaderValue::from_str(&cookie).map_err(Fault::internal)?;
    cookie.set_sensitive(true);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(())
}
