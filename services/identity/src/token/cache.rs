// SPDX-License-Identifier: Apache-2.0
//! What tokens mean, in memory.
//!
//! Every entry carries the generation of identity at which it was read. A change of anything (a user, a role, an
//! assignment …) raises the generation, and all entries are read anew when next used. Two maps of bounded size take
//! turns: when the young one is full it becomes the old one, and what is still used moves over.
//!
//! The answers to those who asked what a token means are kept in the same way, fewer of them, since each takes a few kilobytes:
//! services that check tokens ask about the same ones again and again.
//!
//! The store tells of changes, those of other controllers too, in the commit or while the events are read: whoever asks the
//! store whether it is current, and then looks here, finds nothing that was revoked a second ago.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use access::payload::AuditId;
use bytes::Bytes;
use types::Timestamp;

use super::ValidToken;
use crate::{catalog::Catalog, federation::service_provider::Advertised};

/// Tokens in each of the two maps, and answers.
const TOKENS: usize = 8192;
const ANSWERS: usize = 512;

pub struct TokenCache {
    generation: AtomicU64,
    tokens: Mutex<Halves<Entry>>,
    answers: Mutex<Halves<Shown>>,
    revoked: RwLock<Revoked>,
}

impl Default for TokenCache {
    fn default() -> Self {
        Self {
            generation: AtomicU64::default(),
            tokens: Mutex::new(Halves::of(TOKENS)),
            answers: Mutex::new(Halves::of(ANSWERS)),
            revoked: RwLock::default(),
        }
    }
}

#[derive(Default)]
struct Revoked {
    /// With the time at which the token is void anyway.
    known: HashMap<AuditId, Timestamp>,
    /// Heard of by their events. When they can be forgotten stands in the table.
    heard: HashSet<AuditId>,
    /// There may be others.
    is_incomplete: bool,
}

struct Halves<V> {
    size: usize,
    young: HashMap<Box<str>, V>,
    old: HashMap<Box<str>, V>,
}

#[derive(Clone)]
struct Entry {
    generation: u64,
    token: Arc<ValidToken>,
}

/// An answer, and what it was written from. It holds for as long as that is what counts: all three are read anew when anything
/// of identity changes.
#[derive(Clone)]
pub struct Shown {
    pub valid: Arc<ValidToken>,
    pub catalog: Arc<Catalog>,
    pub service_providers: Arc<Vec<Advertised>>,
    pub document: Bytes,
}

impl Shown {
    fn is_of(&self, valid: &Arc<ValidToken>, catalog: &Arc<Catalog>, service_providers: &Arc<Vec<Advertised>>) -> bool {
        Arc::ptr_eq(&self.valid, valid)
            && Arc::ptr_eq(&self.catalog, catalog)
            && Arc::ptr_eq(&self.service_providers, service_providers)
    }
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
        let entry = lock(&self.tokens).get(token)?;
        (entry.generation == generation).then_some(entry.token)
    }

    pub fn insert(&self, token: &str, generation: u64, valid: Arc<ValidToken>) {
        lock(&self.tokens).put(token.into(), Entry { generation, token: valid });
    }

    /// What was answered to whoever asked about the token before, if it would be answered again.
    pub fn answer(
        &self,
        token: &str,
        valid: &Arc<ValidToken>,
        catalog: &Arc<Catalog>,
        service_providers: &Arc<Vec<Advertised>>,
    ) -> Option<Bytes> {
        let shown = lock(&self.answers).get(token)?;
        shown.is_of(valid, catalog, service_providers).then_some(shown.document)
    }

    pub fn keep_answer(&self, token: &str, shown: Shown) {
        lock(&self.answers).put(token.into(), shown);
    }

    /// Whether the token was revoked: a look into a table of hashes, which costs the same however many there are.
    pub fn is_revoked(&self, ids: &[AuditId]) -> bool {
        let revoked = self.revoked.read().unwrap_or_else(PoisonError::into_inner);
        // Its own id and that of the login it goes back to: who ends a login ends all that was bought with it.
        ids.iter().any(|id| revoked.known.contains_key(id) || revoked.heard.contains(id))
    }

    /// The token is void from now on.
    pub fn revoke(&self, id: AuditId, expires_at: Timestamp) {
        self.revoked().known.insert(id, expires_at);
    }

    /// What the store says of revoked tokens, by this controller or another.
    pub fn hear_of_revoked(&self, ids: Option<Vec<String>>) {
        let mut revoked = self.revoked();
        match ids {
            Some(ids) => revoked.heard.extend(ids.iter().filter_map(|id| AuditId::parse(id))),
            None => revoked.is_incomplete = true,
        }
    }

    /// Whether the table must be read before a token is believed.
    pub fn lacks_revoked(&self) -> bool {
        self.revoked.read().unwrap_or_else(PoisonError::into_inner).is_incomplete
    }

    pub fn has_heard(&self) -> bool {
        !self.revoked.read().unwrap_or_else(PoisonError::into_inner).heard.is_empty()
    }

    /// To be asked before the table is read, and given to [`add_revoked`](Self::add_revoked) with what it says.
    pub fn heard_of(&self) -> HashSet<AuditId> {
        let mut revoked = self.revoked();
        // Set again by whatever is missed from now on.
        revoked.is_incomplete = false;
        revoked.heard.clone()
    }

    /// The table could not be read.
    pub fn miss_revoked(&self) {
        self.revoked().is_incomplete = true;
    }

    /// Takes in what the table says. What has expired by itself is forgotten.
    pub fn add_revoked(&self, all: Vec<(AuditId, Timestamp)>, heard_before: &HashSet<AuditId>) {
        let now = Timestamp::now();
        let mut revoked = self.revoked();
        revoked.known.retain(|_, expires_at| *expires_at > now);
        revoked.known.extend(all);
        revoked.heard.retain(|id| !heard_before.contains(id));
    }

    fn revoked(&self) -> RwLockWriteGuard<'_, Revoked> {
        self.revoked.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock<V>(halves: &Mutex<Halves<V>>) -> MutexGuard<'_, Halves<V>> {
    halves.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<V: Clone> Halves<V> {
    fn of(size: usize) -> Self {
        Self { size, young: HashMap::new(), old: HashMap::new() }
    }

    fn get(&mut self, token: &str) -> Option<V> {
        if let Some(value) = self.young.get(token) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(token)?;
        self.put(key, value.clone());
        Some(value)
    }

    fn put(&mut self, token: Box<str>, value: V) {
        if self.young.len() >= self.size {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(token, value);
    }
}
