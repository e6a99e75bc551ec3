// SPDX-License-Identifier: Apache-2.0
//! Keypairs: public keys that a server's guest lets in. They belong to a user. Before 2.92 the cloud can make one
//! and tells the private half once; it is kept nowhere.

mod api;
mod key;
pub(crate) mod policy;
pub(crate) mod table;

use serde::Serialize;
use types::{Timestamp, UserId};

pub(crate) use api::routes;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("keypair", routes).shows(&[("keypair", &[api::BRIEF])]);

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Keypair {
    /// A number of Nova's that older versions show; never used to find one.
    pub id: String,
    pub user_id: UserId,
    pub name: String,
    /// `ssh` or `x509`.
    pub kind: String,
    pub public_key: String,
    /// MD5 for ssh, as Nova has it.
    pub fingerprint: String,
    pub created_at: Timestamp,
}
