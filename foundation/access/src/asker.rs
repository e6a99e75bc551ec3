// SPDX-License-Identifier: Apache-2.0
//! Who asks, and by which policies he is judged.

use std::sync::{Arc, PoisonError, RwLock};

use contracts::caller::Caller;

use crate::{Allowed, Denied, Enforcer, Policy, Scope, Target};

/// The policies that are in force now. All who hold a copy see it when they are exchanged.
#[derive(Clone)]
pub struct InForce(Arc<RwLock<Arc<Enforcer>>>);

impl InForce {
    pub fn new(enforcer: Enforcer) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(enforcer))))
    }

    pub fn now(&self) -> Arc<Enforcer> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn exchange(&self, enforcer: Enforcer) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(enforcer);
    }

    /// The caller before these policies.
    pub fn judge(&self, caller: Arc<Caller>) -> Asker {
        Asker { caller, enforcer: self.now() }
    }
}

/// A caller before the policies of one moment. A neighbour that is asked in a caller's name asks the same policies as if
/// he had come to its own door.
#[derive(Clone)]
pub struct Asker {
    caller: Arc<Caller>,
    enforcer: Arc<Enforcer>,
}

impl Asker {
    pub fn new(caller: Arc<Caller>, enforcer: Arc<Enforcer>) -> Self {
        Self { caller, enforcer }
    }

    pub fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// To which things may he do this?
    pub fn scope(&self, policy: &'static Policy) -> Result<Allowed<Scope>, Denied> {
        self.enforcer.scope(policy, &self.caller)
    }

    /// May he do this to this one thing?
    pub fn check(&self, policy: &'static Policy, target: &Target) -> Result<(), Denied> {
        self.enforcer.check(policy, &self.caller, target)
    }

    pub fn may(&self, policy: &'static Policy, target: &Target) -> bool {
        self.check(policy, target).is_ok()
    }
}
