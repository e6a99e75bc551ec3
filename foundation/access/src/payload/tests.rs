// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]
//! Every kind of payload, against what the libraries that Keystone uses wrote.

use super::*;
use crate::fernet::Key;

/// Made by Python's `msgpack` and `cryptography`, the libraries that Keystone uses, in Keystone's field order.
const VECTORS: &str = include_str!("../../testdata/keystone_tokens.json");

const USER: &str = "5c0bd4b8bb9b4f0eb7ac3e9e4b1a9a01";
const PROJECT: &str = "ddc7a3b9e2f14d1b9b7b1a2c3d4e5f60";
const THIRD: &str = "0123456789abcdef0123456789abcdef";

fn audit(texts: &[&str]) -> Vec<AuditId> {
    texts.iter().map(|text| AuditId::parse(text).unwrap()).collect()
}

fn expected(name: &str) -> Payload {
    let one = audit(&["3T2dc1CGQxyJsHdDu1xkcw"]);
    let two = audit(&["3T2dc1CGQxyJsHdDu1xkcw", "qLOxyJsHdDu1xkcwT2dc1A"]);
    let project = ProjectId::from(PROJECT);
    let base = Payload {
        user: USER.into(),
        methods: Methods::PASSWORD,
        scope: PayloadScope::Unscoped,
        expires_at: Timestamp::from_seconds(1_795_388_700),
        audit_ids: one,
    };
    match name {
        "unscoped" => base,
        "unscoped_names" => Payload {
            user: "ldap-user".into(),
            methods: Methods::PASSWORD.and(Methods::TOKEN),
            expires_at: Timestamp(1_795_388_700_123_456),
            audit_ids: two,
            ..base
        },
        "domain" => Payload { scope: PayloadScope::Domain(THIRD.into()), ..base },
        "domain_default" => Payload { scope: PayloadScope::Domain("default".into()), ..base },
        "project" => Payload { scope: PayloadScope::Project(project), audit_ids: two, ..base },
        "trust" => Payload { scope: PayloadScope::Trust { project, trust: THIRD.into() }, ..base },
        "system" => Payload { scope: PayloadScope::System, ..base },
        "application_credential" => Payload {
            methods: Methods::APPLICATION_CREDENTIAL,
            scope: PayloadScope::ApplicationCredential { project, credential: THIRD.into() },
            ..base
        },
        "oauth1" => {
            Payload { methods: Methods::OAUTH1, scope: PayloadScope::OAuth1 { project, access_token: THIRD.into() }, ..base }
        }
        "oauth2_project" => Payload {
            methods: Methods::OAUTH2_CREDENTIAL,
            scope: PayloadScope::OAuth2 {
                project: Some(project),
                domain: None,
                thumbprint: "kLSjo9yFB5XyRzTXPPPQQKPpVLyGQZqNNaxkMNEHUXQ".into(),
            },
            ..base
        },
        "federated_unscoped" => Payload {
            methods: Methods::MAPPED,
            scope: PayloadScope::FederatedUnscoped(federated_by(PROJECT, &[THIRD, "staff"])),
            ..base
        },
        "federated_project" => Payload {
            methods: Methods::MAPPED.and(Methods::TOKEN),
            scope: PayloadScope::FederatedProject { project, federated: federated_by("our-idp", &[THIRD]) },
            ..base
        },
        "federated_domain" => Payload {
            methods: Methods::MAPPED.and(Methods::TOKEN),
            scope: PayloadScope::FederatedDomain { domain: "default".into(), federated: federated_by("our-idp", &[]) },
            ..base
        },
        "totp" => Payload { methods: Methods::PASSWORD.and(Methods::TOTP), scope: PayloadScope::Project(project), ..base },
        other => panic!("nothing is expected of the vector {other}"),
    }
}

fn federated_by(identity_provider: &str, groups: &[&str]) -> Federated {
    Federated {
        groups: groups.iter().copied().map(GroupId::from).collect(),
        identity_provider: identity_provider.into(),
        protocol: "openid".into(),
    }
}

#[test]
fn reads_and_writes_what_python_wrote() {
    let file: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    let key = Key::parse(file["key"].as_str().unwrap()).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 14);
    for vector in vectors {
        let name = vector["name"].as_str().unwrap();
        let opened = key.open(vector["token"].as_str().unwrap()).unwrap();
        assert_eq!(opened.sealed_at.seconds(), file["issued_at"].as_i64().unwrap());
        assert_eq!(hex::encode(&opened.message), vector["payload"].as_str().unwrap(), "{name}");
        let payload = expected(name);
        assert_eq!(Payload::unpack(&opened.message).as_ref(), Ok(&payload), "{name}");
        assert_eq!(hex::encode(payload.pack()), vector["payload"].as_str().unwrap(), "{name}");
    }
}

#[test]
fn malformed_bytes_are_refused_and_never_panic() {
    for name in ["project", "trust", "federated_project", "oauth2_project"] {
        damaged(&expected(name).pack());
    }
    assert_eq!(Payload::unpack(&[0x91, 11]), Err(BadPayload::Unsupported(11)));
}

fn damaged(whole: &[u8]) {
    for end in 0..whole.len() {
        assert!(Payload::unpack(&whole[..end]).is_err(), "cut at {end}");
    }
    for i in 0..whole.len() {
        for value in [0x00, 0x7f, 0x90, 0xc0, 0xc6, 0xdb, 0xdd, 0xff] {
            let mut altered = whole.to_vec();
            altered[i] = value;
            let _ = Payload::unpack(&altered);
        }
    }
    let mut longer = whole.to_vec();
    longer.push(0);
    assert_eq!(Payload::unpack(&longer), Err(BadPayload::Malformed));
}

#[test]
fn other_spellings_of_a_uuid_stay_as_they_are() {
    for id in ["5C0BD4B8BB9B4F0EB7AC3E9E4B1A9A01", "5c0bd4b8-bb9b-4f0e-b7ac-3e9e4b1a9a01", "default", ""] {
        let payload = Payload { user: id.into(), ..expected("unscoped") };
        assert_eq!(Payload::unpack(&payload.pack()).unwrap().user.as_str(), id);
    }
}

#[test]
fn methods_are_listed_as_keystone_lists_them() {
    assert_eq!(Methods::PASSWORD.and(Methods::TOKEN).names(), ["token", "password"]);
    assert_eq!(Methods::default().names(), [""; 0]);
}

#[test]
fn a_receipt_is_what_python_wrote_and_no_token() {
    let receipt = ReceiptPayload { user: USER.into(), methods: Methods::PASSWORD, expires_at: Timestamp(1_795_388_700_500_000) };
    let packed = receipt.pack();
    assert_eq!(hex::encode(&packed), "9392c3c4105c0bd4b8bb9b4f0eb7ac3e9e4b1a9a0102cb41dac0dd47200000");
    assert_eq!(ReceiptPayload::unpack(&packed), Ok(receipt));
    assert_eq!(Payload::unpack(&packed), Err(BadPayload::Malformed));
    assert_eq!(ReceiptPayload::unpack(&expected("project").pack()), Err(BadPayload::Malformed));
}
