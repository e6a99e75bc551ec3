// SPDX-License-Identifier: Apache-2.0
//! Wakes whoever watches a kind of resource, after a transaction that recorded an event of that kind committed.
//!
//! A wake carries nothing: the watcher looks into the tables, so that a wake lost with a crashed process costs only
//! the time until its clock strikes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

/// Wakes when a committed transaction recorded an event of one of the watched types.
pub struct Wake {
    watcher: Arc<Watcher>,
}

#[derive(Default)]
pub(crate) struct Watchers {
    list: Mutex<Vec<Weak<Watcher>>>,
}

struct Watcher {
    types: Vec<&'static str>,
    others_only: bool,
    notify: Notify,
}

impl Wake {
    /// Returns after the next commit of interest; at once if there was one since the last call, so that nothing is
    /// missed between looking and waiting. Many commits may wake once. Safe to drop half-way.
    pub async fn wait(&mut self) {
        self.watcher.notify.notified().await;
    }
}

impl Watchers {
    pub(crate) fn watch(&self, types: &[&'static str]) -> Wake {
        self.add(types, false)
    }

    pub(crate) fn watch_others(&self, types: &[&'static str]) -> Wake {
        self.add(types, true)
    }

    fn add(&self, types: &[&'static str], others_only: bool) -> Wake {
        let watcher = Arc::new(Watcher { types: types.to_vec(), others_only, notify: Notify::new() });
        let mut list = self.lock();
        list.retain(|known| known.strong_count() > 0);
        list.push(Arc::downgrade(&watcher));
        Wake { watcher }
    }

    /// Wakes the watchers of these types and of `*`, after a commit of this process.
    pub(crate) fn wake(&self, touched: &[&'static str]) {
        self.wake_those(touched, |watcher| !watcher.others_only);
    }

    /// The same after a commit of another controller; a touched `*` wakes all.
    pub(crate) fn wake_by_others<T: AsRef<str>>(&self, touched: &[T]) {
        self.wake_those(touched, |_| true);
    }

    fn wake_those<T: AsRef<str>>(&self, touched: &[T], listens: impl Fn(&Watcher) -> bool) {
        if touched.is_empty() {
            return;
        }
        for watcher in self.lock().iter().filter_map(Weak::upgrade).filter(|watcher| listens(watcher)) {
            let is_touched = |kind: &str| {
                let mut touched = touched.iter().map(AsRef::as_ref);
                touched.any(|touched| touched == kind || touched == "*")
            };
            let wanted = |kind: &&str| *kind == "*" || is_touched(kind);
            if watcher.types.iter().any(wanted) {
                watcher.notify.notify_one();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Watcher>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
