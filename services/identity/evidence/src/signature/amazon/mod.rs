// SPDX-License-Identifier: Apache-2.0
//! Signatures of Amazon's APIs. What was signed is put together again from what the service saw, and signed with the
//! kept secret; the two are compared in constant time.

mod query;
mod s3;
#[cfg(test)]
mod tests;
mod v4;

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha1::Sha1;
use sha2::Sha256;
use types::Secret;

use super::BadSignature;
pub use s3::{Dated, dated, may_be_presigned};

/// A signed request, as a service describes it.
#[derive(Deserialize)]
pub struct SignedRequest {
    pub access: Option<String>,
    pub signature: Option<String>,
    #[serde(default)]
    pub host: String,
    #[serde(default)]
    pub verb: String,
    #[serde(default)]
    pub path: String,
    #[serde(default)]
    pub params: Map<String, Value>,
    #[serde(default)]
    pub headers: Map<String, Value>,
    #[serde(default)]
    pub body_hash: String,
    /// For S3: the text that was signed, in base64.
    #[serde(default)]
    pub token: String,
}

/// A request to an API of EC2's kind: versions 0, 1, 2 and 4.
pub fn verify_request(secret: &Secret<String>, request: &SignedRequest) -> Result<(), BadSignature> {
    let version = request.param("SignatureVersion");
    match version.as_deref() {
        Some("0") => query::verify_v0(secret, request),
        Some("1") => query::verify_v1(secret, request),
        Some("2") => verify_v2(secret, request),
        _ if v4::is_v4(request) => v4::verify(secret, request),
        _ => Err(BadSignature),
    }
}

/// The text that an S3 gateway says was signed.
pub fn verify_s3(secret: &Secret<String>, request: &SignedRequest) -> Result<(), BadSignature> {
    s3::verify(secret, request)
}

/// Some clients sign the host without its port.
fn verify_v2(secret: &Secret<String>, request: &SignedRequest) -> Result<(), BadSignature> {
    query::verify_v2(secret, request, &request.host).or_else(|error| match request.host.rsplit_once(':') {
        Some((host, _)) => query::verify_v2(secret, request, host),
        None => Err(error),
    })
}

impl SignedRequest {
    /// A parameter as text.
    pub fn param(&self, name: &str) -> Option<String> {
        self.params.get(name).map(text)
    }

    /// A header as text, however its name is capitalised.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| text(value))
    }

    fn signature(&self) -> Result<&str, BadSignature> {
        self.signature.as_deref().filter(|signature| !signature.is_empty()).ok_or(BadSignature)
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn sha1(key: &[u8]) -> Hmac<Sha1> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn sha256(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// Compares in constant time.
fn is(mac: impl Mac, signature: &[u8]) -> Result<(), BadSignature> {
    mac.verify_slice(signature).map_err(|_| BadSignature)
}
