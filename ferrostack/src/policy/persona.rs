// SPDX-License-Identifier: Apache-2.0
//! Whom the matrix asks about: one caller of each kind, and things that are his and another's.

use access::{Enforcer, Policy, Target};
use contracts::caller::{Caller, DomainFacts, ProjectFacts, RoleFacts, TokenFacts, TokenScope, UserFacts};
use types::Timestamp;

/// The columns, in their order. Each has the roles that his role implies.
pub const PERSONAS: [Persona; 11] = [
    Persona { name: "reader", scope: On::Project, roles: READER },
    Persona { name: "member", scope: On::Project, roles: MEMBER },
    Persona { name: "manager", scope: On::Project, roles: MANAGER },
    Persona { name: "admin", scope: On::Project, roles: ADMIN },
    Persona { name: "domain-reader", scope: On::Domain, roles: READER },
    Persona { name: "domain-manager", scope: On::Domain, roles: MANAGER },
    Persona { name: "domain-admin", scope: On::Domain, roles: ADMIN },
    Persona { name: "system-reader", scope: On::System, roles: READER },
    Persona { name: "system-member", scope: On::System, roles: MEMBER },
    Persona { name: "system-admin", scope: On::System, roles: ADMIN },
    Persona { name: "service", scope: On::Project, roles: &["service"] },
];

const READER: &[&str] = &["reader"];
const MEMBER: &[&str] = &["member", "reader"];
const MANAGER: &[&str] = &["manager", "member", "reader"];
const ADMIN: &[&str] = &["admin", "manager", "member", "reader"];

pub struct Persona {
    pub name: &'static str,
    scope: On,
    roles: &'static [&'static str],
}

#[derive(Clone, Copy)]
enum On {
    Project,
    Domain,
    System,
}

/// Whose a thing is.
#[derive(Clone, Copy)]
pub enum Whose {
    /// The caller's: his project, his domain, himself.
    Own,
    /// Of another user in another project of another domain.
    Others,
}

impl Persona {
    pub fn caller(&self) -> Caller {
        let domain = DomainFacts { id: "own-domain".into(), name: "own".to_owned() };
        let role = |name: &&str| RoleFacts { id: (*name).into(), name: (*name).to_owned() };
        Caller {
            user: UserFacts { id: "own-user".into(), name: self.name.to_owned(), domain: domain.clone() },
            scope: match self.scope {
                On::Project => TokenScope::Project(ProjectFacts { id: "own-project".into(), name: "own".to_owned(), domain }),
                On::Domain => TokenScope::Domain(domain),
                On::System => TokenScope::System,
            },
            roles: self.roles.iter().map(role).collect(),
            token: TokenFacts {
                methods: vec!["password".to_owned()],
                issued_at: Timestamp(0),
                expires_at: Timestamp(i64::MAX),
                audit_ids: vec![],
            },
            access_rules: None,
        }
    }
}

/// A thing of which all is known that the rule of this policy asks for.
pub fn target(enforcer: &Enforcer, policy: &'static Policy, whose: Whose) -> Target {
    enforcer.facts_asked(policy).into_iter().fold(Target::new(), |target, fact| match value(&fact, whose) {
        Some(value) => target.with_optional(fact, value),
        None => target,
    })
}

/// What a thing says under this name, which may be nothing; none for a name that is not known here.
pub fn value(fact: &str, whose: Whose) -> Option<Option<&'static str>> {
    let of_whom = |own, others| Some(Some(if matches!(whose, Whose::Own) { own } else { others }));
    let last = fact.rsplit(['.', ':']).next().unwrap_or(fact);
    match (fact, last) {
        // A role of the whole cloud that a domain's manager may give.
        ("target.role.name", _) => Some(Some("member")),
        ("target.role.domain_id", _) => Some(None),
        // Nothing here is shared with everybody, or visible from outside.
        (_, "shared" | "external") => Some(Some("False")),
        ("target.domain.id" | "target.limit.domain.id", _) | (_, "domain_id") => of_whom("own-domain", "other-domain"),
        ("target.project.id", _) | (_, "project_id" | "tenant_id" | "owner" | "member_id") => {
            of_whom("own-project", "other-project")
        }
        ("target.user.id", _) => of_whom("own-user", "other-user"),
        (_, last) if last == "user_id" || last.ends_with("_user_id") => of_whom("own-user", "other-user"),
        _ => None,
    }
}
