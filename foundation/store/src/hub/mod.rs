// SPDX-License-Identifier: Apache-2.0
//! Tells this process what was committed, by itself and by other controllers.

mod ears;
mod thing;
mod wake;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use ears::Heeding;
pub use thing::{Thing, Touched};
pub use wake::Wake;

use ears::{Call, Ears, Listener};
pub(crate) use thing::News;
use wake::Pending;

#[derive(Default)]
pub(crate) struct Hub {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ears: Ears,
}

impl Hub {
    pub(crate) fn watch(&self, kinds: &[&'static str], others_only: bool) -> Wake {
        let pending = Arc::new(Pending::default());
        let listener = Listener::new(kinds, others_only, Box::new(Arc::clone(&pending)));
        self.lock().ears.add(&listener);
        Wake::new(pending, listener)
    }

    pub(crate) fn heed(&self, kinds: &[&'static str], hear: impl Fn(&Touched) + Send + Sync + 'static) -> Heeding {
        let listener = Listener::new(kinds, false, Box::new(Call(hear)));
        self.lock().ears.add(&listener);
        Heeding::new(listener)
    }

    /// Tells of a commit of this process.
    pub(crate) fn committed(&self, news: &[News]) {
        self.lock().ears.tell(&news.iter().collect::<Vec<_>>(), false);
    }

    /// Another controller changed something, or something may have been missed.
    pub(crate) fn tell_all(&self) {
        self.lock().ears.tell_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
