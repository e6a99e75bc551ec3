// SPDX-License-Identifier: Apache-2.0
//! EC2 keys: pairs of an access and a secret key with which clients of Amazon's APIs sign their requests. The keys are
//! credentials of the type `ec2`; services that receive a signed request ask here whose it is.
//!
//! Invariant: only services and administrators learn what a signature is good for (test: `only_services_may_ask`).
//! Invariant: a signature is good for a quarter of an hour (test: `an_old_signature_is_refused`).
//! Invariant: a key is good for what the token that made it was good for, and no more (test: `a_key_stays_within_the_application_credential_that_made_it`).

pub mod api;
pub mod keys;
#[cfg(test)]
mod tests;
pub mod tokens;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("ec2", routes);

fn routes() -> ::api::Routes<crate::Identity> {
    api::routes().join(tokens::routes())
}
