// SPDX-License-Identifier: Apache-2.0
//! A line to stand in: so many are let through at once, so many of each owner, and the owners go by turns.
//!
//! Invariant: an owner with a thousand who wait keeps one of another owner waiting for one turn only (test:
//! `owners_go_by_turns`).

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

/// Clones are the same line.
#[derive(Clone)]
pub struct Line {
    inner: Arc<Inner>,
}

struct Inner {
    all: usize,
    each: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    through: usize,
    of_owner: HashMap<Arc<str>, usize>,
    waiting: HashMap<Arc<str>, VecDeque<oneshot::Sender<Turn>>>,
    /// Owners of whom somebody waits, the one who is next first.
    order: VecDeque<Arc<str>>,
}

/// Let through; the next one is when this is dropped.
pub struct Turn {
    line: Arc<Inner>,
    owner: Arc<str>,
}

/// The wait took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overdue {
    /// Because of others of the same owner.
    OfOwner { most: usize },
    /// Because of all.
    OfAll { most: usize },
}

impl Line {
    pub fn new(all: usize, each: usize) -> Self {
        Self { inner: Arc::new(Inner { all: all.max(1), each: each.max(1), state: Mutex::default() }) }
    }

    /// How many of one owner are let through at once.
    pub fn each(&self) -> usize {
        self.inner.each
    }

    pub async fn turn(&self, owner: &str) -> Turn {
        loop {
            if let Ok(turn) = self.inner.stand(owner).await {
                return turn;
            }
        }
    }

    pub async fn turn_within(&self, owner: &str, patience: Duration) -> Result<Turn, Overdue> {
        timeout(patience, self.turn(owner)).await.map_err(|_| {
            let own = self.inner.lock().of_owner.get(owner).copied().unwrap_or_default();
            let Inner { all, each, .. } = *self.inner;
            if own >= each { Overdue::OfOwner { most: each } } else { Overdue::OfAll { most: all } }
        })
    }
}

impl Inner {
    fn stand(self: &Arc<Self>, owner: &str) -> oneshot::Receiver<Turn> {
        let (call, called) = oneshot::channel();
        let owner: Arc<str> = owner.into();
        let mut state = self.lock();
        let queue = state.waiting.entry(owner.clone()).or_default();
        queue.push_back(call);
        if queue.len() == 1 {
            state.order.push_back(owner);
        }
        drop(state);
        self.call_next();
        called
    }

    /// Lets in whoever may be.
    fn call_next(self: &Arc<Self>) {
        loop {
            let mut state = self.lock();
            let Some((owner, call)) = state.next(self) else { return };
            state.through += 1;
            *state.of_owner.entry(owner.clone()).or_default() += 1;
            drop(state);
            // Should he have gone at this very moment, his turn comes back and is dropped, which makes room again.
            let _ = call.send(Turn { line: self.clone(), owner });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&mut self, line: &Inner) -> Option<(Arc<str>, oneshot::Sender<Turn>)> {
        if self.through >= line.all {
            return None;
        }
        for _ in 0..self.order.len() {
            let owner = self.order.pop_front()?;
            let Some(queue) = self.waiting.get_mut(&owner) else { continue };
            queue.retain(|call| !call.is_closed());
            let may = self.of_owner.get(&owner).is_none_or(|through| *through < line.each);
            let call = if may { queue.pop_front() } else { None };
            if queue.is_empty() {
                self.waiting.remove(&owner);
            } else {
                self.order.push_back(owner.clone());
            }
            if let Some(call) = call {
                return Some((owner, call));
            }
        }
        None
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.line.lock();
        state.through -= 1;
        if let Some(through) = state.of_owner.get_mut(&self.owner) {
            *through -= 1;
            if *through == 0 {
                state.of_owner.remove(&self.owner);
            }
        }
        drop(state);
        self.line.call_next();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn owners_go_by_turns() {
        let line = Line::new(2, 2);
        let (one, two) = (line.turn("a").await, line.turn("a").await);
        let mut crowd: Vec<_> = (0..1000).map(|_| Box::pin(line.turn("a"))).collect();
        assert!(crowd.iter_mut().all(|waits| waits.now_or_never().is_none()));
        let mut other = Box::pin(line.turn("b"));
        assert!((&mut other).now_or_never().is_none());
        drop(one);
        assert!((&mut crowd[0]).now_or_never().is_some(), "who came first is first");
        // His turn was dropped at once: the next is the other owner's.
        assert!((&mut other).now_or_never().is_some());
        drop((two, crowd, other));
        assert!(line.turn("c").now_or_never().is_some());
        let state = line.inner.lock();
        assert_eq!((state.through, state.of_owner.len(), state.waiting.len(), state.order.len()), (0, 0, 0, 0));
    }

    #[tokio::test]
    async fn who_waits_too_long_is_told_because_of_whom() {
        let line = Line::new(3, 2);
        let patience = Duration::from_millis(50);
        let held = (line.turn("a").await, line.turn("a").await);
        assert_eq!(line.turn_within("a", patience).await.err(), Some(Overdue::OfOwner { most: 2 }));
        let last = line.turn_within("b", patience).await.ok();
        assert_eq!(line.turn_within("c", patience).await.err(), Some(Overdue::OfAll { most: 3 }));
        drop(held);
        assert!(line.turn_within("c", patience).await.is_ok());
        drop(last);
    }
}
