// SPDX-License-Identifier: Apache-2.0
//! What somebody shows to prove who he is, judged: a password ([`password`]), a passcode of a device ([`passcode`]), a
//! signature ([`signature`]), the word of an identity provider ([`oidc`]), and who that word says he is here ([`mapping`]).
//!
//! Nothing here knows a table, a route or a token. The room of identity looks up what is kept, has it judged here, and
//! draws its conclusions; so all that reads a stranger's cryptography, patterns and JSON stands in one place, and can be
//! read and tested without a cloud around it.

pub mod mapping;
pub mod oidc;
pub mod passcode;
pub mod password;
pub mod signature;

use types::DomainId;

/// How somebody who logs in names a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DomainRef {
    Id(DomainId),
    Name(String),
}
