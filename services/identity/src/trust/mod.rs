// SPDX-License-Identifier: Apache-2.0
//! Trusts: one user, the trustor, lets another, the trustee, act in a project with some of his roles, in his own name or
//! in the trustor's. What the trustee may do so is never more than the trustor may at that moment.
//!
//! Invariant: a token of a trust has rights only while the trustor has every role that was delegated, all users of the
//! chain are enabled, and the project is (test: `a_trust_ends_with_what_it_stands_on`).
//! Invariant: a trust of n uses buys n tokens, however many ask at once (test: `uses_are_counted_also_under_concurrency`).

pub mod api;
pub mod chain;
pub mod delegate;
pub mod request;
pub mod table;
#[cfg(test)]
mod tests;

use types::{ProjectId, RoleId, Timestamp, UserId};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("trust", api::routes).tables(&[crate::Step {
    number: 10,
    name: "trusts",
    sql: include_str!("../../migrations/0010_trusts.sql"),
}]);

/// How often a trust may be passed on at most. Keystone's default.
pub const DEEPEST: i64 = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    pub id: String,
    pub trustor: UserId,
    pub trustee: UserId,
    /// None: nothing is delegated.
    pub project: Option<ProjectId>,
    /// The trustee's tokens are in the trustor's name.
    pub impersonation: bool,
    pub expires_at: Option<Timestamp>,
    pub remaining_uses: Option<i64>,
    pub redelegated_trust: Option<String>,
    /// How often it may still be passed on.
    pub redelegation_count: i64,
    pub roles: Vec<RoleId>,
}

impl Trust {
    /// Whether it still buys tokens, as far as it can be said from the trust alone.
    pub fn is_usable(&self) -> bool {
        !self.is_expired() && self.remaining_uses != Some(0)
    }

    pub fn is_expired(&self) -> bool {
        self.expires_at.is_some_and(|at| at <= Timestamp::now())
    }

    /// In whose name its tokens are.
    pub fn speaks_for(&self) -> &UserId {
        if self.impersonation { &self.trustor } else { &self.trustee }
    }
}
