// SPDX-License-Identifier: Apache-2.0
//! `If-Match`, `If-None-Match`, `If-Modified-Since`, `If-Unmodified-Since`.

use http::{HeaderMap, StatusCode};
use types::Timestamp;

use crate::stamp;

/// The status that is answered instead of the object, if its conditions are not met.
pub fn unmet(headers: &HeaderMap, etag: &str, changed: Timestamp) -> Option<StatusCode> {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    // A date says no more than a second.
    let changed = changed.micros().div_euclid(1_000_000) + i64::from(changed.micros().rem_euclid(1_000_000) > 0);
    if value("if-none-match").is_some_and(|list| names(list, etag)) {
        return Some(StatusCode::NOT_MODIFIED);
    }
    if value("if-match").is_some_and(|list| !names(list, etag)) {
        return Some(StatusCode::PRECONDITION_FAILED);
    }
    if value("if-none-match").is_none()
        && value("if-modified-since").and_then(stamp::parse_date).is_some_and(|since| changed <= since)
    {
        return Some(StatusCode::NOT_MODIFIED);
    }
    if value("if-unmodified-since").and_then(stamp::parse_date).is_some_and(|since| changed > since) {
        return Some(StatusCode::PRECONDITION_FAILED);
    }
    None
}

/// Whether a range that was asked for is one of what is there now.
pub fn range_is_of_this(headers: &HeaderMap, etag: &str, changed: Timestamp) -> bool {
    let Some(text) = headers.get("if-range").and_then(|value| value.to_str().ok()) else { return true };
    names(text, etag) || stamp::parse_date(text).is_some_and(|date| stamp::parse_date(&stamp::date(changed)) == Some(date))
}

fn names(list: &str, etag: &str) -> bool {
    list.split(',').map(|item| item.trim().trim_start_matches("W/").trim_matches('"')).any(|item| item == "*" || item == etag)
}
