// SPDX-License-Identifier: Apache-2.0
//! What the loop knows of its keys.
//!
//! ```text
//!            listed, rung            taken
//! (unknown) ─────────────▶ Ready ──────────────▶ UnderWay
//!     ▲                     ▲ ▲   got on, or rung meanwhile │
//!     │                     │ └──────────────────────┤
//!     │            time, ring │                             │
//!     │                    Pausing ◀────────────────────────┤ waits, conflict, failure
//!     └─────────────────────────────────────────────────────┘ settled
//! ```
//! A ring for a key that is under way is remembered, and the key is looked at again when the attempt ends, however it ends.
//! One that has not got on in several attempts is then tried a few times a second at most, whoever rings.
//!
//! Ready keys come from two queues by turns: those that somebody rang for, and those that were found in the tables. So a long
//! backlog does not keep a new request waiting, and many requests do not keep the backlog.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use crate::{Step, pause::Growing};

/// After something outside was not ready, or failed.
const PAUSES: Growing = Growing { first: Duration::from_millis(250), longest: Duration::from_secs(30) };
/// After another change came first: most likely it is over by now.
const CONFLICTS: Growing = Growing { first: Duration::from_millis(20), longest: Duration::from_secs(2) };
/// So many attempts that do not get on follow each other at once when it rings; then there is a pause between them.
const RUNG_AT_ONCE: u32 = 4;
/// So many keys wait for a place because it rang for them; more are found in the tables.
const RUNG_AT_MOST: usize = 8192;

#[derive(Default)]
pub(crate) struct Keys {
    pub known: HashMap<String, Key>,
    rung: VecDeque<String>,
    listed: VecDeque<String>,
    listed_is_next: bool,
    alarms: BTreeSet<(Instant, String)>,
    /// The last reading of the tables that began.
    round: u64,
    pub under_way: usize,
}

pub(crate) struct Key {
    pub state: State,
    /// Attempts since it last got on.
    pub tries: u32,
    /// How the last attempt failed.
    pub error: Option<String>,
    /// The last reading of the tables that found it, or the one in which it was last tried.
    round: u64,
}

pub(crate) enum State {
    Ready,
    UnderWay {
        since: Instant,
        rung: bool,
    },
    Pausing {
        since: Instant,
        until: Instant,
        /// After an error the pause is kept when it rings for all, so that a broken part is not hammered.
        after_error: bool,
    },
}

impl Keys {
    /// Something changed for this key.
    pub fn ring(&mut self, key: String, now: Instant) -> Overflow {
        match self.known.get_mut(&key).map(|known| (&mut known.state, known.tries)) {
            None if self.rung.len() >= RUNG_AT_MOST => return Overflow(true),
            None => {
                let known = Key { state: State::Ready, tries: 0, error: None, round: self.round };
                self.known.insert(key.clone(), known);
                self.rung.push_back(key);
            }
            Some((State::Ready, _)) => {}
            Some((State::UnderWay { rung, .. }, _)) => *rung = true,
            Some((State::Pausing { since, .. }, tries)) => {
                let soonest = soonest(*since, tries);
                self.end_pause(key, soonest, now);
            }
        }
        Overflow(false)
    }

    /// Something changed that may concern any key.
    pub fn ring_all(&mut self, now: Instant) {
        let mut waiting = Vec::new();
        for (key, known) in &mut self.known {
            match &mut known.state {
                State::UnderWay { rung, .. } => *rung = true,
                State::Pausing { since, after_error: false, .. } => waiting.push((key.clone(), soonest(*since, known.tries))),
                State::Ready | State::Pausing { .. } => {}
            }
        }
        for (key, soonest) in waiting {
            self.end_pause(key, soonest, now);
        }
    }

    /// A reading of the tables begins.
    pub fn begin_round(&mut self) {
        self.round += 1;
    }

    /// The tables say that this key is not as desired.
    pub fn listed(&mut self, key: String) {
        match self.known.get_mut(&key) {
            Some(known) => known.round = self.round,
            None => {
                let known = Key { state: State::Ready, tries: 0, error: None, round: self.round };
                self.known.insert(key.clone(), known);
                self.listed.push_back(key);
            }
        }
    }

    /// The tables were read to their end: what pauses and was not listed has been settled by somebody else.
    pub fn end_round(&mut self) {
        let round = self.round;
        let alarms = &mut self.alarms;
        self.known.retain(|key, known| match known.state {
            State::Pausing { until, .. } if known.round < round => {
                alarms.remove(&(until, key.clone()));
                false
            }
            _ => true,
        });
    }

    /// The next key whose turn it is; it is under way from now on.
    pub fn take(&mut self, now: Instant) -> Option<String> {
        let (first, second) = match self.listed_is_next {
            true => (&mut self.listed, &mut self.rung),
            false => (&mut self.rung, &mut self.listed),
        };
        let key = first.pop_front().or_else(|| second.pop_front())?;
        self.listed_is_next = !self.listed_is_next;
        self.known.get_mut(&key)?.state = State::UnderWay { since: now, rung: false };
        self.under_way += 1;
        Some(key)
    }

    /// Notes how an attempt ended.
    pub fn ended(&mut self, key: String, outcome: Result<Step, String>, now: Instant) {
        let Some(known) = self.known.get_mut(&key) else { return };
        let State::UnderWay { rung, .. } = known.state else { return };
        self.under_way -= 1;
        known.round = self.round;
        let pause = match &outcome {
            Ok(Step::Settled | Step::Again) => {
                known.tries = 0;
                None
            }
            Ok(Step::Wait) | Err(_) => {
                known.tries = known.tries.saturating_add(1);
                Some(PAUSES.after(known.tries))
            }
            Ok(Step::Conflict) => {
                known.tries = known.tries.saturating_add(1);
                Some(CONFLICTS.after(known.tries))
            }
        };
        let until = match pause {
            None if outcome == Ok(Step::Settled) && !rung => {
                self.known.remove(&key);
                return;
            }
            None => now,
            Some(pause) if rung => soonest(now, known.tries).min(now + pause),
            Some(pause) => now + pause,
        };
        let after_error = outcome.is_err();
        known.error = outcome.err();
        if until <= now {
            known.state = State::Ready;
            self.rung.push_back(key);
        } else {
            known.state = State::Pausing { since: now, until, after_error };
            self.alarms.insert((until, key));
        }
    }

    /// Makes those ready whose pause is over.
    pub fn wake(&mut self, now: Instant) {
        while let Some((until, key)) = self.alarms.pop_first() {
            if until > now {
                self.alarms.insert((until, key));
                return;
            }
            if let Some(known) = self.known.get_mut(&key) {
                known.state = State::Ready;
                self.listed.push_back(key);
            }
        }
    }

    pub fn next_alarm(&self) -> Option<Instant> {
        self.alarms.first().map(|(until, _)| *until)
    }

    /// How many of those that were found in the tables wait for a place.
    pub fn backlog(&self) -> usize {
        self.listed.len()
    }

    pub fn ready(&self) -> usize {
        self.listed.len() + self.rung.len()
    }

    pub fn pausing(&self) -> usize {
        self.alarms.len()
    }

    fn end_pause(&mut self, key: String, soonest: Instant, now: Instant) {
        let Some(known) = self.known.get_mut(&key) else { return };
        let State::Pausing { until, .. } = &mut known.state else { return };
        let earlier = soonest.max(now).min(*until);
        self.alarms.remove(&(*until, key.clone()));
        if earlier <= now {
            known.state = State::Ready;
            self.rung.push_back(key);
        } else {
            *until = earlier;
            self.alarms.insert((earlier, key));
        }
    }
}

/// More keys were rung for than wait for a place: the tables know them.
#[must_use]
pub(crate) struct Overflow(pub bool);

/// The earliest that a ring brings on the next attempt, after one that ended then.
fn soonest(ended: Instant, tries: u32) -> Instant {
    if tries < RUNG_AT_ONCE { ended } else { ended + PAUSES.first }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(keys: &mut Keys, key: &str, now: Instant) {
        assert!(!keys.ring(key.to_owned(), now).0);
    }

    #[test]
    fn a_ring_for_a_key_that_is_under_way_brings_it_back_however_the_attempt_ends() {
        let now = Instant::now();
        for outcome in [Ok(Step::Settled), Ok(Step::Again), Ok(Step::Wait), Ok(Step::Conflict), Err("broken".to_owned())] {
            for by_name in [true, false] {
                let mut keys = Keys::default();
                ring(&mut keys, "a", now);
                assert_eq!(keys.take(now).as_deref(), Some("a"));
                if by_name {
                    ring(&mut keys, "a", now)
                } else {
                    keys.ring_all(now)
                }
                assert_eq!(keys.take(now), None, "twice at the same time");
                keys.ended("a".to_owned(), outcome.clone(), now);
                assert_eq!(keys.take(now).as_deref(), Some("a"), "{outcome:?}");
            }
        }
    }

    #[test]
    fn a_key_that_rings_for_itself_and_never_gets_on_is_not_tried_without_a_pause() {
        let now = Instant::now();
        for outcome in [Ok(Step::Wait), Ok(Step::Conflict), Err("broken".to_owned())] {
            let mut keys = Keys::default();
            ring(&mut keys, "a", now);
            let mut attempts = 0;
            while keys.take(now).is_some() {
                attempts += 1;
                ring(&mut keys, "a", now);
                keys.ended("a".to_owned(), outcome.clone(), now);
            }
            assert!(attempts <= RUNG_AT_ONCE, "{attempts} attempts in one moment");
            assert!(keys.next_alarm().is_some_and(|next| next <= now + PAUSES.first));
        }
    }

    #[test]
    fn a_conflict_pauses_shortly_and_a_failure_longer() {
        let now = Instant::now();
        let mut keys = Keys::default();
        for (key, outcome) in [("conflict", Ok(Step::Conflict)), ("failure", Err("broken".to_owned()))] {
            ring(&mut keys, key, now);
            keys.take(now);
            keys.ended(key.to_owned(), outcome, now);
        }
        keys.wake(now + CONFLICTS.first);
        assert_eq!(keys.take(now).as_deref(), Some("conflict"));
        keys.wake(now + CONFLICTS.first);
        assert_eq!(keys.take(now), None);
        keys.wake(now + PAUSES.first);
        assert_eq!(keys.take(now).as_deref(), Some("failure"));
    }

    #[test]
    fn a_ring_for_all_ends_waits_and_leaves_pauses_after_errors() {
        let now = Instant::now();
        let mut keys = Keys::default();
        for (key, outcome) in [("waits", Ok(Step::Wait)), ("failed", Err("broken".to_owned()))] {
            ring(&mut keys, key, now);
            keys.take(now);
            keys.ended(key.to_owned(), outcome, now);
        }
        keys.ring_all(now);
        assert_eq!(keys.take(now).as_deref(), Some("waits"));
        assert_eq!(keys.take(now), None);
        ring(&mut keys, "failed", now);
        assert_eq!(keys.take(now).as_deref(), Some("failed"));
    }

    #[test]
    fn a_backlog_and_new_requests_go_by_turns() {
        let now = Instant::now();
        let mut keys = Keys::default();
        (0..10).for_each(|number| keys.listed(format!("old-{number}")));
        (0..10).for_each(|number| ring(&mut keys, &format!("new-{number}"), now));
        let first: Vec<String> = std::iter::from_fn(|| keys.take(now)).take(6).collect();
        assert_eq!(first, ["new-0", "old-0", "new-1", "old-1", "new-2", "old-2"]);
    }

    #[test]
    fn what_the_tables_do_not_list_any_more_is_forgotten_only_after_a_whole_reading() {
        let now = Instant::now();
        let mut keys = Keys::default();
        keys.begin_round();
        for key in ["a", "b"] {
            keys.listed(key.to_owned());
            keys.take(now);
            keys.ended(key.to_owned(), Err("broken".to_owned()), now);
        }
        keys.end_round();
        assert_eq!(keys.pausing(), 2);
        keys.begin_round();
        keys.listed("b".to_owned());
        assert_eq!(keys.pausing(), 2);
        keys.end_round();
        assert_eq!((keys.pausing(), keys.known.contains_key("b")), (1, true));
    }
}
