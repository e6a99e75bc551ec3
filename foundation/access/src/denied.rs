// SPDX-License-Identifier: Apache-2.0
//! A refusal that explains itself, from the caller's own facts only: it says nothing about anyone else's things.

use std::fmt;

use crate::policy::scopes::Scopes;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    pub policy: &'static str,
    /// The rule as it stands: the default or the operator's.
    pub rule: String,
    /// The caller's roles in the scope of the token.
    pub roles: Vec<String>,
    /// What the token is for: "project demo", "the system" …
    pub scope: String,
    /// A role which the caller lacks and with which the answer were yes.
    pub missing_role: Option<&'static str>,
    /// The kinds of token that this policy hears, if the caller's is none of them.
    pub wrong_scope: Option<Scopes>,
}

impl std::error::Error for Denied {}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policy doesn't allow {} to be performed.", self.policy)?;
        if let Some(scopes) = self.wrong_scope {
            return write!(f, " It needs a token of another scope ({scopes}); yours is for {}.", self.scope);
        }
        let held = if self.roles.is_empty() { "no role".to_owned() } else { format!("only {}", self.roles.join(", ")) };
        match self.missing_role {
            Some(role) => write!(f, " It needs the role {role} on {}, where you have {held}.", self.scope),
            None => write!(f, " The rule is «{}»; your token is for {}, where you have {held}.", self.rule, self.scope),
        }
    }
}
