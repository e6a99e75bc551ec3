// SPDX-License-Identifier: Apache-2.0
//! Which pages of other sites may read a container by their visitors' browsers: as its owner says in its metadata.

use std::sync::Arc;

use api::{Cx, Reply};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::{
    Error, Objects,
    container::{Container, table as containers},
    place::Place,
    reply::done,
};

const METHODS: &str = "HEAD, GET, PUT, POST, COPY, OPTIONS, DELETE";
/// Headers of an answer that pages always see.
const EXPOSED: &str = "cache-control, content-language, content-type, expires, last-modified, pragma, etag, \
                       x-timestamp, x-trans-id, x-openstack-request-id";

/// A browser asks before it asks.
pub async fn preflight(room: Arc<Objects>, cx: Cx) -> Reply {
    let place = Place::of(&cx)?;
    let mut response = done(StatusCode::OK);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(METHODS));
    let Some(origin) = cx.header("origin") else { return Ok(response) };
    let container = room.store.read(move |tx| containers::find(tx, &place)).await?;
    let asked = cx.header("access-control-request-method").unwrap_or_default();
    let allowed = container.as_ref().and_then(|container| origin_for(container, origin));
    let (Some(container), Some(allowed), true) = (&container, allowed, METHODS.split(", ").any(|method| method == asked)) else {
        // As little as if there were no such container.
        return Err(Error::Unauthorized.into());
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    let mut set = |name, value: Option<&str>| {
        if let Some(value) = value.and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(name, value);
        }
    };
    set(header::ACCESS_CONTROL_ALLOW_ORIGIN, Some(allowed));
    set(header::ACCESS_CONTROL_MAX_AGE, container.metadata.get("access-control-max-age"));
    set(header::ACCESS_CONTROL_ALLOW_HEADERS, cx.header("access-control-request-headers"));
    headers.append(header::VARY, HeaderValue::from_static("Origin, Access-Control-Request-Headers"));
    Ok(response)
}

/// What an answer says to a page of another site.
pub fn allow(cx: &Cx, container: &Container, headers: &mut HeaderMap) {
    let Some(allowed) = cx.header("origin").and_then(|origin| origin_for(container, origin)) else { return };
    let Ok(value) = HeaderValue::from_str(allowed) else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
    let more = container.metadata.get("access-control-expose-headers").unwrap_or_default();
    let own: Vec<String> = headers.keys().map(ToString::to_string).filter(|name| name.starts_with("x-")).collect();
    let exposed = [EXPOSED, more, &own.join(", ")].into_iter().filter(|list| !list.is_empty()).collect::<Vec<_>>().join(", ");
    if let Ok(value) = HeaderValue::from_str(&exposed) {
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, value);
    }
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}

/// The origin as it is allowed: by its name, or as any.
pub fn origin_for<'a>(container: &Container, origin: &'a str) -> Option<&'a str> {
    let list = container.metadata.get("access-control-allow-origin")?;
    let mut allowed = list.split_whitespace();
    if allowed.clone().any(|one| one == "*") {
        return Some("*");
    }
    allowed.any(|one| one == origin).then_some(origin)
}
