// SPDX-License-Identifier: Apache-2.0
//! Who is told at once: wakes, and closures that a room leaves with the hub.

use std::sync::{Arc, Weak};

use crate::thing::{News, Touched};

/// Hears of events of the kinds that its listener named.
pub(super) trait Ear: Send + Sync {
    fn hear(&self, news: &[&News]);
    fn hear_all(&self);
}

pub(super) struct Listener {
    kinds: Vec<&'static str>,
    others_only: bool,
    ear: Box<dyn Ear>,
}

/// A closure that hears; it is forgotten when this is dropped.
pub struct Heeding(#[expect(dead_code, reason = "held, not read")] Arc<Listener>);

#[derive(Default)]
pub(super) struct Ears(Vec<Weak<Listener>>);

impl Listener {
    pub(super) fn new(kinds: &[&'static str], others_only: bool, ear: Box<dyn Ear>) -> Arc<Self> {
        Arc::new(Self { kinds: kinds.to_vec(), others_only, ear })
    }

    fn wants(&self, news: &News) -> bool {
        self.kinds.iter().any(|kind| *kind == "*" || *kind == news.thing.kind)
    }
}

impl Heeding {
    pub(super) fn new(listener: Arc<Listener>) -> Self {
        Self(listener)
    }
}

impl Ears {
    pub(super) fn add(&mut self, listener: &Arc<Listener>) {
        self.0.retain(|known| known.strong_count() > 0);
        self.0.push(Arc::downgrade(listener));
    }

    /// Tells of what was committed here, or by another controller.
    pub(super) fn tell(&self, news: &[&News], by_others: bool) {
        if news.is_empty() {
            return;
        }
        for listener in self.0.iter().filter_map(Weak::upgrade) {
            if listener.others_only && !by_others {
                continue;
            }
            let wanted: Vec<&News> = news.iter().copied().filter(|news| listener.wants(news)).collect();
            if !wanted.is_empty() {
                listener.ear.hear(&wanted);
            }
        }
    }

    /// Something may have been missed, and nobody knows what.
    pub(super) fn tell_all(&self) {
        self.0.iter().filter_map(Weak::upgrade).for_each(|listener| listener.ear.hear_all());
    }
}

/// A room's closure.
pub(super) struct Call<F>(pub(super) F);

impl<F: Fn(&Touched) + Send + Sync> Ear for Call<F> {
    fn hear(&self, news: &[&News]) {
        self.0(&Touched::These(news.iter().map(|news| news.thing.clone()).collect()));
    }

    fn hear_all(&self) {
        self.0(&Touched::All);
    }
}
