// SPDX-License-Identifier: Apache-2.0
//! What a token carries: Keystone's payload, msgpack with a version number first, byte for byte.
//!
//! Ids that are 32 hex digits travel as 16 bytes. The date of issue is not here: it is the date of the Fernet seal.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rmp::{Marker, decode, encode};
use types::{DomainId, ProjectId, Timestamp, UserId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    pub user: UserId,
    pub methods: Methods,
    pub scope: PayloadScope,
    pub expires_at: Timestamp,
    /// This token's own audit id; then, where it was bought with another token, that of the first of the chain.
    pub audit_ids: Vec<AuditId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadScope {
    Unscoped,
    Domain(DomainId),
    Project(ProjectId),
    Trust { project: ProjectId, trust: String },
    System,
    ApplicationCredential { project: ProjectId, credential: String },
}

/// The ways in which the bearer proved who they are: one bit each, in the order of Keystone's default configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Methods(u32);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuditId([u8; 16]);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPayload {
    #[error("tokens of kind {0} are not supported")]
    Unsupported(u64),
    #[error("the token's content is malformed")]
    Malformed,
}

const METHOD_NAMES: [&str; 6] = ["external", "password", "token", "oauth1", "mapped", "application_credential"];

mod version {
    pub const UNSCOPED: u64 = 0;
    pub const DOMAIN: u64 = 1;
    pub const PROJECT: u64 = 2;
    pub const TRUST: u64 = 3;
    pub const SYSTEM: u64 = 8;
    pub const APPLICATION_CREDENTIAL: u64 = 9;
}

impl Methods {
    pub const PASSWORD: Self = Self(1 << 1);
    pub const TOKEN: Self = Self(1 << 2);
    pub const APPLICATION_CREDENTIAL: Self = Self(1 << 5);

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Highest bit first, as Keystone lists them.
    pub fn names(self) -> Vec<&'static str> {
        let set = |bit: &usize| self.0 & (1 << bit) != 0;
        (0..METHOD_NAMES.len()).rev().filter(set).map(|bit| METHOD_NAMES[bit]).collect()
    }
}

impl AuditId {
    pub fn generate() -> Self {
        Self(*uuid::Uuid::new_v4().as_bytes())
    }

    pub fn parse(text: &str) -> Option<Self> {
        Some(Self(URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?))
    }
}

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Payload {
    pub fn pack(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        self.write(&mut out).expect("writing to memory does not fail");
        out
    }

    pub fn unpack(bytes: &[u8]) -> Result<Self, BadPayload> {
        let mut reader = Reader(bytes);
        let fields = reader.array()?;
        let version = reader.number()?;
        let expected = match version {
            version::UNSCOPED => 5,
            version::DOMAIN | version::PROJECT | version::SYSTEM => 6,
            version::TRUST | version::APPLICATION_CREDENTIAL => 7,
            other => return Err(BadPayload::Unsupported(other)),
        };
        if fields != expected {
            return Err(BadPayload::Malformed);
        }
        let user = UserId::new(reader.flagged_id()?);
        let methods = Methods(u32::try_from(reader.number()?).map_err(|_| BadPayload::Malformed)?);
        let scoped_to = match version {
            version::DOMAIN => Some(reader.bare_id()?),
            version::PROJECT | version::TRUST | version::APPLICATION_CREDENTIAL => Some(reader.flagged_id()?),
            version::SYSTEM => Some(reader.text()?),
            _ => None,
        };
        let expires_at = reader.instant()?;
        let audit_ids = reader.audit_ids()?;
        let scope = match (version, scoped_to) {
            (version::DOMAIN, Some(domain)) => PayloadScope::Domain(DomainId::new(domain)),
            (version::PROJECT, Some(project)) => PayloadScope::Project(ProjectId::new(project)),
            (version::TRUST, Some(project)) => PayloadScope::Trust { project: ProjectId::new(project), trust: reader.bare_id()? },
            (version::APPLICATION_CREDENTIAL, Some(project)) => {
                PayloadScope::ApplicationCredential { project: ProjectId::new(project), credential: reader.flagged_id()? }
            }
            (version::SYSTEM, Some(system)) if system == "all" => PayloadScope::System,
            (version::UNSCOPED, None) => PayloadScope::Unscoped,
            _ => return Err(BadPayload::Malformed),
        };
        if !reader.0.is_empty() {
            return Err(BadPayload::Malformed);
        }
        Ok(Self { user, methods, scope, expires_at, audit_ids })
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), encode::ValueWriteError> {
        let (version, fields) = match &self.scope {
            PayloadScope::Unscoped => (version::UNSCOPED, 5),
            PayloadScope::Domain(_) => (version::DOMAIN, 6),
            PayloadScope::Project(_) => (version::PROJECT, 6),
            PayloadScope::Trust { .. } => (version::TRUST, 7),
            PayloadScope::System => (version::SYSTEM, 6),
            PayloadScope::ApplicationCredential { .. } => (version::APPLICATION_CREDENTIAL, 7),
        };
        encode::write_array_len(out, fields)?;
        encode::write_uint(out, version)?;
        write_flagged_id(out, self.user.as_str())?;
        encode::write_uint(out, u64::from(self.methods.0))?;
        match &self.scope {
            PayloadScope::Unscoped => {}
            PayloadScope::Domain(domain) => write_bare_id(out, domain.as_str())?,
            PayloadScope::System => encode::write_str(out, "all")?,
            PayloadScope::Project(project)
            | PayloadScope::Trust { project, .. }
            | PayloadScope::ApplicationCredential { project, .. } => write_flagged_id(out, project.as_str())?,
        }
        encode::write_f64(out, self.expires_at.micros() as f64 / 1e6)?;
        encode::write_array_len(out, self.audit_ids.len() as u32)?;
        for id in &self.audit_ids {
            encode::write_bin(out, &id.0)?;
        }
        match &self.scope {
            PayloadScope::Trust { trust, .. } => write_bare_id(out, trust),
            PayloadScope::ApplicationCredential { credential, .. } => write_flagged_id(out, credential),
            _ => Ok(()),
        }
    }
}

/// The 16 bytes of an id in Keystone's own spelling. Another spelling of a UUID is a different id, and stays text.
fn packed(id: &str) -> Option<[u8; 16]> {
    let canonical = id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let bytes = if canonical { hex::decode(id).ok()? } else { return None };
    bytes.try_into().ok()
}

fn write_bare_id(out: &mut Vec<u8>, id: &str) -> Result<(), encode::ValueWriteError> {
    match packed(id) {
        Some(bytes) => encode::write_bin(out, &bytes),
        None => encode::write_str(out, id),
    }
}

fn write_flagged_id(out: &mut Vec<u8>, id: &str) -> Result<(), encode::ValueWriteError> {
    encode::write_array_len(out, 2)?;
    encode::write_bool(out, packed(id).is_some()).map_err(encode::ValueWriteError::InvalidMarkerWrite)?;
    write_bare_id(out, id)
}

/// Reads the handful of msgpack forms that a payload uses. Lengths are checked against what is there.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array(&mut self) -> Result<u32, BadPayload> {
        decode::read_array_len(&mut self.0).map_err(|_| BadPayload::Malformed)
    }

    fn number(&mut self) -> Result<u64, BadPayload> {
        decode::read_int(&mut self.0).map_err(|_| BadPayload::Malformed)
    }

    fn instant(&mut self) -> Result<Timestamp, BadPayload> {
        let seconds = decode::read_f64(&mut self.0).map_err(|_| BadPayload::Malformed)?;
        if !(0.0..1e12).contains(&seconds) {
            return Err(BadPayload::Malformed);
        }
        Ok(Timestamp((seconds * 1e6).round() as i64))
    }

    fn bytes(&mut self) -> Result<&'a [u8], BadPayload> {
        let length = decode::read_bin_len(&mut self.0).map_err(|_| BadPayload::Malformed)?;
        self.take(length)
    }

    fn text(&mut self) -> Result<String, BadPayload> {
        let length = decode::read_str_len(&mut self.0).map_err(|_| BadPayload::Malformed)?;
        let bytes = self.take(length)?;
        Ok(std::str::from_utf8(bytes).map_err(|_| BadPayload::Malformed)?.to_owned())
    }

    fn take(&mut self, length: u32) -> Result<&'a [u8], BadPayload> {
        let (taken, rest) = self.0.split_at_checked(length as usize).ok_or(BadPayload::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn packed_id(&mut self) -> Result<String, BadPayload> {
        let bytes = self.bytes()?;
        if bytes.len() == 16 { Ok(hex::encode(bytes)) } else { Err(BadPayload::Malformed) }
    }

    /// An id of a kind that is nearly always packed carries no flag: its msgpack type tells.
    fn bare_id(&mut self) -> Result<String, BadPayload> {
        let is_packed = matches!(self.0.first().map(|byte| Marker::from_u8(*byte)), Some(Marker::Bin8));
        if is_packed { self.packed_id() } else { self.text() }
    }

    fn flagged_id(&mut self) -> Result<String, BadPayload> {
        if self.array()? != 2 {
            return Err(BadPayload::Malformed);
        }
        let is_packed = decode::read_bool(&mut self.0).map_err(|_| BadPayload::Malformed)?;
        if is_packed { self.packed_id() } else { self.text() }
    }

    fn audit_ids(&mut self) -> Result<Vec<AuditId>, BadPayload> {
        let count = self.array()?;
        if count > 8 {
            return Err(BadPayload::Malformed);
        }
        (0..count).map(|_| Ok(AuditId(self.bytes()?.try_into().map_err(|_| BadPayload::Malformed)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::fernet::Key;

    /// Made by Python's `msgpack` and `cryptography`, the libraries that Keystone uses, in Keystone's field order.
    const VECTORS: &str = include_str!("../testdata/keystone_tokens.json");

    const USER: &str = "5c0bd4b8bb9b4f0eb7ac3e9e4b1a9a01";
    const PROJECT: &str = "ddc7a3b9e2f14d1b9b7b1a2c3d4e5f60";
    const THIRD: &str = "0123456789abcdef0123456789abcdef";

    fn audit(texts: &[&str]) -> Vec<AuditId> {
        texts.iter().map(|text| AuditId::parse(text).unwrap()).collect()
    }

    fn expected(name: &str) -> Option<Payload> {
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
        Some(match name {
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
            _ => return None,
        })
    }

    #[test]
    fn reads_and_writes_what_python_wrote() {
        let file: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
        let key = Key::parse(file["key"].as_str().unwrap()).unwrap();
        let mut supported = 0;
        for vector in file["vectors"].as_array().unwrap() {
            let name = vector["name"].as_str().unwrap();
            let opened = key.open(vector["token"].as_str().unwrap()).unwrap();
            assert_eq!(opened.sealed_at.seconds(), file["issued_at"].as_i64().unwrap());
            assert_eq!(hex::encode(&opened.message), vector["payload"].as_str().unwrap(), "{name}");
            match expected(name) {
                Some(payload) => {
                    assert_eq!(Payload::unpack(&opened.message).as_ref(), Ok(&payload), "{name}");
                    assert_eq!(hex::encode(payload.pack()), vector["payload"].as_str().unwrap(), "{name}");
                    supported += 1;
                }
                None => assert_eq!(Payload::unpack(&opened.message), Err(BadPayload::Unsupported(7)), "{name}"),
            }
        }
        assert_eq!(supported, 8);
    }

    #[test]
    fn malformed_bytes_are_refused_and_never_panic() {
        let whole = expected("project").unwrap().pack();
        for end in 0..whole.len() {
            assert!(Payload::unpack(&whole[..end]).is_err(), "cut at {end}");
        }
        for i in 0..whole.len() {
            for value in [0x00, 0x7f, 0x90, 0xc0, 0xc6, 0xdb, 0xdd, 0xff] {
                let mut altered = whole.clone();
                altered[i] = value;
                let _ = Payload::unpack(&altered);
            }
        }
        let mut longer = whole;
        longer.push(0);
        assert_eq!(Payload::unpack(&longer), Err(BadPayload::Malformed));
    }

    #[test]
    fn other_spellings_of_a_uuid_stay_as_they_are() {
        for id in ["5C0BD4B8BB9B4F0EB7AC3E9E4B1A9A01", "5c0bd4b8-bb9b-4f0e-b7ac-3e9e4b1a9a01", "default", ""] {
            let payload = Payload { user: id.into(), ..expected("unscoped").unwrap() };
            assert_eq!(Payload::unpack(&payload.pack()).unwrap().user.as_str(), id);
        }
    }

    #[test]
    fn methods_are_listed_as_keystone_lists_them() {
        assert_eq!(Methods::PASSWORD.and(Methods::TOKEN).names(), ["token", "password"]);
        assert_eq!(Methods::default().names(), [""; 0]);
    }
}
