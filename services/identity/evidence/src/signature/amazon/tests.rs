// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};
use types::{Secret, Timestamp};

use super::{BadSignature, Dated, SignedRequest, dated, verify_request, verify_s3};

/// Made by botocore and keystoneclient, and Amazon's published examples.
const VECTORS: &str = include_str!("../../../testdata/ec2_signatures.json");

type Verify = fn(&Secret<String>, &SignedRequest) -> Result<(), BadSignature>;

fn vectors(kind: &str) -> Vec<(String, Secret<String>, Value)> {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    let vector = |vector: &Value| {
        let text = |key: &str| vector[key].as_str().unwrap().to_owned();
        (text("name"), Secret::new(text("secret")), vector["credentials"].clone())
    };
    file[kind].as_array().unwrap().iter().map(vector).collect()
}

fn request(credentials: &Value) -> SignedRequest {
    serde_json::from_value(credentials.clone()).unwrap()
}

#[test]
fn signatures_of_the_real_signers_are_known() {
    let (mut known, kinds): (u32, [(&str, Verify); 2]) = (0, [("ec2", verify_request), ("s3", verify_s3)]);
    for (kind, verify) in kinds {
        for (name, secret, credentials) in vectors(kind) {
            assert_eq!(verify(&secret, &request(&credentials)), Ok(()), "{name}");
            let other = Secret::new(format!("{}x", secret.reveal()));
            assert_eq!(verify(&other, &request(&credentials)), Err(BadSignature), "{name}, another secret");
            known += 1;
        }
    }
    assert_eq!(known, 14);
}

#[test]
fn what_was_signed_cannot_be_altered() {
    for (name, secret, credentials) in vectors("ec2") {
        for field in ["verb", "path", "host", "body_hash", "signature"] {
            let mut altered = credentials.clone();
            altered[field] = json!("altered");
            let is_signed = match field {
                "signature" => true,
                // Version 4 signs the host as a header; versions 0 and 1 sign no more than the parameters.
                "host" => name.contains("version 2"),
                "body_hash" => name.contains("version 4") || name.contains("vanilla"),
                _ => !name.ends_with("version 0") && !name.ends_with("version 1"),
            };
            if is_signed {
                assert_eq!(verify_request(&secret, &request(&altered)), Err(BadSignature), "{name}: {field}");
            }
        }
        for group in ["params", "headers"] {
            for key in credentials[group].as_object().into_iter().flat_map(|group| group.keys()) {
                let mut altered = credentials.clone();
                altered[group][key] = json!("altered");
                let is_signed = match (group, key.as_str()) {
                    (_, "Signature" | "X-Amz-Signature" | "SignatureMethod") | ("headers", "Accept-Encoding" | "User-Agent") => {
                        false
                    }
                    ("params", key) if name.ends_with("version 0") => matches!(key, "Action" | "Timestamp" | "SignatureVersion"),
                    // What a POST sends is in the hash of its body.
                    ("params", _) => !name.ends_with("version 4 post"),
                    _ => true,
                };
                if is_signed {
                    assert_eq!(verify_request(&secret, &request(&altered)), Err(BadSignature), "{name}: {group} {key}");
                }
            }
        }
    }
}

#[test]
fn malformed_requests_are_refused_and_never_panic() {
    let secret = Secret::new("secret".to_owned());
    let header = |text: &str| json!({"signature": "00", "headers": {"Authorization": text, "X-Amz-Date": "20150830T123600Z"}});
    for credentials in [
        json!({}),
        json!({"signature": ""}),
        json!({"signature": "AAAA", "params": {"SignatureVersion": "2"}}),
        json!({"signature": "AAAA", "params": {"SignatureVersion": "3"}}),
        json!({"signature": "AAAA", "params": {"SignatureVersion": 0}}),
        header("AWS4-HMAC-SHA256"),
        header("AWS4-HMAC-SHA256 Credential=, SignedHeaders=, Signature="),
        header("AWS4-HMAC-SHA256 Credential=a/20150830/r/s, SignedHeaders=host, Signature=00"),
        header("AWS4-HMAC-SHA256 Credential=a/20150830/r/s/aws4_request/x, SignedHeaders=host, Signature=00"),
        header("AWS4-HMAC-SHA256 Credential=a/20150829/r/s/aws4_request, SignedHeaders=x-amz-date, Signature=00"),
        json!({"signature": "zz", "token": "*"}),
        json!({"signature": "AAAA", "token": "QVdTNA"}),
    ] {
        assert_eq!(verify_request(&secret, &request(&credentials)), Err(BadSignature), "{credentials}");
        assert_eq!(verify_s3(&secret, &request(&credentials)), Err(BadSignature), "{credentials}");
    }
}

#[test]
fn an_s3_signature_tells_its_time() {
    use base64::{Engine, engine::general_purpose::URL_SAFE};
    let of = |text: &str| dated(&request(&json!({"token": URL_SAFE.encode(text)})));
    let at = |text: &str| Timestamp::parse(text).unwrap();
    let day = at("2013-05-24T00:00:00Z");
    for (text, expected) in [
        ("AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/r/s3/aws4_request\n00", Dated::At(day)),
        ("GET\n\n\nFri, 24 May 2013 00:00:00 +0000\n/b/k", Dated::At(day)),
        ("GET\n\n\nFri, 24 May 2013 00:00:00 GMT\n/b/k", Dated::At(day)),
        ("GET\n\n\n\nx-amz-acl:x\nx-amz-date:Fri, 24 May 2013 00:00:00 +0000\n/b/k", Dated::At(day)),
        ("GET\n\n\n1369353600\n/b/k", Dated::Until(day)),
        ("GET\n\n\nyesterday\n/b/k", Dated::Unknown),
        ("", Dated::Unknown),
    ] {
        assert_eq!(of(text), expected, "{text}");
    }
}
