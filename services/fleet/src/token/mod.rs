// SPDX-License-Identifier: Apache-2.0
//! Join tokens: one use, a short life, and only a hash of the secret is kept.
//!
//! The secret is `id.random`: the row is found by the id, and the random part is compared in constant time.

mod table;

use sha2::{Digest, Sha256};
use types::{NodeId, Secret};

use crate::{Error, Result};

pub(crate) use table::{insert, mark_used, open, remove_expired};

/// A token as it is made: the row, and the secret that only its receiver learns.
pub(crate) struct NewToken {
    pub id: String,
    pub secret: Secret<String>,
}

/// What a presented secret opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Opened {
    /// The first use.
    Fresh,
    /// The same host again, whose answer was lost.
    Again { node: NodeId },
}

impl NewToken {
    pub fn generate() -> Result<Self> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| Error::tls("draw a random secret", error))?;
        let secret = Secret::new(format!("{id}.{}", hex::encode(random)));
        Ok(Self { id, secret })
    }
}

pub(crate) fn hash(secret: &Secret<String>) -> String {
    hex::encode(Sha256::digest(secret.reveal().as_bytes()))
}

/// The part of a presented secret that finds its row.
pub(crate) fn id_of(secret: &Secret<String>) -> Option<&str> {
    Some(secret.reveal().split_once('.')?.0)
}
