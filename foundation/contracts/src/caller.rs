// SPDX-License-Identifier: Apache-2.0
//! Who asks: what a token says once it has been checked.

use std::sync::Arc;

use types::{DomainId, ProjectId, RoleId, Timestamp, UserId};

use crate::BoxFuture;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub user: UserFacts,
    pub scope: TokenScope,
    pub roles: Vec<RoleFacts>,
    pub token: TokenFacts,
    /// The only requests that the token is good for, where it is not good for all.
    pub access_rules: Option<Arc<[AccessRule]>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFacts {
    pub id: UserId,
    pub name: String,
    pub domain: DomainFacts,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainFacts {
    pub id: DomainId,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectFacts {
    pub id: ProjectId,
    pub name: String,
    pub domain: DomainFacts,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenScope {
    Unscoped,
    Project(ProjectFacts),
    Domain(DomainFacts),
    System,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleFacts {
    pub id: RoleId,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    pub methods: Vec<String>,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub audit_ids: Vec<String>,
}

/// A kind of request, see `access::access_rule`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRule {
    pub id: String,
    /// The service's type in the catalog.
    pub service: String,
    pub method: String,
    pub path: String,
}

impl Caller {
    pub fn project_id(&self) -> Option<&ProjectId> {
        match &self.scope {
            TokenScope::Project(project) => Some(&project.id),
            _ => None,
        }
    }

    pub fn has_role(&self, name: &str) -> bool {
        self.roles.iter().any(|role| role.name.eq_ignore_ascii_case(name))
    }
}

/// The identity room's door for every other: from a token to its caller.
pub trait Authenticator: Send + Sync {
    fn caller<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Arc<Caller>, Unauthenticated>>;
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// Malformed, expired, revoked or never ours: the caller is not told which.
    #[error("The request you have made requires authentication.")]
    BadToken,
    #[error("the identity tables do not answer: {0}")]
    Unavailable(String),
}
