// SPDX-License-Identifier: Apache-2.0
//! The board on which the task of each machine and each volume writes what it found, and from which reports are made.

mod reports;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use contracts::node::{Found, ThingId};
use tokio::sync::watch;

pub use reports::report;

pub struct Board {
    entries: Mutex<BTreeMap<ThingId, Entry>>,
    /// Things whose tasks have not looked yet: of them nothing can be said, not even that they are not there.
    unseen: Mutex<BTreeSet<ThingId>>,
    /// The mark of the latest entry.
    latest: watch::Sender<u64>,
}

struct Entry {
    found: Found,
    mark: u64,
    /// The controller has taken this very entry down.
    acknowledged: bool,
}

/// What was written after a mark.
pub(crate) struct News {
    pub things: Vec<Found>,
    pub mark: u64,
}

impl Board {
    pub fn new() -> Self {
        Self { entries: Mutex::default(), unseen: Mutex::default(), latest: watch::Sender::new(0) }
    }

    /// A task begins to look at this thing.
    pub fn expect(&self, id: ThingId) {
        self.unseen.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    }

    /// Whether everything has been looked at, so that what is not on the board is not on the host.
    pub fn is_complete(&self) -> bool {
        self.unseen.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Notes what was found; saying the same again is no news.
    pub fn write(&self, found: impl Into<Found>) {
        let found = found.into();
        let (id, mut entries) = (found.id(), self.lock());
        self.unseen.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if entries.get(&id).is_some_and(|entry| entry.found == found) {
            return;
        }
        let mark = *self.latest.borrow() + 1;
        entries.insert(id, Entry { found, mark, acknowledged: false });
        self.latest.send_replace(mark);
    }

    /// Of the latest entry.
    pub fn mark(&self) -> u64 {
        *self.latest.borrow()
    }

    pub(crate) fn since(&self, mark: u64) -> News {
        let entries = self.lock();
        let things = entries.values().filter(|entry| entry.mark > mark).map(|entry| entry.found.clone()).collect();
        News { things, mark: *self.latest.borrow() }
    }

    /// The controller knows this now. A thing that is gone is forgotten, unless something newer was written of it.
    pub(crate) fn acknowledged(&self, known: &[Found]) {
        let mut entries = self.lock();
        for found in known {
            let id = found.id();
            if let Some(entry) = entries.get_mut(&id).filter(|entry| entry.found == *found) {
                entry.acknowledged = true;
                if found.is_gone() {
                    entries.remove(&id);
                }
            }
        }
        drop(entries);
        self.latest.send_modify(|_| {});
    }

    /// Waits until the controller knows what was written of this thing last.
    pub async fn known(&self, id: &ThingId) {
        let mut latest = self.latest.subscribe();
        while self.lock().get(id).is_some_and(|entry| !entry.acknowledged) {
            if latest.changed().await.is_err() {
                return;
            }
        }
    }

    pub async fn changed_after(&self, mark: u64) {
        let _ = self.latest.subscribe().wait_for(|latest| *latest > mark).await;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ThingId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Board {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use contracts::node::{MachineObserved, MachineState};
    use types::{Generation, ServerId};

    use super::*;

    fn found(id: &str, state: MachineState) -> Found {
        let (server_id, generation) = (id.into(), Generation(1));
        Found::Machine(MachineObserved { server_id, generation, reboots: 0, state, snapshot: None, devices: vec![] })
    }

    #[test]
    fn only_news_is_news() {
        let board = Board::new();
        board.write(found("a", MachineState::Running));
        board.write(found("b", MachineState::Running));
        let first = board.since(0);
        assert_eq!(first.things.len(), 2);
        board.write(found("a", MachineState::Running));
        assert!(board.since(first.mark).things.is_empty());
        board.write(found("a", MachineState::Stopped));
        assert_eq!(board.since(first.mark).things, [found("a", MachineState::Stopped)]);
    }

    #[test]
    fn a_machine_that_was_not_looked_at_keeps_the_board_incomplete() {
        let board = Board::new();
        assert!(board.is_complete());
        board.expect(ThingId::machine(&ServerId::new("a")));
        board.write(found("b", MachineState::Running));
        assert!(!board.is_complete());
        board.write(found("a", MachineState::Stopped));
        assert!(board.is_complete());
    }

    #[test]
    fn the_gone_are_forgotten_when_the_controller_knows_and_not_before() {
        let board = Board::new();
        board.write(found("a", MachineState::Gone));
        assert_eq!(board.since(0).things.len(), 1);
        board.acknowledged(&[found("a", MachineState::Running)]);
        assert_eq!(board.since(0).things.len(), 1);
        board.acknowledged(&[found("a", MachineState::Gone)]);
        assert!(board.since(0).things.is_empty());
    }
}
