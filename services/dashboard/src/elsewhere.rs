// SPDX-License-Identifier: Apache-2.0
//! Whether a request was made by one of our own pages. A browser says so of itself; what is no browser says nothing, and has
//! no session that it did not bring.

use api::Fault;
use http::{HeaderMap, Uri, header, request::Parts};

/// What our own scripts send. A page of elsewhere would have to ask before it may, and nobody answers such questions here.
const MARK: &str = "x-ferrostack-menus";

/// The name under which the browser reached us, if it is one that may stand in a header of ours.
pub(crate) fn host(parts: &Parts) -> Option<&str> {
    let named = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = parts.uri.authority().map(http::uri::Authority::as_str).or(named)?;
    let is_plain = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte));
    is_plain.then_some(host)
}

/// Refuses what another page than ours asks for. A browser also says `none`, of what a person typed.
pub(crate) fn refuse_other_pages(parts: &Parts) -> Result<(), Fault> {
    let refused = || Fault::forbidden("This was asked by a page of another address. Open the menus and ask there.");
    match (text(&parts.headers, "sec-fetch-site"), text(&parts.headers, "origin")) {
        (Some("same-origin" | "none"), _) | (None, None) => Ok(()),
        (None, Some(origin)) if is_own(origin, parts) => Ok(()),
        _ => Err(refused()),
    }
}

/// The same for what only our scripts ask for.
pub(crate) fn refuse_all_but_our_scripts(parts: &Parts) -> Result<(), Fault> {
    refuse_other_pages(parts)?;
    match text(&parts.headers, MARK) {
        Some("1") => Ok(()),
        _ => Err(Fault::forbidden("This is for the menus' own scripts, which send X-Ferrostack-Menus: 1. Others use the APIs.")),
    }
}

fn is_own(origin: &str, parts: &Parts) -> bool {
    let origin = origin.parse::<Uri>().ok();
    let origin = origin.as_ref().and_then(Uri::authority).map(http::uri::Authority::as_str);
    let named = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let ours = parts.uri.authority().map(http::uri::Authority::as_str).or(named);
    origin.is_some() && origin == ours
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}
