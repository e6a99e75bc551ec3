// SPDX-License-Identifier: Apache-2.0
//! Versions 0, 1 and 2: parameters of the query, signed in base64.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::Mac;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde_json::{Map, Value};
use types::Secret;

use super::{BadSignature, SignedRequest, is, sha1, sha256, text};

/// All but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The action and its time.
pub fn verify_v0(secret: &Secret<String>, request: &SignedRequest) -> Result<(), BadSignature> {
    let (Some(action), Some(time)) = (request.param("Action"), request.param("Timestamp")) else { return Err(BadSignature) };
    is(sha1(secret.reveal().as_bytes()).chain_update(action).chain_update(time), &in_base64(request)?)
}

/// All names and values, sorted by the names in small letters.
pub fn verify_v1(secret: &Secret<String>, request: &SignedRequest) -> Result<(), BadSignature> {
    let mut params: Vec<(String, &String, &Value)> =
        request.params.iter().map(|(name, value)| (name.to_lowercase(), name, value)).collect();
    params.sort_by(|a, b| a.0.cmp(&b.0));
    let mut mac = sha1(secret.reveal().as_bytes());
    for (_, name, value) in params {
        mac.update(name.as_bytes());
        mac.update(text(value).as_bytes());
    }
    is(mac, &in_base64(request)?)
}

/// The verb, the host, the path and the query.
pub fn verify_v2(secret: &Secret<String>, request: &SignedRequest, host: &str) -> Result<(), BadSignature> {
    let mut params = request.params.clone();
    params.insert("SignatureMethod".to_owned(), Value::from("HmacSHA256"));
    let signed = format!("{}\n{host}\n{}\n{}", request.verb, request.path, canonical_query(&params, &["Signature"]));
    is(sha256(secret.reveal().as_bytes()).chain_update(signed), &in_base64(request)?)
}

/// Names and values, escaped and sorted; without those that the signature itself travels in.
pub fn canonical_query(params: &Map<String, Value>, without: &[&str]) -> String {
    let mut pairs: Vec<(&String, &Value)> = params.iter().filter(|(name, _)| !without.contains(&name.as_str())).collect();
    pairs.sort_by_key(|(name, _)| *name);
    let pairs: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{}={}", escape(name), escape(&text(value)))).collect();
    pairs.join("&")
}

fn escape(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

fn in_base64(request: &SignedRequest) -> Result<Vec<u8>, BadSignature> {
    STANDARD.decode(request.signature()?.trim()).map_err(|_| BadSignature)
}
