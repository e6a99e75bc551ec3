// SPDX-License-Identifier: Apache-2.0
//! What the methods of a login have proved, and what that proof binds the token to.

use std::sync::Arc;

use access::payload::{Federated, Methods, PayloadScope};

use super::ValidToken;
use crate::{
    error::{Error, Result},
    user::Account,
};

#[derive(Default)]
pub struct Proved {
    /// Whom. Several methods must prove the same user.
    pub account: Option<Account>,
    pub methods: Methods,
    /// The token that pays for this one.
    pub parent: Option<Arc<ValidToken>>,
    /// What the proof is good for, where it is not good for everything that the user may.
    pub bound: Option<Bound>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// This scope and no other: an application credential's, an OAuth access token's.
    To(PayloadScope),
    /// The places where these groups of our identity provider's user have a role.
    Federated(Federated),
}

impl Proved {
    /// A method has proved that this is the user.
    pub fn add(&mut self, account: Account, methods: Methods) -> Result<()> {
        let is_another = self.account.as_ref().is_some_and(|known| known.id != account.id);
        if is_another || !account.enabled || !account.domain_enabled {
            return Err(Error::Unauthorized);
        }
        self.methods = self.methods.and(methods);
        self.account = Some(account);
        Ok(())
    }
}

impl Bound {
    /// What was bought with a bound token stays within its bounds.
    pub fn of(scope: &PayloadScope) -> Option<Self> {
        match scope {
            PayloadScope::Unscoped | PayloadScope::Domain(_) | PayloadScope::Project(_) | PayloadScope::System => None,
            PayloadScope::FederatedUnscoped(federated)
            | PayloadScope::FederatedProject { federated, .. }
            | PayloadScope::FederatedDomain { federated, .. } => Some(Self::Federated(federated.clone())),
            PayloadScope::Trust { .. }
            | PayloadScope::OAuth1 { .. }
            | PayloadScope::ApplicationCredential { .. }
            | PayloadScope::OAuth2 { .. } => Some(Self::To(scope.clone())),
        }
    }
}
