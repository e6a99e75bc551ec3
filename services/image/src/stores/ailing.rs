// SPDX-License-Identifier: Apache-2.0
//! Stores that failed a moment ago. They are read last, so that not everybody waits anew for what does not answer.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const MOMENT: Duration = Duration::from_secs(30);

#[derive(Default)]
pub struct Ailing(Mutex<HashMap<String, Instant>>);

impl Ailing {
    pub fn note(&self, store: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(store.to_owned(), Instant::now());
    }

    pub fn is(&self, store: &str) -> bool {
        let failed = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(store).copied();
        failed.is_some_and(|failed| failed.elapsed() < MOMENT)
    }
}
