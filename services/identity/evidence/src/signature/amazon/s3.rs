// SPDX-License-Identifier: Apache-2.0
//! S3: the gateway sends the very text that was signed. Version 4 names its key's scope in it, version 1 does not.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use hmac::Mac;
use types::{Secret, Timestamp};

use super::{
    BadSignature, SignedRequest, is, sha1,
    v4::{self, KeyScope},
};

/// The services that speak with S3's keys.
const SERVICES: [&str; 3] = ["s3", "iam", "sts"];

/// What the signed text says of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dated {
    /// Signed for use at this instant.
    At(Timestamp),
    /// A presigned address, good until then.
    Until(Timestamp),
    /// It says nothing that we can read.
    Unknown,
}

pub fn verify(secret: &Secret<String>, request: &SignedRequest) -> Result<(), BadSignature> {
    let signed = signed_text(request)?;
    let lines: Vec<&str> = match std::str::from_utf8(&signed) {
        Ok(text) if text.starts_with("AWS4") => text.split('\n').collect(),
        _ => return verify_v1(secret, &signed, request),
    };
    let [v4::ALGORITHM, _, scope, _] = lines.as_slice() else { return Err(BadSignature) };
    let scope = KeyScope::parse(scope).filter(|scope| SERVICES.contains(&scope.service)).ok_or(BadSignature)?;
    v4::verify_text(secret, &scope, &signed, request)
}

fn verify_v1(secret: &Secret<String>, signed: &[u8], request: &SignedRequest) -> Result<(), BadSignature> {
    let signature = STANDARD.decode(request.signature()?.trim()).map_err(|_| BadSignature)?;
    is(sha1(secret.reveal().as_bytes()).chain_update(signed), &signature)
}

pub fn dated(request: &SignedRequest) -> Dated {
    let Ok(signed) = signed_text(request) else { return Dated::Unknown };
    let text = String::from_utf8_lossy(&signed);
    let mut lines = text.split('\n');
    if text.starts_with("AWS4") {
        return lines.nth(1).and_then(Timestamp::parse).map_or(Dated::Unknown, Dated::At);
    }
    // Verb, MD5, type, and then a date, the end of a presigned address, or nothing where a header has the date.
    let date = lines.nth(3).unwrap_or_default();
    if let Ok(seconds) = date.parse() {
        return Dated::Until(Timestamp::from_seconds(seconds));
    }
    let date = if date.is_empty() { lines.find_map(|line| line.strip_prefix("x-amz-date:")).unwrap_or_default() } else { date };
    match jiff::fmt::rfc2822::parse(date.trim()) {
        Ok(at) => Dated::At(Timestamp(at.timestamp().as_microsecond())),
        Err(_) => Timestamp::parse(date.trim()).map_or(Dated::Unknown, Dated::At),
    }
}

/// Version 4 dates a presigned address by its making, and does not say in the signed text until when it is good.
pub fn may_be_presigned(request: &SignedRequest) -> bool {
    signed_text(request).is_ok_and(|signed| signed.starts_with(b"AWS4"))
}

/// Gateways send both alphabets of base64, with and without padding and line ends.
fn signed_text(request: &SignedRequest) -> Result<Vec<u8>, BadSignature> {
    let plain: String = request
        .token
        .chars()
        .filter(|c| !c.is_ascii_whitespace() && *c != '=')
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    STANDARD_NO_PAD.decode(plain).map_err(|_| BadSignature)
}
