// SPDX-License-Identifier: Apache-2.0
//! Whose a key is, for the S3 door, which checks signatures itself. The key's row is read each time, and what it is good for is
//! what a token of it means now: so a key that was deleted, and a user who was disabled, are refused as tokens are.
//!
//! Invariant: a key of a user who was disabled, or one that was deleted, opens nothing any more (test:
//! `a_key_is_good_for_what_its_user_may_now`).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use contracts::{
    BoxFuture, Refusal,
    access_keys::{AccessKey, AccessKeys},
};
use store::Actor;

use crate::{
    Identity,
    credential::{Credential, blob, blob::Ec2Blob, table},
    error::{Error, Result},
};

/// Of so many keys it is remembered which token stands for them.
const MOST: usize = 4096;

/// The token that stands for a key, so that not each request makes one. By the key's row: its id, and what it holds.
#[derive(Default)]
pub struct Remembered(Mutex<HashMap<(String, String), String>>);

impl Remembered {
    fn get(&self, key: &(String, String)) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn set(&self, key: (String, String), token: String) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key, token);
    }
}

impl AccessKeys for Identity {
    fn find<'a>(&'a self, access: &'a str) -> BoxFuture<'a, Result<Option<AccessKey>, Refusal>> {
        Box::pin(async move {
            match self.find_key(access).await {
                Ok(found) => Ok(found),
                Err(Error::Store(cause)) => Err(Refusal::unavailable(format!("the identity tables do not answer: {cause}"))),
                // Whatever keeps its user from logging in keeps the key from being good for anything.
                Err(_) => Ok(None),
            }
        })
    }
}

impl Identity {
    async fn find_key(&self, access: &str) -> Result<Option<AccessKey>> {
        let (ring, id) = (self.credential_ring(), blob::id_of_access_key(access));
        let key = self.read(move |tx| table::find(tx, &ring, &id)).await?;
        let Some(key) = key.filter(Credential::is_ec2) else { return Ok(None) };
        let keys = Ec2Blob::parse(&key.blob)?;
        let secret = keys.secret().ok_or(Error::Unauthorized)?;
        let known_as = (key.id.to_string(), evidence_of(&key));
        if let Some(token) = self.access_keys.get(&known_as)
            && let Ok(valid) = self.check_token(&token).await
        {
            return Ok(Some(AccessKey { secret, caller: Arc::clone(&valid.caller) }));
        }
        let issued = self.issue_for_key(&key, &keys, Actor::system("s3")).await?;
        self.access_keys.set(known_as, issued.token);
        Ok(Some(AccessKey { secret, caller: Arc::clone(&issued.valid.caller) }))
    }
}

/// What changes when the key is changed.
fn evidence_of(key: &Credential) -> String {
    use sha2::{Digest, Sha256};
    let mut sum = Sha256::new();
    for part in [key.user_id.as_str(), key.project_id.as_ref().map_or("", |project| project.as_str()), key.blob.reveal()] {
        sum.update((part.len() as u64).to_le_bytes());
        sum.update(part);
    }
    hex::encode(sum.finalize())
}
