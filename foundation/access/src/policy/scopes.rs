// SPDX-License-Identifier: Apache-2.0
//! Which kinds of token a policy hears at all: oslo.policy's scope types, always enforced.
//!
//! A role says nothing about where it was given. Without this an administrator of one domain would be one of the
//! whole cloud wherever a rule says no more than `role:admin`.

use std::fmt;

use contracts::caller::TokenScope;

/// A set of token scopes. A token without any scope counts as one for a project, whose rules it then does not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes {
    project: bool,
    domain: bool,
    system: bool,
}

impl Scopes {
    pub const PROJECT: Self = Self { project: true, domain: false, system: false };
    pub const PROJECT_OR_SYSTEM: Self = Self { project: true, domain: false, system: true };
    pub const ALL: Self = Self { project: true, domain: true, system: true };

    pub fn admit(self, scope: &TokenScope) -> bool {
        match scope {
            TokenScope::Project(_) | TokenScope::Unscoped => self.project,
            TokenScope::Domain(_) => self.domain,
            TokenScope::System => self.system,
        }
    }

    /// What holds unless a policy says otherwise. Keystone and the operator's own routes also hear tokens for the
    /// system; things of all other services are of a project.
    pub(super) const fn usual_for(policy: &str) -> Self {
        if begins_with(policy.as_bytes(), b"identity:") || begins_with(policy.as_bytes(), b"operator:") {
            Self::PROJECT_OR_SYSTEM
        } else {
            Self::PROJECT
        }
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [(self.project, "project"), (self.domain, "domain"), (self.system, "system")];
        let names: Vec<&str> = named.iter().filter(|(is_in, _)| *is_in).map(|(_, name)| *name).collect();
        f.write_str(&names.join(", "))
    }
}

/// `str::starts_with`, which is not const.
const fn begins_with(text: &[u8], start: &[u8]) -> bool {
    if text.len() < start.len() {
        return false;
    }
    let mut i = 0;
    while i < start.len() {
        if text[i] != start[i] {
            return false;
        }
        i += 1;
    }
    true
}
