// SPDX-License-Identifier: Apache-2.0
//! The hash that data is to have, by the algorithms that the image API names.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::Fault;
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::{image::DataFacts, stores::place::Chunks};

/// What the data has to be, where the one who ordered it knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    Md5(String),
    Sha1(String),
    Sha256(String),
    Sha512(String),
}

impl Expected {
    pub fn new(algorithm: &str, value: &str) -> Result<Self, Fault> {
        let value = value.to_ascii_lowercase();
        let (expected, digits) = match algorithm {
            "md5" => (Self::Md5(value), 32),
            "sha1" => (Self::Sha1(value), 40),
            "sha256" => (Self::Sha256(value), 64),
            "sha512" => (Self::Sha512(value), 128),
            other => {
                return Err(Fault::bad_request(format!("os_hash_algo is one of md5, sha1, sha256 and sha512, not '{other}'.")));
            }
        };
        let value = expected.value();
        if value.len() != digits || !value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let message = format!("os_hash_value is not the correct size for {algorithm}: it has {digits} hex digits.");
            return Err(Fault::bad_request(message));
        }
        Ok(expected)
    }

    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Md5(_) => "md5",
            Self::Sha1(_) => "sha1",
            Self::Sha256(_) => "sha256",
            Self::Sha512(_) => "sha512",
        }
    }

    pub fn value(&self) -> &str {
        match self {
            Self::Md5(value) | Self::Sha1(value) | Self::Sha256(value) | Self::Sha512(value) => value,
        }
    }
}

/// Hashes what streams by, as far as that is not done for every image in any case.
pub struct Hashing(Arc<Mutex<Running>>);

enum Running {
    Sha1(Sha1),
    Sha256(Sha256),
    /// Found out for every image.
    Known,
}

impl Hashing {
    pub fn of(expected: Option<&Expected>) -> Self {
        let running = match expected {
            Some(Expected::Sha1(_)) => Running::Sha1(Sha1::new()),
            Some(Expected::Sha256(_)) => Running::Sha256(Sha256::new()),
            _ => Running::Known,
        };
        Self(Arc::new(Mutex::new(running)))
    }

    pub fn watch(&self, chunks: Chunks) -> Chunks {
        let running = self.0.clone();
        if matches!(*lock(&running), Running::Known) {
            return chunks;
        }
        Box::pin(chunks.inspect_ok(move |chunk| match &mut *lock(&running) {
            Running::Sha1(hash) => hash.update(chunk),
            Running::Sha256(hash) => hash.update(chunk),
            Running::Known => {}
        }))
    }

    /// Whether the data, once all of it went by, is what was expected.
    pub fn fits(&self, expected: &Expected, facts: &DataFacts) -> bool {
        let found = match (&*lock(&self.0), expected) {
            (Running::Sha1(hash), _) => hex::encode(hash.clone().finalize()),
            (Running::Sha256(hash), _) => hex::encode(hash.clone().finalize()),
            (Running::Known, Expected::Md5(_)) => facts.md5.clone(),
            (Running::Known, _) => facts.sha512.clone(),
        };
        found == expected.value()
    }
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}
