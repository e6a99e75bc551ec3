// SPDX-License-Identifier: Apache-2.0
//! Places: so many in all, and so many for each of those who share them.
//!
//! Invariant: who holds idle places keeps nobody else out (test: `an_idle_place_is_given_to_who_comes`).

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::Notify, time::Instant};

/// Clones share the places. `K` is whom they are counted for.
pub struct Places<K> {
    inner: Arc<Inner<K>>,
}

struct Inner<K> {
    all: usize,
    each: usize,
    held: Mutex<Held<K>>,
}

struct Held<K> {
    next: u64,
    places: HashMap<u64, Entry<K>>,
    counts: HashMap<K, usize>,
}

struct Entry<K> {
    key: K,
    activity: Arc<Activity>,
}

struct Activity {
    state: Mutex<State>,
    leave: Notify,
}

#[derive(Clone, Copy)]
struct State {
    busy: usize,
    idle_since: Instant,
    is_evicted: bool,
}

/// Why there is no place, and nothing idle that could make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Whoever asks has all that one may have.
    Yours,
    /// All are taken, by others too.
    All,
}

/// Given back when it is dropped.
pub struct Place<K: Eq + Hash + Clone> {
    inner: Arc<Inner<K>>,
    id: u64,
    activity: Arc<Activity>,
}

/// While it lives its place is in use and is not taken away.
pub struct Busy {
    activity: Arc<Activity>,
}

impl<K> Clone for Places<K> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<K: Eq + Hash + Clone> Places<K> {
    pub fn new(all: usize, each: usize) -> Self {
        let held = Held { next: 0, places: HashMap::new(), counts: HashMap::new() };
        Self { inner: Arc::new(Inner { all, each, held: Mutex::new(held) }) }
    }

    /// A place that is idle until it is said to be busy. If there is none left, the one that was idle for longest is asked to
    /// leave: one's own if one has as many as one may have, else one of whoever has the most.
    pub fn enter(&self, key: K) -> Result<Place<K>, Full> {
        self.take(key, 0)
    }

    /// A place that is in use from beginning to end.
    pub fn enter_busy(&self, key: K) -> Result<Place<K>, Full> {
        self.take(key, 1)
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.inner.lock().places.len()
    }

    fn take(&self, key: K, busy: usize) -> Result<Place<K>, Full> {
        let mut held = self.inner.lock();
        if held.counts.get(&key).is_some_and(|count| *count >= self.inner.each) {
            let id = held.longest_idle(|other| *other == key).ok_or(Full::Yours)?;
            held.evict(id);
        }
        if held.places.len() >= self.inner.all {
            let id = held.least_missed().ok_or(Full::All)?;
            held.evict(id);
        }
        held.next += 1;
        let id = held.next;
        let state = State { busy, idle_since: Instant::now(), is_evicted: false };
        let activity = Arc::new(Activity { state: Mutex::new(state), leave: Notify::new() });
        *held.counts.entry(key.clone()).or_default() += 1;
        held.places.insert(id, Entry { key, activity: activity.clone() });
        Ok(Place { inner: self.inner.clone(), id, activity })
    }
}

impl<K> Inner<K> {
    fn lock(&self) -> MutexGuard<'_, Held<K>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Clone> Held<K> {
    fn longest_idle(&self, whose: impl Fn(&K) -> bool) -> Option<u64> {
        let idle = self.places.iter().filter(|(_, entry)| whose(&entry.key));
        let idle = idle.filter_map(|(id, entry)| Some((entry.activity.idle_since()?, *id)));
        idle.min().map(|(_, id)| id)
    }

    /// The longest idle place of whoever has the most places, of those who have an idle one.
    fn least_missed(&self) -> Option<u64> {
        let idle = self.places.iter().filter_map(|(id, entry)| {
            let since = entry.activity.idle_since()?;
            let count = self.counts.get(&entry.key).copied().unwrap_or_default();
            Some((std::cmp::Reverse(count), since, *id))
        });
        idle.min().map(|(.., id)| id)
    }

    fn evict(&mut self, id: u64) {
        if let Some(entry) = self.remove(id) {
            entry.activity.lock().is_evicted = true;
            entry.activity.leave.notify_one();
        }
    }

    fn remove(&mut self, id: u64) -> Option<Entry<K>> {
        let entry = self.places.remove(&id)?;
        if let Some(count) = self.counts.get_mut(&entry.key) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&entry.key);
            }
        }
        Some(entry)
    }
}

impl<K: Eq + Hash + Clone> Place<K> {
    /// The place is in use for as long as this lives. None if it was given to somebody else a moment ago.
    pub fn busy(&self) -> Option<Busy> {
        let mut state = self.activity.lock();
        if state.is_evicted {
            return None;
        }
        state.busy += 1;
        drop(state);
        Some(Busy { activity: self.activity.clone() })
    }

    /// Since when nothing has been done in it; none while it is in use.
    pub fn idle_since(&self) -> Option<Instant> {
        self.activity.idle_since()
    }

    /// Ready once the place was given to somebody else.
    pub async fn must_leave(&self) {
        self.activity.leave.notified().await;
    }
}

impl<K: Eq + Hash + Clone> Drop for Place<K> {
    fn drop(&mut self) {
        self.inner.lock().remove(self.id);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.activity.lock();
        state.busy -= 1;
        state.idle_since = Instant::now();
    }
}

impl Activity {
    fn idle_since(&self) -> Option<Instant> {
        let state = self.lock();
        (state.busy == 0).then_some(state.idle_since)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn who_has_as_many_as_one_may_have_takes_nothing_from_others() {
        let places = Places::new(4, 2);
        let own: Vec<_> = (0..2).map(|_| places.enter_busy("a").ok().unwrap()).collect();
        assert_eq!(places.enter("a").err(), Some(Full::Yours));
        let others: Vec<_> = ["b", "c"].map(|key| places.enter_busy(key).ok().unwrap()).into();
        assert_eq!(places.enter("d").err(), Some(Full::All));
        drop(others);
        assert!(places.enter("d").is_ok());
        drop(own);
        assert_eq!(places.taken(), 0);
        assert!(places.inner.lock().counts.is_empty());
    }

    #[tokio::test]
    async fn an_idle_place_is_given_to_who_comes() {
        let places = Places::new(3, 2);
        let [first, second] = [0, 1].map(|_| places.enter("a").ok().unwrap());
        let quiet = places.enter("b").ok().unwrap();
        // Of whoever has the most, although another was idle for as long.
        let third = places.enter("c").ok().unwrap();
        assert!(first.must_leave().now_or_never().is_some() && first.busy().is_none());
        assert!(quiet.must_leave().now_or_never().is_none() && second.must_leave().now_or_never().is_none());
        // Its end changes nothing any more.
        drop(first);
        assert_eq!(places.taken(), 3);
        // What is in use stays.
        let uses = [second.busy().unwrap(), quiet.busy().unwrap(), third.busy().unwrap()];
        assert_eq!(places.enter("d").err(), Some(Full::All));
        drop(uses);
        assert!(places.enter("d").is_ok());
    }
}
