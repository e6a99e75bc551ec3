// SPDX-License-Identifier: Apache-2.0
//! Tokens: issued for a proof of identity, checked on every request, revocable.
//!
//! A token is self-contained (see `access::payload`); nothing is stored when one is issued. What it means, the names
//! and the roles, is looked up when it is first seen and kept in memory until anything of identity changes.
//!
//! Invariant: a check of a token seen before touches no database (test: `a_warm_check_runs_no_statement`).
//! Invariant: a revoked token is refused from the next request on (test: `revocation_takes_effect_at_once`).
//! Invariant: what one controller has revoked, disabled or taken away, each of them refuses within a second, whatever became of the
//! notification (test: `what_is_revoked_is_refused_everywhere_within_a_second`).
//! Invariant: with a token, those that were bought with it are revoked (test: `with_the_first_of_a_chain_go_the_others`).
//! Invariant: a token bought with a token does not outlive it (test: `rescoping_keeps_the_expiry_and_the_audit_chain`).

pub mod api;
pub mod cache;
#[cfg(test)]
mod factors_tests;
pub mod issue;
pub mod login;
pub mod meaning;
pub mod method;
pub mod named;
pub mod proved;
pub mod receipt;
pub mod revocations;
pub mod revoke;
pub mod scope;
#[cfg(test)]
mod several_tests;
#[cfg(test)]
mod tests;
pub mod view;

use std::{sync::Arc, time::Duration};

use access::payload::{Federated, Payload};
use contracts::caller::Caller;
use types::{Timestamp, UserId};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("token", routes);

fn routes() -> ::api::Routes<crate::Identity> {
    api::routes().join(revocations::routes())
}

/// How long a token lives. Keystone's default.
pub const LIFETIME: Duration = Duration::from_secs(3600);
/// How long a receipt does. Keystone's default, too.
pub const RECEIPT_LIFETIME: Duration = Duration::from_secs(300);

/// A token that was checked, and what it means.
#[derive(Debug)]
pub struct ValidToken {
    pub payload: Payload,
    pub caller: Arc<Caller>,
    pub through: Option<Through>,
    /// Of the user, who is shown it with the token.
    pub password_expires_at: Option<Timestamp>,
    /// What it means is looked up anew from then on: something that it counts on ends by the clock.
    pub stale_at: Option<Timestamp>,
}

/// Through what the token has its rights, where it is not simply its user's own.
#[derive(Debug, Clone)]
pub enum Through {
    ApplicationCredential(CredentialFacts),
    Trust(TrustFacts),
    OAuth1(ConsumerFacts),
    /// With the groups that still count.
    Federated(Federated),
}

/// The consumer that acts in a user's place.
#[derive(Debug, Clone)]
pub struct ConsumerFacts {
    pub access_token_id: String,
    pub consumer_id: String,
}

/// The application credential behind a token.
#[derive(Debug, Clone)]
pub struct CredentialFacts {
    pub id: String,
    pub name: String,
    /// Whether it may make and delete other credentials.
    pub unrestricted: bool,
}

/// The trust behind a token.
#[derive(Debug, Clone)]
pub struct TrustFacts {
    pub id: String,
    /// Whether the token is in the trustor's name.
    pub impersonation: bool,
    pub trustor: UserId,
    pub trustee: UserId,
}

/// A seal dates to the second. After a password change the first one, of a token or a receipt, is dated to the next, lest it
/// count among those that the change made void.
fn dated(now: Timestamp, void_until: Timestamp) -> Timestamp {
    if now > void_until { now } else { Timestamp::from_seconds(void_until.seconds() + 1) }
}
