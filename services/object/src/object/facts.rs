// SPDX-License-Identifier: Apache-2.0
//! What the headers of a request say of an object, and what its own headers say in an answer.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use types::Timestamp;

use super::{KEPT, Kind, Object, Words};
use crate::{
    Error,
    metadata::{Metadata, Of, text},
    place, stamp,
};

/// Types of content by the ends of names, for whoever does not say. Pages are shown right only if their type is.
#[rustfmt::skip]
const TYPES: [(&str, &str); 24] = [
    ("html", "text/html"), ("htm", "text/html"), ("css", "text/css"), ("js", "text/javascript"), ("mjs", "text/javascript"),
    ("txt", "text/plain"), ("csv", "text/csv"), ("xml", "application/xml"), ("json", "application/json"),
    ("pdf", "application/pdf"), ("zip", "application/zip"), ("gz", "application/gzip"), ("tar", "application/x-tar"),
    ("png", "image/png"), ("jpg", "image/jpeg"), ("jpeg", "image/jpeg"), ("gif", "image/gif"), ("svg", "image/svg+xml"),
    ("webp", "image/webp"), ("ico", "image/vnd.microsoft.icon"), ("woff2", "font/woff2"), ("mp4", "video/mp4"),
    ("mp3", "audio/mpeg"), ("wasm", "application/wasm"),
];

pub fn content_type(headers: &HeaderMap, name: &str) -> Result<String, Error> {
    let detect = headers.get("x-detect-content-type").and_then(|value| value.to_str().ok()).and_then(words::flag::oslo);
    match text(headers, "content-type")?.filter(|kind| !kind.is_empty()) {
        Some(kind) if detect != Some(true) => Ok(kind.to_owned()),
        _ => Ok(guessed(name).to_owned()),
    }
}

fn guessed(name: &str) -> &'static str {
    let end = name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase());
    let known = TYPES.iter().find(|(known, _)| end.as_deref() == Some(known));
    known.map_or("application/octet-stream", |(_, kind)| kind)
}

/// Metadata, and the headers that are kept.
pub fn words(headers: &HeaderMap) -> Result<Words, Error> {
    let metadata = Metadata::read(Of::Object, headers)?;
    let mut kept = Metadata::default();
    for name in KEPT {
        if let Some(value) = text(headers, name)?.filter(|value| !value.is_empty()) {
            kept.set(name, value);
        }
    }
    if let Some(prefix) = kept.get("x-object-manifest") {
        place::container_and_object(prefix)
            .map_err(|_| Error::invalid("X-Object-Manifest must be in the format container/prefix"))?;
    }
    Ok(Words { metadata, headers: kept })
}

/// When it shall go, if ever.
pub fn delete_at(headers: &HeaderMap) -> Result<Option<Timestamp>, Error> {
    let number = |name: &str, text: &str| text.trim().parse::<i64>().map_err(|_| Error::Invalid(format!("Non-integer {name}")));
    let now = Timestamp::now();
    if let Some(after) = text(headers, "x-delete-after")? {
        let after = number("X-Delete-After", after)?;
        let at = Timestamp::from_seconds(now.seconds().saturating_add(after));
        return if after > 0 { Ok(Some(at)) } else { Err(Error::invalid("X-Delete-After in past")) };
    }
    let Some(at) = text(headers, "x-delete-at")?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let at = Timestamp::from_seconds(number("X-Delete-At", at)?);
    if at > now { Ok(Some(at)) } else { Err(Error::invalid("X-Delete-At in past")) }
}

pub fn kind(words: &Words) -> Kind {
    if words.headers.get("x-object-manifest").is_some() { Kind::Prefix } else { Kind::Plain }
}

/// What is said of an object in an answer, but for its length.
pub fn write(object: &Object, headers: &mut HeaderMap) {
    object.words.metadata.write(Of::Object, headers, true);
    for (name, value) in object.words.headers.iter() {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes())) {
            headers.insert(name, value);
        }
    }
    if let Ok(kind) = HeaderValue::from_bytes(object.content_type.as_bytes()) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    let etag = if object.kind == Kind::Plain { object.etag.clone() } else { format!("\"{}\"", object.etag) };
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    set("etag", etag);
    set("x-timestamp", stamp::seconds(object.stamp));
    set("last-modified", stamp::date(object.stamp));
    if let Some(at) = object.delete_at {
        set("x-delete-at", at.seconds().to_string());
    }
    if object.kind == Kind::Manifest {
        set("x-static-large-object", "True".to_owned());
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
}
