// SPDX-License-Identifier: Apache-2.0
//! What a rule may ask about the caller: the left side of `project_id:%(project_id)s`.

use contracts::caller::{Caller, DomainFacts, ProjectFacts, TokenScope};

/// One attribute under any of the names that the OpenStack services give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    UserId,
    UserName,
    UserDomainId,
    UserDomainName,
    ProjectId,
    ProjectName,
    ProjectDomainId,
    ProjectDomainName,
    DomainId,
    DomainName,
    SystemScope,
    RoleNames,
    RoleIds,
    Methods,
}

impl Attribute {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "user_id" | "user" | "token.user.id" => Self::UserId,
            "user_name" | "username" | "token.user.name" => Self::UserName,
            "user_domain_id" | "user_domain" | "token.user.domain.id" => Self::UserDomainId,
            "user_domain_name" | "token.user.domain.name" => Self::UserDomainName,
            "project_id" | "tenant_id" | "tenant" | "project" | "token.project.id" => Self::ProjectId,
            "project_name" | "tenant_name" | "token.project.name" => Self::ProjectName,
            "project_domain_id" | "project_domain" | "token.project.domain.id" => Self::ProjectDomainId,
            "project_domain_name" | "token.project.domain.name" => Self::ProjectDomainName,
            "domain_id" | "domain" | "token.domain.id" => Self::DomainId,
            "domain_name" | "token.domain.name" => Self::DomainName,
            "system_scope" | "token.system.all" => Self::SystemScope,
            "roles" | "token.roles.name" => Self::RoleNames,
            "token.roles.id" => Self::RoleIds,
            "token.methods" => Self::Methods,
            _ => return None,
        })
    }

    /// Whether the caller has this attribute with this value. What the caller does not have equals nothing but the
    /// word `None` in the rule's own text: a target without a project is not that of a caller without one.
    pub fn is(self, caller: &Caller, text: &str) -> bool {
        match self {
            Self::UserId => caller.user.id.as_str() == text,
            Self::UserName => caller.user.name == text,
            Self::UserDomainId => caller.user.domain.id.as_str() == text,
            Self::UserDomainName => caller.user.domain.name == text,
            Self::ProjectId => project(caller).is_some_and(|project| project.id.as_str() == text),
            Self::ProjectName => project(caller).is_some_and(|project| project.name == text),
            Self::ProjectDomainId => project(caller).is_some_and(|project| project.domain.id.as_str() == text),
            Self::ProjectDomainName => project(caller).is_some_and(|project| project.domain.name == text),
            Self::DomainId => domain(caller).is_some_and(|domain| domain.id.as_str() == text),
            Self::DomainName => domain(caller).is_some_and(|domain| domain.name == text),
            // Attribute `system_scope` is "all"; the token's own form is `{"system": {"all": true}}`.
            Self::SystemScope => caller.scope == TokenScope::System && matches!(text, "all" | "True"),
            Self::RoleNames => caller.roles.iter().any(|role| role.name == text),
            Self::RoleIds => caller.roles.iter().any(|role| role.id.as_str() == text),
            Self::Methods => caller.token.methods.iter().any(|method| method == text),
        }
    }

    pub fn is_absent(self, caller: &Caller) -> bool {
        match self {
            Self::ProjectId | Self::ProjectName | Self::ProjectDomainId | Self::ProjectDomainName => project(caller).is_none(),
            Self::DomainId | Self::DomainName => domain(caller).is_none(),
            Self::SystemScope => caller.scope != TokenScope::System,
            _ => false,
        }
    }
}

fn project(caller: &Caller) -> Option<&ProjectFacts> {
    match &caller.scope {
        TokenScope::Project(project) => Some(project),
        _ => None,
    }
}

fn domain(caller: &Caller) -> Option<&DomainFacts> {
    match &caller.scope {
        TokenScope::Domain(domain) => Some(domain),
        _ => None,
    }
}
