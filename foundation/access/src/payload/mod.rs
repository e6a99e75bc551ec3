// SPDX-License-Identifier: Apache-2.0
//! What a token carries: Keystone's payload, msgpack with a version number first, byte for byte.
//!
//! The date of issue is not here: it is the date of the Fernet seal.

mod methods;
mod receipt;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rmp::encode;
use types::{DomainId, GroupId, ProjectId, Timestamp, UserId};

pub use methods::Methods;
pub use receipt::ReceiptPayload;
use wire::{
    Reader, write_audit_ids, write_bare_id, write_flagged_id, write_flagged_ids, write_flagged_text, write_instant,
    write_optional_id,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    pub user: UserId,
    pub methods: Methods,
    pub scope: PayloadScope,
    pub expires_at: Timestamp,
    /// This token's own audit id; then, where it was bought with another token, that of the first of the chain.
    pub audit_ids: Vec<AuditId>,
}

/// What the token is for, and what it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadScope {
    Unscoped,
    Domain(DomainId),
    Project(ProjectId),
    Trust { project: ProjectId, trust: String },
    FederatedUnscoped(Federated),
    FederatedProject { project: ProjectId, federated: Federated },
    FederatedDomain { domain: DomainId, federated: Federated },
    OAuth1 { project: ProjectId, access_token: String },
    System,
    ApplicationCredential { project: ProjectId, credential: String },
    OAuth2 { project: Option<ProjectId>, domain: Option<DomainId>, thumbprint: String },
}

/// What another cloud's identity provider said of a user who is not in our tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Federated {
    pub groups: Vec<GroupId>,
    pub identity_provider: String,
    pub protocol: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuditId([u8; 16]);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPayload {
    #[error("tokens of kind {0} are not supported")]
    Unsupported(u64),
    #[error("the token's content is malformed")]
    Malformed,
}

mod version {
    pub const UNSCOPED: u64 = 0;
    pub const DOMAIN: u64 = 1;
    pub const PROJECT: u64 = 2;
    pub const TRUST: u64 = 3;
    pub const FEDERATED_UNSCOPED: u64 = 4;
    pub const FEDERATED_PROJECT: u64 = 5;
    pub const FEDERATED_DOMAIN: u64 = 6;
    pub const OAUTH1: u64 = 7;
    pub const SYSTEM: u64 = 8;
    pub const APPLICATION_CREDENTIAL: u64 = 9;
    pub const OAUTH2: u64 = 10;
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
            version::TRUST | version::OAUTH1 | version::APPLICATION_CREDENTIAL => 7,
            version::FEDERATED_UNSCOPED | version::OAUTH2 => 8,
            version::FEDERATED_PROJECT | version::FEDERATED_DOMAIN => 9,
            other => return Err(BadPayload::Unsupported(other)),
        };
        if fields != expected {
            return Err(BadPayload::Malformed);
        }
        let user = UserId::new(reader.flagged_id()?);
        let methods = Methods::from_bits(reader.number()?).ok_or(BadPayload::Malformed)?;
        // Most kinds say what they are for before the times; a few have a last field after them.
        let scope = match version {
            version::DOMAIN => PayloadScope::Domain(reader.bare_id()?.into()),
            version::PROJECT => PayloadScope::Project(reader.flagged_id()?.into()),
            version::TRUST => PayloadScope::Trust { project: reader.flagged_id()?.into(), trust: String::new() },
            version::FEDERATED_UNSCOPED => PayloadScope::FederatedUnscoped(federated(&mut reader)?),
            version::FEDERATED_PROJECT => {
                PayloadScope::FederatedProject { project: reader.flagged_id()?.into(), federated: federated(&mut reader)? }
            }
            version::FEDERATED_DOMAIN => {
                PayloadScope::FederatedDomain { domain: reader.flagged_id()?.into(), federated: federated(&mut reader)? }
            }
            version::OAUTH1 => PayloadScope::OAuth1 { project: reader.flagged_id()?.into(), access_token: reader.flagged_id()? },
            version::SYSTEM if reader.text()? == "all" => PayloadScope::System,
            version::APPLICATION_CREDENTIAL => {
                PayloadScope::ApplicationCredential { project: reader.flagged_id()?.into(), credential: String::new() }
            }
            version::OAUTH2 => PayloadScope::OAuth2 {
                project: reader.optional_id()?.map(ProjectId::new),
                domain: reader.optional_id()?.map(DomainId::new),
                thumbprint: String::new(),
            },
            version::UNSCOPED => PayloadScope::Unscoped,
            _ => return Err(BadPayload::Malformed),
        };
        let expires_at = reader.instant()?;
        let audit_ids = reader.audit_ids()?;
        let scope = match scope {
            PayloadScope::Trust { project, .. } => PayloadScope::Trust { project, trust: reader.bare_id()? },
            PayloadScope::ApplicationCredential { project, .. } => {
                PayloadScope::ApplicationCredential { project, credential: reader.flagged_id()? }
            }
            PayloadScope::OAuth2 { project, domain, .. } => {
                PayloadScope::OAuth2 { project, domain, thumbprint: reader.flagged_id()? }
            }
            whole => whole,
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
            PayloadScope::FederatedUnscoped(_) => (version::FEDERATED_UNSCOPED, 8),
            PayloadScope::FederatedProject { .. } => (version::FEDERATED_PROJECT, 9),
            PayloadScope::FederatedDomain { .. } => (version::FEDERATED_DOMAIN, 9),
            PayloadScope::OAuth1 { .. } => (version::OAUTH1, 7),
            PayloadScope::System => (version::SYSTEM, 6),
            PayloadScope::ApplicationCredential { .. } => (version::APPLICATION_CREDENTIAL, 7),
            PayloadScope::OAuth2 { .. } => (version::OAUTH2, 8),
        };
        encode::write_array_len(out, fields)?;
        encode::write_uint(out, version)?;
        write_flagged_id(out, self.user.as_str())?;
        encode::write_uint(out, self.methods.bits())?;
        match &self.scope {
            PayloadScope::Unscoped => {}
            PayloadScope::Domain(domain) => write_bare_id(out, domain.as_str())?,
            PayloadScope::System => encode::write_str(out, "all")?,
            PayloadScope::Project(project)
            | PayloadScope::Trust { project, .. }
            | PayloadScope::ApplicationCredential { project, .. } => write_flagged_id(out, project.as_str())?,
            PayloadScope::FederatedUnscoped(federated) => write_federated(out, federated)?,
            PayloadScope::FederatedProject { project, federated } => {
                write_flagged_id(out, project.as_str())?;
                write_federated(out, federated)?;
            }
            PayloadScope::FederatedDomain { domain, federated } => {
                write_flagged_id(out, domain.as_str())?;
                write_federated(out, federated)?;
            }
            PayloadScope::OAuth1 { project, access_token } => {
                write_flagged_id(out, project.as_str())?;
                write_flagged_id(out, access_token)?;
            }
            PayloadScope::OAuth2 { project, domain, .. } => {
                write_optional_id(out, project.as_ref().map(ProjectId::as_str))?;
                write_optional_id(out, domain.as_ref().map(DomainId::as_str))?;
            }
        }
        write_instant(out, self.expires_at)?;
        write_audit_ids(out, &self.audit_ids)?;
        match &self.scope {
            PayloadScope::Trust { trust, .. } => write_bare_id(out, trust),
            PayloadScope::ApplicationCredential { credential, .. } => write_flagged_id(out, credential),
            PayloadScope::OAuth2 { thumbprint, .. } => write_flagged_text(out, thumbprint),
            _ => Ok(()),
        }
    }
}

fn federated(reader: &mut Reader<'_>) -> Result<Federated, BadPayload> {
    Ok(Federated {
        groups: reader.flagged_ids()?.into_iter().map(GroupId::new).collect(),
        identity_provider: reader.flagged_id()?,
        protocol: reader.text()?,
    })
}

fn write_federated(out: &mut Vec<u8>, federated: &Federated) -> Result<(), encode::ValueWriteError> {
    write_flagged_ids(out, federated.groups.iter().map(GroupId::as_str))?;
    write_flagged_id(out, &federated.identity_provider)?;
    encode::write_str(out, &federated.protocol)
}
