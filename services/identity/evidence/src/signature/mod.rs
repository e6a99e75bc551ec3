// SPDX-License-Identifier: Apache-2.0
//! Requests that were signed with a secret which the cloud keeps as well.

pub mod amazon;
pub mod oauth1;

/// It does not say what is wrong: who forges a signature is not helped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not that of the key")]
pub struct BadSignature;
