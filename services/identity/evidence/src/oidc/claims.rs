// SPDX-License-Identifier: Apache-2.0
//! Claims: whether they are meant for us, now; and what a mapping can read of them.

use serde_json::Value;
use types::Timestamp;

use super::{Denial, jwt::Claims};
use crate::mapping::Assertion;

/// How far clocks may be apart.
const LEEWAY: i64 = 60;
/// How deep nested claims are followed: `realm_access.roles`.
const DEEPEST: usize = 4;

/// Refuses claims of another issuer, for another audience, or of another time.
pub fn check(claims: &Claims, issuer: &str, audiences: &[&str]) -> Result<(), Denial> {
    if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
        return Err(Denial::refused("the token is of another issuer"));
    }
    if !audience(claims).iter().any(|own| audiences.contains(own)) {
        let whom = audience(claims).join(", ");
        return Err(Denial::refused(format!("the token is for another audience: {}", whom.escape_default())));
    }
    check_times(claims, true)
}

/// Refuses what has expired or is not valid yet.
pub fn check_times(claims: &Claims, must_expire: bool) -> Result<(), Denial> {
    let now = Timestamp::now().seconds();
    match seconds(claims, "exp")? {
        None if must_expire => return Err(Denial::refused("the token does not say when it expires")),
        Some(until) if until.saturating_add(LEEWAY) <= now => return Err(Denial::refused("the token has expired")),
        _ => {}
    }
    for begin in ["nbf", "iat"] {
        if seconds(claims, begin)?.is_some_and(|from| from.saturating_sub(LEEWAY) > now) {
            return Err(Denial::refused("the token is not valid yet"));
        }
    }
    Ok(())
}

/// For whom the claims are.
pub fn audience(claims: &Claims) -> Vec<&str> {
    match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    }
}

/// The claims as a mapping's attributes: by their own names, and by those that Apache's module gives them, which
/// mappings written for Keystone use: `OIDC-email`, `OIDC_CLAIM_email`, `HTTP_OIDC_EMAIL`.
pub fn assertion(claims: &Claims) -> Assertion {
    let mut own = Assertion::new();
    for (name, value) in claims {
        flatten(name, value, DEEPEST, &mut own);
    }
    // A claim that dresses up as another one's second name is nobody's.
    own.retain(|name, _| !["OIDC-", "OIDC_CLAIM_", "HTTP_OIDC_", "REMOTE_USER"].iter().any(|taken| name.starts_with(taken)));
    let mut all = Assertion::new();
    for (name, values) in own {
        let upper = name.to_ascii_uppercase().replace(['-', '.'], "_");
        for second in [format!("OIDC-{name}"), format!("OIDC_CLAIM_{name}"), format!("HTTP_OIDC_{upper}")] {
            all.entry(second).or_insert_with(|| values.clone());
        }
        all.insert(name, values);
    }
    if let (Some([sub]), Some([issuer])) = (all.get("sub").map(Vec::as_slice), all.get("iss").map(Vec::as_slice)) {
        let issuer = issuer.split_once("://").map_or(issuer.as_str(), |(_, rest)| rest);
        let remote_user = format!("{sub}@{issuer}");
        all.insert("REMOTE_USER".into(), vec![remote_user]);
    }
    all
}

fn flatten(name: &str, value: &Value, depth: usize, into: &mut Assertion) {
    let texts = match value {
        Value::Array(many) => many.iter().filter_map(text).collect(),
        Value::Object(inner) if depth > 0 => {
            for (key, value) in inner {
                flatten(&format!("{name}.{key}"), value, depth - 1, into);
            }
            return;
        }
        one => text(one).into_iter().collect::<Vec<_>>(),
    };
    if !texts.is_empty() {
        into.insert(name.to_owned(), texts);
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A time that is there is a number; `"exp": "never"` is not the same as none.
fn seconds(claims: &Claims, name: &str) -> Result<Option<i64>, Denial> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) => Ok(Some(seconds as i64)),
            None => Err(Denial::refused(format!("the token's {name} is no time"))),
        },
    }
}
