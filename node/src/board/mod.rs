// SPDX-License-Identifier: Apache-2.0
//! The board on which each machine's task writes what it found, and from which reports are made.

mod reports;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use contracts::node::{MachineObserved, MachineState};
use tokio::sync::watch;
use types::ServerId;

pub use reports::report;

pub struct Board {
    entries: Mutex<BTreeMap<ServerId, Entry>>,
    /// Machines whose tasks have not looked yet: of them nothing can be said, not even that they are not there.
    unseen: Mutex<BTreeSet<ServerId>>,
    /// The mark of the latest entry.
    latest: watch::Sender<u64>,
}

struct Entry {
    found: MachineObserved,
    mark: u64,
    /// The controller has taken this very entry down.
    acknowledged: bool,
}

/// What was written after a mark.
pub(crate) struct News {
    pub machines: Vec<MachineObserved>,
    pub mark: u64,
}

impl Board {
    pub fn new() -> Self {
        Self { entries: Mutex::default(), unseen: Mutex::default(), latest: watch::Sender::new(0) }
    }

    /// A task begins to look at this machine.
    pub fn expect(&self, id: ServerId) {
        self.unseen.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    }

    /// Whether every machine has been looked at, so that what is not on the board is not on the host.
    pub fn is_complete(&self) -> bool {
        self.unseen.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Notes what was found; saying the same again is no news.
    pub fn write(&self, found: MachineObserved) {
        let mut entries = self.lock();
        self.unseen.lock().unwrap_or_else(PoisonError::into_inner).remove(&found.server_id);
        if entries.get(&found.server_id).is_some_and(|entry| entry.found == found) {
            return;
        }
        let mark = *self.latest.borrow() + 1;
        entries.insert(found.server_id.clone(), Entry { found, mark, acknowledged: false });
        self.latest.send_replace(mark);
    }

    /// Of the latest entry.
    pub fn mark(&self) -> u64 {
        *self.latest.borrow()
    }

    pub(crate) fn since(&self, mark: u64) -> News {
        let entries = self.lock();
        let machines = entries.values().filter(|entry| entry.mark > mark).map(|entry| entry.found.clone()).collect();
        News { machines, mark: *self.latest.borrow() }
    }

    /// The controller knows this now. A machine that is gone is forgotten, unless something newer was written of it.
    pub(crate) fn acknowledged(&self, known: &[MachineObserved]) {
        let mut entries = self.lock();
        for machine in known {
            if let Some(entry) = entries.get_mut(&machine.server_id).filter(|entry| entry.found == *machine) {
                entry.acknowledged = true;
                if machine.state == MachineState::Gone {
                    entries.remove(&machine.server_id);
                }
            }
        }
        drop(entries);
        self.latest.send_modify(|_| {});
    }

    /// Waits until the controller knows what was written of this machine last.
    pub async fn known(&self, id: &ServerId) {
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

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ServerId, Entry>> {
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
    use types::Generation;

    use super::*;

    fn found(id: &str, state: MachineState) -> MachineObserved {
        MachineObserved { server_id: id.into(), generation: Generation(1), reboots: 0, state, snapshot: None, devices: vec![] }
    }

    #[test]
    fn only_news_is_news() {
        let board = Board::new();
        board.write(found("a", MachineState::Running));
        board.write(found("b", MachineState::Running));
        let first = board.since(0);
        assert_eq!(first.machines.len(), 2);
        board.write(found("a", MachineState::Running));
        assert!(board.since(first.mark).machines.is_empty());
        board.write(found("a", MachineState::Stopped));
        assert_eq!(board.since(first.mark).machines, [found("a", MachineState::Stopped)]);
    }

    #[test]
    fn a_machine_that_was_not_looked_at_keeps_the_board_incomplete() {
        let board = Board::new();
        assert!(board.is_complete());
        board.expect("a".into());
        board.write(found("b", MachineState::Running));
        assert!(!board.is_complete());
        board.write(found("a", MachineState::Stopped));
        assert!(board.is_complete());
    }

    #[test]
    fn the_gone_are_forgotten_when_the_controller_knows_and_not_before() {
        let board = Board::new();
        board.write(found("a", MachineState::Gone));
        assert_eq!(board.since(0).machines.len(), 1);
        board.acknowledged(&[found("a", MachineState::Running)]);
        assert_eq!(board.since(0).machines.len(), 1);
        board.acknowledged(&[found("a", MachineState::Gone)]);
        assert!(board.since(0).machines.is_empty());
    }
}
