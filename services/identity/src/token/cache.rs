// SPDX-License-Identifier: Apache-2.0
//! What tokens mean, in memory.
//!
//! Every entry carries the generation of identity at which it was read. A change of anything (a user, a role, an
//! assignment …) raises the generation, and all entries are read anew when next used. Two maps of bounded size take
//! turns: when the young one is full it becomes the old one, and what is still used moves over.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use access::payload::AuditId;
use types::Timestamp;

use super::ValidToken;

/// Tokens in each of the two maps.
const SIZE: usize = 8192;

#[derive(Default)]
pub struct TokenCache {
    generation: AtomicU64,
    halves: Mutex<Halves>,
    revoked: RwLock<HashMap<AuditId, Timestamp>>,
}

#[derive(Default)]
struct Halves {
    young: HashMap<Box<str>, Entry>,
    old: HashMap<Box<str>, Entry>,
}

#[derive(Clone)]
struct Entry {
    generation: u64,
    token: Arc<ValidToken>,
}

impl TokenCache {
    /// To be read before the tables are, and given to [`insert`](Self::insert) with what they said.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Something of identity has changed and is committed.
    pub fn invalidate(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    pub fn get(&self, token: &str) -> Option<Arc<ValidToken>> {
        let generation = self.generation();
        let mut halves = self.lock();
        let entry = match halves.young.get(token) {
            Some(entry) => entry.clone(),
            None => {
                let (key, entry) = halves.old.remove_entry(token)?;
                halves.put(key, entry.clone());
                entry
            }
        };
        drop(halves);
        (entry.generation == generation).then_some(entry.token)
    }

    pub fn insert(&self, token: &str, generation: u64, valid: Arc<ValidToken>) {
        self.lock().put(token.into(), Entry { generation, token: valid });
    }

    /// Whether the token was revoked: a look into a table of hashes, which costs the same however many there are.
    pub fn is_revoked(&self, ids: &[AuditId]) -> bool {
        let revoked = self.revoked.read().unwrap_or_else(PoisonError::into_inner);
        // Its own id and that of the login it goes back to: who ends a login ends all that was bought with it.
        ids.iter().any(|id| revoked.contains_key(id))
    }

    /// The token is void from now on. Those that have expired by themselves are forgotten on the way.
    pub fn revoke(&self, id: AuditId, expires_at: Timestamp) {
        let now = Timestamp::now();
        let mut revoked = self.revoked.write().unwrap_or_else(PoisonError::into_inner);
        revoked.retain(|_, expires_at| *expires_at > now);
        revoked.insert(id, expires_at);
    }

    /// Adds what the table says, in which other controllers write too.
    pub fn add_revoked(&self, all: Vec<(AuditId, Timestamp)>) {
        self.revoked.write().unwrap_or_else(PoisonError::into_inner).extend(all);
    }

    fn lock(&self) -> MutexGuard<'_, Halves> {
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Halves {
    fn put(&mut self, token: Box<str>, entry: Entry) {
        if self.young.len() >= SIZE {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(token, entry);
    }
}
