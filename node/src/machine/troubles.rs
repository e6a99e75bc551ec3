// SPDX-License-Identifier: Apache-2.0
//! What did not go as wanted with devices that come and go while the machine runs, each for itself, and when it is tried again.

use std::{collections::BTreeMap, time::Duration};

use contracts::node::DeviceState;
use tokio::time::Instant;

use crate::Error;

/// A guest that listens lets go within a second. QEMU passes no second request on to one within five.
const ASK_AGAIN: Duration = Duration::from_secs(10);
const TRY_AGAIN: Duration = Duration::from_secs(5);

pub(super) struct Troubles<Id> {
    /// Of what kind the devices are.
    what: &'static str,
    known: BTreeMap<Id, Trouble>,
}

struct Trouble {
    state: DeviceState,
    again_at: Option<Instant>,
    /// How often the guest was asked to let go.
    asked: u32,
}

impl<Id: Ord + Clone> Troubles<Id> {
    pub fn of(what: &'static str) -> Self {
        Self { what, known: BTreeMap::new() }
    }

    pub fn state_of(&self, id: &Id) -> Option<&DeviceState> {
        self.known.get(id).map(|trouble| &trouble.state)
    }

    pub fn again_at(&self) -> Option<Instant> {
        self.known.values().filter_map(|trouble| trouble.again_at).min()
    }

    pub fn failed(&mut self, id: &Id, error: &Error) {
        let again_at = error.is_transient().then(|| Instant::now() + TRY_AGAIN);
        let asked = self.known.get(id).map_or(0, |trouble| trouble.asked);
        self.known.insert(id.clone(), Trouble { state: DeviceState::Failed { cause: error.chain() }, again_at, asked });
    }

    /// The guest was asked to let go of it.
    pub fn asked(&mut self, id: &Id) {
        let now = Instant::now();
        let begun = Trouble { state: DeviceState::Unplugging, again_at: None, asked: 0 };
        let trouble = self.known.entry(id.clone()).or_insert(begun);
        if trouble.again_at.is_none_or(|at| at <= now) {
            trouble.asked += 1;
            trouble.again_at = Some(now + ASK_AGAIN);
            trouble.state = if trouble.asked == 1 { DeviceState::Unplugging } else { not_let_go(self.what, trouble.asked) };
        }
    }

    /// It failed, and the guest was not asked to let go of it.
    pub fn has_failed(&self, id: &Id) -> bool {
        self.known.get(id).is_some_and(|trouble| trouble.asked == 0)
    }

    pub fn over(&mut self, id: &Id) {
        self.known.remove(id);
    }

    /// Forgets those of devices that are neither wanted nor there, and that a guest was asked to let go of one that is wanted again.
    pub fn keep(&mut self, is_wanted: impl Fn(&Id) -> bool, is_there: impl Fn(&Id) -> bool) {
        self.known.retain(|id, trouble| if is_wanted(id) { trouble.asked == 0 } else { is_there(id) });
    }
}

fn not_let_go(what: &str, asked: u32) -> DeviceState {
    let cause = format!(
        "the guest was asked {asked} times to let go of the {what} and has not: its system may not have started yet, or takes no part in \
         hot plugging. It is asked again, and the {what} goes with the next hard reboot or stop at the latest"
    );
    DeviceState::Failed { cause }
}
