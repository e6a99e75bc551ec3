// SPDX-License-Identifier: Apache-2.0
//! Where the work stands, for whoever asks: the operator, a figure, a test.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::time::Instant;
use types::Timestamp;

use crate::keys::{Keys, State};

/// So many keys of each kind are named in a status; the others are counted.
const NAMED: usize = 20;

/// Where one reconciler stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub name: &'static str,
    /// Why nothing is tried at the moment.
    pub blocked: Option<String>,
    /// Those that are worked on, the longest first.
    pub under_way: Vec<UnderWay>,
    pub under_way_count: usize,
    /// How many wait for a place.
    pub ready: usize,
    /// Those that are tried again later, those that failed most often first.
    pub pausing: Vec<Pausing>,
    pub pausing_count: usize,
    /// How many of those that are tried again later failed; the others wait for something outside.
    pub failing: usize,
    /// When the tables were last asked to their end what is not as desired.
    pub looked_at: Option<Timestamp>,
    /// Why they could not be asked.
    pub look_error: Option<String>,
    pub last_error: Option<Failure>,
}

/// A key that is worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    pub key: String,
    pub since: Timestamp,
    /// When this attempt is cut off.
    pub until: Timestamp,
    /// Attempts before this one that did not get on.
    pub tries: u32,
}

/// A key that is tried again later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pausing {
    pub key: String,
    pub next: Timestamp,
    /// Attempts since it last got on.
    pub tries: u32,
    /// None if it only waits for something outside.
    pub error: Option<String>,
}

/// The last attempt that failed, of any key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub key: String,
    pub at: Timestamp,
    pub error: String,
}

/// Every reconciler of this process writes here where it stands.
#[derive(Clone, Default)]
pub struct Board(Arc<Mutex<Vec<Weak<Desk>>>>);

/// What one loop shares with the board, as long as it runs.
pub(crate) struct Desk {
    pub name: &'static str,
    pub deadline: std::time::Duration,
    papers: Mutex<Papers>,
}

#[derive(Default)]
pub(crate) struct Papers {
    pub keys: Keys,
    pub blocked: Option<String>,
    pub looked_at: Option<Timestamp>,
    pub look_error: Option<String>,
    pub last_error: Option<Failure>,
}

impl Board {
    /// Where every reconciler that runs stands, by name.
    pub fn read(&self) -> Vec<Status> {
        let desks: Vec<_> = self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect();
        let mut all: Vec<_> = desks.iter().map(|desk| desk.status()).collect();
        all.sort_by_key(|status| status.name);
        all
    }

    pub(crate) fn hang(&self, desk: &Arc<Desk>) {
        let mut desks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        desks.retain(|known| known.strong_count() > 0);
        desks.push(Arc::downgrade(desk));
    }
}

impl Desk {
    pub fn new(name: &'static str, deadline: std::time::Duration) -> Arc<Self> {
        Arc::new(Self { name, deadline, papers: Mutex::default() })
    }

    pub fn papers(&self) -> MutexGuard<'_, Papers> {
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> Status {
        let (clock, now) = (Timestamp::now(), Instant::now());
        let ahead = |at: Instant| clock.plus(at.saturating_duration_since(now));
        let behind = |at: Instant| clock.minus(now.saturating_duration_since(at));
        let papers = self.papers();
        let keys = &papers.keys;
        let (mut under_way, mut pausing, mut failing) = (Vec::new(), Vec::new(), 0);
        for (key, known) in &keys.known {
            match known.state {
                State::Ready => {}
                State::UnderWay { since, .. } => under_way.push((since, key, known.tries)),
                State::Pausing { until, .. } => {
                    failing += usize::from(known.error.is_some());
                    pausing.push((known.error.is_none(), std::cmp::Reverse(known.tries), until, key, &known.error));
                }
            }
        }
        under_way.sort();
        pausing.sort();
        Status {
            name: self.name,
            blocked: papers.blocked.clone(),
            under_way: under_way
                .iter()
                .take(NAMED)
                .map(|(since, key, tries)| UnderWay {
                    key: (*key).clone(),
                    since: behind(*since),
                    until: ahead(*since + self.deadline),
                    tries: *tries,
                })
                .collect(),
            under_way_count: keys.under_way,
            ready: keys.ready(),
            pausing: pausing
                .iter()
                .take(NAMED)
                .map(|(_, tries, until, key, error)| Pausing {
                    key: (*key).clone(),
                    next: ahead(*until),
                    tries: tries.0,
                    error: (*error).clone(),
                })
                .collect(),
            pausing_count: keys.pausing(),
            failing,
            looked_at: papers.looked_at,
            look_error: papers.look_error.clone(),
            last_error: papers.last_error.clone(),
        }
    }
}
