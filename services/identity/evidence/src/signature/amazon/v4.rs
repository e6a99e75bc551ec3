// SPDX-License-Identifier: Apache-2.0
//! Version 4: a canonical request under a key that is derived for a day, a region and a service. What describes the
//! signature stands in the header `Authorization`, or in the query.

use hmac::Mac;
use sha2::{Digest, Sha256};
use types::Secret;

use super::{BadSignature, SignedRequest, is, query::canonical_query, sha256};

pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const REQUEST: &str = "aws4_request";

/// Day, region and service: for what a key is derived.
pub struct KeyScope<'a> {
    pub day: &'a str,
    pub region: &'a str,
    pub service: &'a str,
}

pub fn is_v4(request: &SignedRequest) -> bool {
    request.header("Authorization").is_some_and(|header| header.starts_with(ALGORITHM))
        || request.param("X-Amz-Algorithm").as_deref() == Some(ALGORITHM)
}

pub fn verify(secret: &Secret<String>, request: &SignedRequest) -> Result<(), BadSignature> {
    let credential = described(request, "Credential").ok_or(BadSignature)?;
    let (_, scope_text) = credential.split_once('/').ok_or(BadSignature)?;
    let scope = KeyScope::parse(scope_text).ok_or(BadSignature)?;
    let time = request.header("X-Amz-Date").or_else(|| request.param("X-Amz-Date")).ok_or(BadSignature)?;
    if !time.starts_with(scope.day) {
        return Err(BadSignature);
    }
    let canonical = Sha256::digest(canonical_request(request)?.as_bytes());
    let signed = format!("{ALGORITHM}\n{time}\n{scope_text}\n{}", hex::encode(canonical));
    verify_text(secret, &scope, signed.as_bytes(), request)
}

/// The text that was signed, under the key of its scope.
pub fn verify_text(
    secret: &Secret<String>,
    scope: &KeyScope<'_>,
    signed: &[u8],
    request: &SignedRequest,
) -> Result<(), BadSignature> {
    let signature = hex::decode(request.signature()?).map_err(|_| BadSignature)?;
    is(sha256(&scope.key(secret)).chain_update(signed), &signature)
}

impl<'a> KeyScope<'a> {
    /// `20150830/us-east-1/service/aws4_request`
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split('/');
        let (day, region, service) = (parts.next()?, parts.next()?, parts.next()?);
        let is_whole = parts.next() == Some(REQUEST) && parts.next().is_none() && day.len() == 8;
        is_whole.then_some(Self { day, region, service })
    }

    fn key(&self, secret: &Secret<String>) -> Vec<u8> {
        let first = format!("AWS4{}", secret.reveal()).into_bytes();
        [self.day, self.region, self.service, REQUEST]
            .iter()
            .fold(first, |key, part| sha256(&key).chain_update(part).finalize().into_bytes().to_vec())
    }
}

fn canonical_request(request: &SignedRequest) -> Result<String, BadSignature> {
    let names = described(request, "SignedHeaders").ok_or(BadSignature)?;
    let verb = request.verb.to_uppercase();
    // The parameters of a POST are its body.
    let query = if verb == "POST" { String::new() } else { canonical_query(&request.params, &["X-Amz-Signature"]) };
    let mut canonical = format!("{verb}\n{}\n{query}\n", request.path);
    for name in names.split(';') {
        // A name without its header was not signed by anyone who sent the request.
        let value = request.header(name).ok_or(BadSignature)?;
        let words: Vec<&str> = value.split_whitespace().collect();
        canonical.push_str(&format!("{name}:{}\n", words.join(" ")));
    }
    canonical.push_str(&format!("\n{names}\n{}", request.body_hash));
    Ok(canonical)
}

/// `Credential` or `SignedHeaders`, from the header or the query.
fn described(request: &SignedRequest, name: &str) -> Option<String> {
    let Some(header) = request.header("Authorization") else {
        return request.param(&format!("X-Amz-{name}"));
    };
    let (_, rest) = header.split_once(&format!("{name}="))?;
    Some(rest.split(',').next().unwrap_or_default().trim().to_owned())
}
