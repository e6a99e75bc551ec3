// SPDX-License-Identifier: Apache-2.0
//! The files of the application, as they lie in the binary.

use api::{Fault, Response, empty, respond};
use http::{HeaderMap, HeaderValue, StatusCode, header};

pub(crate) struct File {
    /// Below `dist`.
    path: &'static str,
    bytes: &'static [u8],
    /// The same, smaller.
    gzip: Option<&'static [u8]>,
    /// A part of its digest.
    tag: &'static str,
}

static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The page that begins the application, and what stands beside it and is not for browsers.
const INDEX: &str = "index.html";
const SOURCES: &str = "sources.sha256";

/// Whose names hold their digest: never another content under the same name.
const HASHED: &str = "assets/";

pub(crate) fn index() -> &'static str {
    file(INDEX).and_then(|file| std::str::from_utf8(file.bytes).ok()).unwrap_or_default()
}

/// The file of this name. Every other name is one of the application's own, but for those where only files are.
pub(crate) fn find(path: &str) -> Option<Result<&'static File, Fault>> {
    match file(path).filter(|file| file.path != INDEX && file.path != SOURCES) {
        Some(file) => Some(Ok(file)),
        None if path.starts_with(HASHED) => {
            Some(Err(Fault::not_found("There is no such file of the menus; load the page anew.")))
        }
        None => None,
    }
}

fn file(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

impl File {
    pub(crate) fn answer(&'static self, headers: &HeaderMap) -> Response {
        let tag = format!("\"{}\"", self.tag);
        let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
        let mut response = match (known.is_some_and(|known| known.contains(&tag)), self.gzip) {
            (true, _) => empty(StatusCode::NOT_MODIFIED),
            (false, Some(gzip)) if takes_gzip(headers) => {
                let mut response = respond(StatusCode::OK, self.kind(), gzip);
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                response
            }
            (false, _) => respond(StatusCode::OK, self.kind(), self.bytes),
        };
        let kept = if self.path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
        let answered = response.headers_mut();
        answered.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
        answered.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        answered.extend(HeaderValue::from_str(&tag).map(|tag| (header::ETAG, tag)));
        response
    }

    fn kind(&self) -> &'static str {
        match self.path.rsplit_once('.').map_or("", |(_, ending)| ending) {
            "html" => "text/html; charset=utf-8",
            "js" | "mjs" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            "png" => "image/png",
            "ico" => "image/x-icon",
            "woff2" => "font/woff2",
            "json" => "application/json",
            "webmanifest" => "application/manifest+json",
            "txt" => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        }
    }
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let named = headers.get(header::ACCEPT_ENCODING).and_then(|named| named.to_str().ok()).unwrap_or_default();
    named.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip") && weight.replace(' ', "").trim_start_matches("q=").parse() != Ok(0.0)
    })
}
