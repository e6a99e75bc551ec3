// SPDX-License-Identifier: Apache-2.0
//! A URL, read strictly: two schemes, a host, no user name before it.

use http::Uri;

use crate::Error;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    pub is_https: bool,
    /// As a resolver takes it: an IPv6 address without its brackets.
    pub host: String,
    pub port: u16,
    /// Host and port as the `Host` header has them.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

impl Location {
    pub fn parse(url: &str) -> Result<Self, Error> {
        let wrong = |why| Error::Url { url: shortened(url), why };
        let text = url.split('#').next().unwrap_or_default();
        if text.bytes().any(|byte| byte <= b' ' || byte == b'\\' || byte >= 0x7f) {
            return Err(wrong("a URL has no spaces, backslashes or characters beyond ASCII"));
        }
        let uri: Uri = text.parse().map_err(|_| wrong("it is not a well-formed URL"))?;
        let is_https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("only http and https are known here")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("a user name or password in a URL is not taken"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if host.is_empty() || host.contains('%') {
            return Err(wrong("it names no host"));
        }
        // A port that is no number is not the scheme's own port either.
        let port = match (authority.port_u16(), authority.as_str().rsplit_once(':')) {
            (Some(0), _) => return Err(wrong("there is no port 0")),
            (Some(port), _) => port,
            (None, Some((_, rest))) if !rest.ends_with(']') => return Err(wrong("its port is not a number")),
            (None, _) if is_https => 443,
            (None, _) => 80,
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { is_https, host, port, authority: authority.as_str().to_ascii_lowercase(), path })
    }

    /// Where a `Location` header leads from here.
    pub fn follow(&self, target: &str) -> Result<Self, Error> {
        let scheme = if self.is_https { "https" } else { "http" };
        let has_scheme = target.split(['/', '?', '#']).next().is_some_and(|first| first.contains(':'));
        if has_scheme {
            Self::parse(target)
        } else if target.starts_with("//") {
            Self::parse(&format!("{scheme}:{target}"))
        } else if target.starts_with('/') {
            Self::parse(&format!("{scheme}://{}{target}", self.authority))
        } else {
            let path = self.path.split('?').next().unwrap_or_default();
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            Self::parse(&format!("{scheme}://{}{folder}/{target}", self.authority))
        }
    }

    pub fn has_origin_of(&self, other: &Self) -> bool {
        (self.is_https, &self.host, self.port) == (other.is_https, &other.host, other.port)
    }

    pub fn url(&self) -> String {
        format!("{}://{}{}", if self.is_https { "https" } else { "http" }, self.authority, self.path)
    }
}

/// Enough to recognise it in a message.
fn shortened(url: &str) -> String {
    if url.chars().count() <= 200 { url.to_owned() } else { url.chars().take(200).chain("…".chars()).collect() }
}
