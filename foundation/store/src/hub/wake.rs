// SPDX-License-Identifier: Apache-2.0
//! A wake gathers what was touched until somebody asks. It is bounded: who is told of more than he asked for in time looks at all.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::ears::{Ear, Listener};
use crate::thing::{News, Thing, Touched};

/// How many things a wake remembers one by one.
const REMEMBERED: usize = 512;

/// Wakes when a committed transaction recorded an event of one of the watched kinds.
pub struct Wake {
    pending: Arc<Pending>,
    _listener: Arc<Listener>,
}

#[derive(Default)]
pub(super) struct Pending {
    touched: Mutex<Option<Touched>>,
    notify: Notify,
}

impl Wake {
    pub(super) fn new(pending: Arc<Pending>, listener: Arc<Listener>) -> Self {
        Self { pending, _listener: listener }
    }

    /// What was touched since the last call; waits until there is any. Safe to drop half-way: what was not taken out is
    /// there the next time.
    pub async fn wait(&mut self) -> Touched {
        loop {
            // A ring that came before is kept, so nothing is missed between looking and waiting.
            if let Some(touched) = self.pending.take() {
                return touched;
            }
            self.pending.notify.notified().await;
        }
    }
}

impl Pending {
    fn take(&self) -> Option<Touched> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn add(&self, thing: &Thing) {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        match touched.get_or_insert_with(|| Touched::These(HashSet::new())) {
            Touched::All => {}
            Touched::These(things) if things.len() < REMEMBERED || things.contains(thing) => {
                things.insert(thing.clone());
            }
            full @ Touched::These(_) => *full = Touched::All,
        }
    }
}

impl Ear for Arc<Pending> {
    fn hear(&self, news: &[&News]) {
        news.iter().for_each(|news| self.add(&news.thing));
        self.notify.notify_one();
    }

    fn hear_all(&self) {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = Some(Touched::All);
        self.notify.notify_one();
    }
}
