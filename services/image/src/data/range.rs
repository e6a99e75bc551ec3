// SPDX-License-Identifier: Apache-2.0
//! Which part of the data a download wants.

use api::{Cx, Fault};
use http::{HeaderValue, StatusCode, header};

/// First byte and length, and whether the client asked for a part at all.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    pub first: u64,
    pub length: u64,
    pub is_range: bool,
}

/// Reads `Range`, or `Content-Range`, in which early clients of Glance asked. Several ranges at once are not taken.
pub fn read(cx: &Cx, size: u64) -> Result<Part, Fault> {
    match (cx.header("range"), cx.header("content-range")) {
        (Some(text), _) => parse_range(text, size).ok_or_else(|| refuse(text, size)),
        (None, Some(text)) => parse_content_range(text, size).ok_or_else(|| refuse(text, size)),
        (None, None) => Ok(Part { first: 0, length: size, is_range: false }),
    }
}

fn refuse(text: &str, size: u64) -> Fault {
    let fault = Fault::new(StatusCode::RANGE_NOT_SATISFIABLE, format!("The range '{text}' is not within {size} bytes of data."));
    match HeaderValue::from_str(&format!("bytes */{size}")) {
        Ok(value) => fault.header(header::CONTENT_RANGE, value),
        Err(_) => fault,
    }
}

/// `bytes=4-7`, `bytes=4-`, `bytes=-4`
fn parse_range(text: &str, size: u64) -> Option<Part> {
    let (first, last) = text.trim().strip_prefix("bytes=")?.split_once('-')?;
    let (first, end) = match (first.trim(), last.trim()) {
        ("", suffix) => (size.saturating_sub(suffix.parse().ok()?), size),
        (first, "") => (first.parse().ok()?, size),
        (first, last) => {
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            if last < first {
                return None;
            }
            (first, last.saturating_add(1).min(size))
        }
    };
    part(first, end)
}

/// `bytes 4-7/100` or `bytes 4-7/*`
fn parse_content_range(text: &str, size: u64) -> Option<Part> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    if total != "*" && total.parse::<u64>().ok()? != size {
        return None;
    }
    let (first, last) = range.split_once('-')?;
    let last: u64 = last.parse().ok()?;
    part(first.parse().ok()?, last.saturating_add(1).min(size))
}

fn part(first: u64, end: u64) -> Option<Part> {
    (first < end).then(|| Part { first, length: end - first, is_range: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_clipped() {
        let within = |first, length| Some(Part { first, length, is_range: true });
        let table = [
            ("bytes=0-0", within(0, 1)),
            ("bytes=4-7", within(4, 4)),
            ("bytes=90-200", within(90, 10)),
            ("bytes=90-", within(90, 10)),
            ("bytes=-10", within(90, 10)),
            ("bytes=-200", within(0, 100)),
            ("bytes=0-18446744073709551615", within(0, 100)),
            ("bytes=100-", None),
            ("bytes=-0", None),
            ("bytes=7-4", None),
            ("bytes=1-2,4-5", None),
            ("bytes=a-b", None),
            ("lines=1-2", None),
            ("bytes=", None),
        ];
        for (text, part) in table {
            assert_eq!(parse_range(text, 100), part, "{text}");
        }
        assert_eq!(parse_content_range("bytes 4-7/100", 100), within(4, 4));
        assert_eq!(parse_content_range("bytes 4-7/*", 100), within(4, 4));
        assert_eq!(parse_content_range("bytes 4-7/99", 100), None);
        assert_eq!(parse_content_range("bytes 100-107/100", 100), None);
    }
}
