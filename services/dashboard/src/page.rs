// SPDX-License-Identifier: Apache-2.0
//! The page with which the application begins, and the headers of every page.
//!
//! What it shows before a script ran is of use without any: the form to sign in, or who is signed in.

use api::{Response, escape_html, respond};
use contracts::caller::{Caller, TokenScope};
use http::{HeaderName, HeaderValue, StatusCode, header, request::Parts};

use crate::{
    Dashboard, asset, cookie, elsewhere,
    form_key::FormKey,
    reply::{Answer, private},
};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");

/// What stands in the application's page where it will be.
const ROOT: &str = "<div id=\"root\"></div>";

const CONSOLE: &str = "/dashboard/console";
const AT_THE_CONSOLE: &str = "<main><h1>Console</h1><p>noVNC shows the screen of the machine here.</p>\
     <noscript><p>It needs a browser that runs scripts.</p></noscript></main>";

/// Why a form is shown again.
pub(crate) struct Refused {
    pub status: StatusCode,
    pub why: String,
}

pub(crate) async fn show(dashboard: &Dashboard, parts: &Parts, refused: Option<Refused>) -> Answer {
    let caller = match cookie::token(dashboard, &parts.headers) {
        Ok(token) if refused.is_none() => dashboard.parts.authenticator.caller(token).await.ok(),
        _ => None,
    };
    let key = FormKey::of(dashboard, &parts.headers)?;
    let shown = match &caller {
        // The word in its address is the proof, so that it is shown to whoever was given that.
        _ if parts.uri.path() == CONSOLE => AT_THE_CONSOLE.to_owned(),
        Some(caller) => overview(caller, &key),
        None => sign_in(dashboard, &key, refused.as_ref()),
    };
    let document = asset::index().replacen(ROOT, &format!("<div id=\"root\">{shown}</div>"), 1);
    let status = refused.map_or(StatusCode::OK, |refused| refused.status);
    let mut response = private(respond(status, "text/html; charset=utf-8", document));
    let policy = HeaderValue::from_str(&policy(elsewhere::host(parts))).map_err(api::Fault::internal)?;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response.headers_mut().append(header::SET_COOKIE, key.cookie());
    Ok(response)
}

fn sign_in(dashboard: &Dashboard, key: &FormKey, refused: Option<&Refused>) -> String {
    let why = refused.map_or_else(String::new, |refused| format!("<p role=\"alert\">{}</p>", escape_html(&refused.why)));
    format!(
        "<main><h1>Sign in</h1>{why}<form action=\"/dashboard/sign-in\" method=\"post\">\
         <input type=\"hidden\" name=\"csrfmiddlewaretoken\" value=\"{key}\">\
         <input type=\"hidden\" name=\"region\" value=\"{region}\">\
         <label for=\"id_username\">User <input id=\"id_username\" name=\"username\" autocomplete=\"username\" required></label>\
         <label for=\"id_password\">Password <input id=\"id_password\" name=\"password\" type=\"password\" \
         autocomplete=\"current-password\" required></label>\
         <label for=\"id_domain\">Domain <input id=\"id_domain\" name=\"domain\" value=\"Default\" required></label>\
         <button type=\"submit\">Sign in</button></form></main>",
        key = key.value(),
        region = escape_html(&dashboard.parts.region),
    )
}

fn overview(caller: &Caller, key: &FormKey) -> String {
    let place = match &caller.scope {
        TokenScope::Project(project) => format!(" in the project {}", escape_html(&project.name)),
        TokenScope::Domain(domain) => format!(" for the domain {}", escape_html(&domain.name)),
        TokenScope::System => " for the whole cloud".to_owned(),
        TokenScope::Unscoped => String::new(),
    };
    format!(
        "<main><h1>Overview</h1><p>{} is signed in{place}.</p>\
         <noscript><p>The menus need a browser that runs their scripts. All that they do, the command openstack does, too.</p></noscript>\
         <form action=\"/dashboard/sign-out\" method=\"post\">\
         <input type=\"hidden\" name=\"csrfmiddlewaretoken\" value=\"{}\">\
         <button type=\"submit\">Sign out</button></form></main>",
        escape_html(&caller.user.name),
        key.value(),
    )
}

/// What the page may load and where it may speak to. Tenants' objects lie at the same address, so it is not enough to
/// say that a script is of this address: it is one of the application's own files. Of an address that a policy cannot
/// name (IPv6), only the address itself is said.
fn policy(host: Option<&str>) -> String {
    let (own, socket) = match host {
        Some(host) => (format!("{host}/dashboard/"), format!("'self' ws://{host} wss://{host}")),
        None => ("'self'".to_owned(), "'self'".to_owned()),
    };
    format!(
        "default-src 'none'; script-src {own}; style-src {own}; font-src {own}; img-src {own} data: blob:; connect-src {socket}; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
}

/// What every answer of ours says, with a policy that lets nothing be done by what has none of its own.
pub(crate) fn guard(response: &mut Response) {
    let headers = response.headers_mut();
    let inert = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(inert);
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), bluetooth=(), midi=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
