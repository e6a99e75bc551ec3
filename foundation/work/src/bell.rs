// SPDX-License-Identifier: Apache-2.0
//! A bell: rung any number of times before it is heard, it is heard once.

use std::{
    collections::BTreeSet,
    mem::take,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

/// So many names are remembered until they are heard; with more of them everything is looked at, which is cheaper.
const NAMES: usize = 4096;

#[derive(Debug, Clone, Default)]
pub struct Bell(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    rung: Mutex<Rung>,
    notify: Notify,
}

/// What it was rung for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rung {
    /// These keys have changed, or what they wait for has.
    For(BTreeSet<String>),
    /// Any key may have.
    All,
}

impl Default for Rung {
    fn default() -> Self {
        Self::For(BTreeSet::new())
    }
}

impl Bell {
    pub fn new() -> Self {
        Self::default()
    }

    /// Something changed, and it is not known what it concerns.
    pub fn ring(&self) {
        *self.0.rung.lock().unwrap_or_else(PoisonError::into_inner) = Rung::All;
        self.0.notify.notify_one();
    }

    /// Something changed that concerns these keys and no others.
    pub fn ring_for<K: Into<String>>(&self, keys: impl IntoIterator<Item = K>) {
        let mut rung = self.0.rung.lock().unwrap_or_else(PoisonError::into_inner);
        if let Rung::For(names) = &mut *rung {
            names.extend(keys.into_iter().map(Into::into));
            match names.len() {
                0 => return,
                1..=NAMES => {}
                _ => *rung = Rung::All,
            }
        }
        drop(rung);
        self.0.notify.notify_one();
    }

    /// Waits for a ring; one that came before this call counts. Safe to drop half-way.
    pub async fn heard(&self) -> Rung {
        self.0.notify.notified().await;
        take(&mut *self.0.rung.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
