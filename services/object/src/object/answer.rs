// SPDX-License-Identifier: Apache-2.0
//! An object as it is sent: as a whole, a part of it, several parts, or only what is said of it.

use std::ops::Range;

use ::api::{Cx, Fault, Reply, Response, empty, respond, stream};
use bytes::Bytes;
use contracts::images::Chunks;
use futures_util::{StreamExt, stream as streams};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::{Found, condition, facts, read::Content};
use crate::{Error, Objects, large, range::Ranges};

const SANDBOX: &str = "sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads";

pub fn object(room: &Objects, cx: &Cx, found: &Found, itself: bool) -> Reply {
    let object = &found.object;
    let is_manifest_itself = itself && object.kind != super::Kind::Plain;
    if let Some(status) = condition::unmet(&cx.headers, &object.etag, object.stamp) {
        let mut response = empty(status);
        facts::write(object, response.headers_mut());
        return Ok(response);
    }
    let size = object.shown_size;
    let ranges = if condition::range_is_of_this(&cx.headers, &object.etag, object.stamp) && !is_manifest_itself {
        Ranges::parse(cx.header("range"), size)
    } else {
        Ranges::All
    };
    let mut response = match ranges {
        Ranges::Unsatisfiable => return Err(Error::Range(size).into()),
        Ranges::All => whole(room, cx, &found.content, size),
        Ranges::Some(ranges) if ranges.len() == 1 => part(room, cx, &found.content, &ranges[0], size),
        Ranges::Some(ranges) => return several(room, cx, found, ranges, size),
    };
    facts::write(object, response.headers_mut());
    shut_off(room, object, response.headers_mut());
    if is_manifest_itself {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    }
    Ok(response)
}

/// The whole object as the page that is shown with this status, whatever was asked for.
pub fn page(room: &Objects, cx: &Cx, found: &Found, status: StatusCode) -> Response {
    let mut response = sent(room, cx, status, &found.content, 0..found.object.shown_size);
    facts::write(&found.object, response.headers_mut());
    shut_off(room, &found.object, response.headers_mut());
    response
}

fn whole(room: &Objects, cx: &Cx, content: &Content, size: u64) -> Response {
    sent(room, cx, StatusCode::OK, content, 0..size)
}

fn part(room: &Objects, cx: &Cx, content: &Content, range: &Range<u64>, size: u64) -> Response {
    let mut response = sent(room, cx, StatusCode::PARTIAL_CONTENT, content, range.clone());
    if let Ok(value) = HeaderValue::from_str(&content_range(range, size)) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}

fn sent(room: &Objects, cx: &Cx, status: StatusCode, content: &Content, range: Range<u64>) -> Response {
    let length = range.end - range.start;
    let chunks: Chunks = if cx.method == Method::HEAD { Box::pin(streams::empty()) } else { content.read(room, range) };
    let mut response = stream(status, "application/octet-stream", chunks);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// What a tenant put is a document of his, and the dashboard is at the same address. Browsers take it for what it is said to be,
/// and for one of another origin where it may hold scripts.
fn shut_off(room: &Objects, object: &super::Object, headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let kind = object.content_type.to_ascii_lowercase();
    if room.settings.sandbox && ["html", "xml", "xsl", "multipart/"].iter().any(|part| kind.contains(part)) {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    }
}

fn content_range(range: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", range.start, range.end - 1)
}

/// One body of several, each with a head of its own.
fn several(room: &Objects, cx: &Cx, found: &Found, ranges: Vec<Range<u64>>, size: u64) -> Reply {
    let boundary = uuid::Uuid::new_v4().simple().to_string();
    let heads: Vec<String> = ranges
        .iter()
        .map(|range| {
            let (kind, range) = (&found.object.content_type, content_range(range, size));
            format!("--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {range}\r\n\r\n")
        })
        .collect();
    let last = format!("--{boundary}--");
    let bytes: u64 = ranges.iter().map(|range| range.end - range.start + 2).sum();
    let length = heads.iter().map(|head| head.len() as u64).sum::<u64>() + bytes + last.len() as u64;
    let chunks: Chunks = if cx.method == Method::HEAD {
        Box::pin(streams::empty())
    } else {
        let bodies: Vec<Chunks> = ranges.into_iter().map(|range| found.content.read(room, range)).collect();
        let one = |text: String| streams::iter([Ok(Bytes::from(text))]);
        let parts = heads.into_iter().zip(bodies).map(move |(head, body)| one(head).chain(body).chain(one("\r\n".to_owned())));
        Box::pin(streams::iter(parts).flatten().chain(one(last)))
    };
    let mut response = stream(StatusCode::PARTIAL_CONTENT, "multipart/byteranges", chunks);
    facts::write(&found.object, response.headers_mut());
    shut_off(room, &found.object, response.headers_mut());
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    let kind = HeaderValue::from_str(&format!("multipart/byteranges;boundary={boundary}"));
    response.headers_mut().insert(header::CONTENT_TYPE, kind.map_err(Fault::internal)?);
    Ok(response)
}

/// A manifest in the form in which it could be put again.
pub async fn raw_manifest(room: &Objects, found: &Found) -> Reply {
    let Content::Itself(data) = &found.content else { return Err(Error::NotFound.into()) };
    let raw = large::raw(&large::bytes(room, data).await?)?;
    Ok(respond(StatusCode::OK, "application/json; charset=utf-8", raw))
}
