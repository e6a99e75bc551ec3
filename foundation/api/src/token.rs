// SPDX-License-Identifier: Apache-2.0
//! Where a request's token stands.

use http::HeaderMap;

pub(crate) fn token_in(headers: &HeaderMap, takes_bearer: bool) -> &str {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
    let bearer = || {
        let (scheme, token) = text("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    };
    match text("x-auth-token") {
        Some(token) => token,
        None if takes_bearer => bearer().unwrap_or_default(),
        None => "",
    }
}
