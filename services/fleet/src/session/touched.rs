// SPDX-License-Identifier: Apache-2.0
//! What a session is to look at again.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use contracts::node::ThingId;
use work::Bell;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Touched {
    These(HashSet<ThingId>),
    All,
}

/// Filled by whoever knows of a change, emptied by the session's task.
#[derive(Debug)]
pub(crate) struct Ears {
    touched: Mutex<Touched>,
    bell: Bell,
}

impl Touched {
    fn nothing() -> Self {
        Self::These(HashSet::new())
    }

    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::These(ids) if ids.is_empty())
    }
}

impl Ears {
    pub fn new() -> Self {
        Self { touched: Mutex::new(Touched::nothing()), bell: Bell::new() }
    }

    pub fn these(&self, things: &[ThingId]) {
        if let Touched::These(ids) = &mut *self.lock() {
            ids.extend(things.iter().cloned());
        }
        self.bell.ring();
    }

    pub fn all(&self) {
        *self.lock() = Touched::All;
        self.bell.ring();
    }

    pub async fn heard(&self) {
        let _ = self.bell.heard().await;
    }

    pub(super) fn take(&self) -> Touched {
        std::mem::replace(&mut *self.lock(), Touched::nothing())
    }

    /// It could not be looked at. Whoever puts it back looks again by himself.
    pub(super) fn put_back(&self, touched: Touched) {
        let mut current = self.lock();
        match (&mut *current, touched) {
            (Touched::All, _) => {}
            (current, Touched::All) => *current = Touched::All,
            (Touched::These(current), Touched::These(ids)) => current.extend(ids),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Touched> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
