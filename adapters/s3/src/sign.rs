// SPDX-License-Identifier: Apache-2.0
//! Signature version 4 of Amazon's, in a header, with the hash of what is sent.

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use types::{Secret, Timestamp};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SIGNED: &str = "host;x-amz-content-sha256;x-amz-date";

/// All but what RFC 3986 calls unreserved.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const PATH: &AsciiSet = &NAME.remove(b'/');

#[derive(Debug, Clone)]
pub struct Keys {
    pub access: String,
    pub secret: Secret<String>,
}

/// What is signed. Path and query are already as they go over the wire.
pub(crate) struct Signed<'a> {
    pub method: &'a Method,
    pub host: &'a str,
    pub path: &'a str,
    /// Pairs, to be sent in this order.
    pub query: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

impl Signed<'_> {
    /// The headers that go with the request.
    pub fn headers(&self, keys: &Keys, region: &str, at: Timestamp) -> [(HeaderName, String); 3] {
        // `2013-05-24T00:00:00Z`, without what divides it.
        let time: String = Timestamp::from_seconds(at.seconds()).zulu().chars().filter(|c| !matches!(c, '-' | ':')).collect();
        let day = &time[..8];
        let hash = hex::encode(Sha256::digest(self.body));
        let mut query: Vec<String> = self.query.iter().map(|(name, value)| pair(name, value)).collect();
        query.sort();
        let canonical = format!(
            "{}\n{}\n{}\nhost:{}\nx-amz-content-sha256:{hash}\nx-amz-date:{time}\n\n{SIGNED}\n{hash}",
            self.method,
            self.path,
            query.join("&"),
            self.host,
        );
        let scope = format!("{day}/{region}/s3/aws4_request");
        let text = format!("{ALGORITHM}\n{time}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
        let first = format!("AWS4{}", keys.secret.reveal()).into_bytes();
        let key = [day, region, "s3", "aws4_request"].iter().fold(first, |key, part| mac(&key, part.as_bytes()));
        let signature = hex::encode(mac(&key, text.as_bytes()));
        let authorization =
            format!("{ALGORITHM} Credential={}/{scope},SignedHeaders={SIGNED},Signature={signature}", keys.access);
        [
            (http::header::AUTHORIZATION, authorization),
            (HeaderName::from_static("x-amz-content-sha256"), hash),
            (HeaderName::from_static("x-amz-date"), time),
        ]
    }
}

/// `name=value`, as both the URL and the signature have it.
pub(crate) fn pair(name: &str, value: &str) -> String {
    format!("{}={}", escape_name(name), escape_name(value))
}

pub(crate) fn escape_name(text: &str) -> String {
    utf8_percent_encode(text, NAME).to_string()
}

/// A path keeps its slashes.
pub(crate) fn escape_path(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string()
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two examples that Amazon publishes with its description of the signature.
    #[test]
    fn published_examples_are_signed_alike() {
        let keys = Keys {
            access: "AKIAIOSFODNN7EXAMPLE".into(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into()),
        };
        let at = Timestamp::from_seconds(1_369_353_600);
        let examples: [(&[(&str, &str)], &str); 2] = [
            (&[("lifecycle", "")], "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
            (&[("max-keys", "2"), ("prefix", "J")], "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
        ];
        for (query, signature) in examples {
            let host = "examplebucket.s3.amazonaws.com";
            let signed = Signed { method: &Method::GET, host, path: "/", query, body: b"" };
            let [(_, authorization), (_, hash), (_, time)] = signed.headers(&keys, "us-east-1", at);
            assert!(authorization.ends_with(&format!("Signature={signature}")), "{authorization}");
            assert_eq!((hash.len(), time.as_str()), (64, "20130524T000000Z"));
        }
    }

    #[test]
    fn names_are_escaped_as_the_signature_wants_them() {
        assert_eq!(escape_path("a b/ü~"), "a%20b/%C3%BC~");
        assert_eq!(pair("upload id", "a/b+"), "upload%20id=a%2Fb%2B");
    }
}
