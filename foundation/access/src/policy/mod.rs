// SPDX-License-Identifier: Apache-2.0
//! oslo.policy's language: `role:member and project_id:%(project_id)s`, read once into a tree, evaluated often.
//!
//! [`parse`] makes the tree, [`check`] evaluates it, [`attribute`] knows what may be asked about the caller,
//! [`scopes`] for which tokens a policy is, and [`base`] holds the named rules that the services share.

pub mod attribute;
pub mod base;
pub mod check;
pub mod parse;
pub mod scopes;

#[cfg(test)]
mod tests;

use scopes::Scopes;

/// Policies, one a line: `SHOW = "compute:show", RULE, "Show it.";`
#[macro_export]
macro_rules! policies {
    ($($name:ident = $policy:literal, $check:expr, $about:literal;)+) => {
        $(pub(crate) static $name: $crate::Policy = $crate::Policy::new($policy, $check, $about);)+
    };
}

/// One thing that may be allowed: its name in `policy.yaml`, the rule that holds unless the operator says otherwise,
/// and a line that says what it guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    pub name: &'static str,
    pub check: &'static str,
    pub about: &'static str,
    /// For which tokens.
    pub scopes: Scopes,
}

impl Policy {
    pub const fn new(name: &'static str, check: &'static str, about: &'static str) -> Self {
        Self { name, check, about, scopes: Scopes::usual_for(name) }
    }

    /// Hears tokens for a domain, too: for what a domain's own people may do in it, and what anybody may ask
    /// about himself.
    #[must_use]
    pub const fn also_for_domains(self) -> Self {
        Self { scopes: Scopes::ALL, ..self }
    }

    /// Hears only tokens for a project, where others of its service hear more.
    #[must_use]
    pub const fn only_for_projects(self) -> Self {
        Self { scopes: Scopes::PROJECT, ..self }
    }
}
