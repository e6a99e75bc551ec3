// SPDX-License-Identifier: Apache-2.0
//! What a browser keeps for us, out of the reach of scripts and of pages of elsewhere.
//!
//! Cookies know no ports and, without TLS, no hosts: whoever is on a neighbouring address may put one of our name into a
//! browser, under a longer path. With TLS the prefix `__Host-` forbids it. Without, two of one name are none.

use api::Fault;
use http::{HeaderMap, HeaderValue, header};

use crate::Dashboard;

/// One of ours by its name.
#[derive(Clone, Copy)]
pub(crate) struct Cookie(&'static str, &'static str);

pub(crate) const SESSION: Cookie = Cookie("ferrostack_session", "__Host-ferrostack_session");
pub(crate) const FORM: Cookie = Cookie("ferrostack_form", "__Host-ferrostack_form");

impl Cookie {
    fn name(self, dashboard: &Dashboard) -> &'static str {
        if dashboard.is_secure() { self.1 } else { self.0 }
    }

    /// What it holds, if there is exactly one.
    pub fn read<'a>(self, dashboard: &Dashboard, headers: &'a HeaderMap) -> Option<&'a str> {
        let name = self.name(dashboard);
        let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = all.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut ours = pairs.filter(|(found, value)| *found == name && !value.is_empty());
        match (ours.next(), ours.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    /// Sets it until the browser ends.
    pub fn holding(self, dashboard: &Dashboard, value: &str) -> Result<HeaderValue, Fault> {
        let is_plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=.~".contains(&byte));
        if !is_plain {
            return Err(Fault::bad_request("This token cannot be kept in a cookie."));
        }
        self.written(dashboard, value, "")
    }

    pub fn cleared(self, dashboard: &Dashboard) -> Result<HeaderValue, Fault> {
        self.written(dashboard, "", "; Max-Age=0")
    }

    fn written(self, dashboard: &Dashboard, value: &str, age: &str) -> Result<HeaderValue, Fault> {
        let name = self.name(dashboard);
        let place = if dashboard.is_secure() { "Path=/; Secure" } else { "Path=/dashboard" };
        let cookie = HeaderValue::from_str(&format!("{name}={value}; {place}; HttpOnly; SameSite=Strict{age}"));
        let mut cookie = cookie.map_err(Fault::internal)?;
        cookie.set_sensitive(true);
        Ok(cookie)
    }
}

/// Between the two tokens of a session. No token has it.
const THEN: char = '~';

/// What a session is: the token that it works with, and the first one, with which that was bought when the session moved to
/// another project. With the first the others are revoked.
#[derive(Clone, Copy)]
pub(crate) struct Held<'a> {
    pub token: &'a str,
    pub first: &'a str,
}

impl Held<'_> {
    /// For the browser to keep.
    pub fn kept(self, dashboard: &Dashboard) -> Result<HeaderValue, Fault> {
        let Self { token, first } = self;
        match token == first {
            true => SESSION.holding(dashboard, token),
            false => SESSION.holding(dashboard, &format!("{token}{THEN}{first}")),
        }
    }
}

pub(crate) fn held<'a>(dashboard: &Dashboard, headers: &'a HeaderMap) -> Result<Held<'a>, Fault> {
    let kept = SESSION.read(dashboard, headers).ok_or_else(|| Fault::unauthorized().header(STATE, ENDED))?;
    let (token, first) = kept.split_once(THEN).unwrap_or((kept, kept));
    Ok(Held { token, first })
}

/// The token of the session from which a request comes.
pub(crate) fn token<'a>(dashboard: &Dashboard, headers: &'a HeaderMap) -> Result<&'a str, Fault> {
    Ok(held(dashboard, headers)?.token)
}

/// Says of an answer what became of the session.
pub(crate) const STATE: http::HeaderName = http::HeaderName::from_static("x-ferrostack-session");
pub(crate) const ENDED: HeaderValue = HeaderValue::from_static("ended");
pub(crate) const ELSEWHERE: HeaderValue = HeaderValue::from_static("elsewhere");
