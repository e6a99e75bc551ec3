// SPDX-License-Identifier: Apache-2.0
//! The door for S3's clients, on a port of its own: they want no prefix in the path, and name buckets in it or before the host.
//! The crate `s3s` reads the protocol and checks signatures; nothing outside this crate knows of it. What is asked is answered
//! by `contracts::objects`, whose objects are those of Swift's API; whose a key is, by `contracts::access_keys`.
//!
//! What is not here (ACLs, policies, versions, tags, …) is refused as not implemented ([decision 17](../../../docs/decisions/0017-the-s3-door.md)).
//!
//! Invariant: who does not sign with a good key of his own learns and changes nothing (test:
//! `who_does_not_sign_rightly_gets_nothing`).

mod acl;
mod answer;
mod bucket;
mod bytes;
mod condition;
mod cors;
mod error;
mod gate;
mod host;
mod list;
mod multipart;
mod object;
mod operations;
mod said;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use contracts::{access_keys::AccessKeys, objects::Objects};

/// Of what the door is made.
pub struct Parts {
    pub objects: Arc<dyn Objects>,
    pub keys: Arc<dyn AccessKeys>,
    pub limits: api::Limits,
    /// What clients are told of where buckets are.
    pub region: String,
    /// `bucket.DOMAIN` names a bucket, beside the path.
    pub domain: Option<String>,
}

pub use answer::Door;
