// SPDX-License-Identifier: Apache-2.0
//! How many lines of the log strangers may write: some at once, then so many a minute for each address, and for all.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use bounds::Source;

/// Lines at once, and a minute from then on.
const EACH: f64 = 60.0;
const ALL: f64 = 600.0;
/// Addresses that are told apart; of more of them all are forgotten.
const ADDRESSES: usize = 1024;

#[derive(Default)]
pub(crate) struct Refusals(Mutex<Known>);

#[derive(Default)]
struct Known {
    all: Bucket,
    by_source: HashMap<Source, Bucket>,
}

#[derive(Clone, Copy)]
struct Bucket {
    used: f64,
    at: Instant,
    left_out: u64,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { used: 0.0, at: Instant::now(), left_out: 0 }
    }
}

impl Refusals {
    /// Whether a refused request of somebody who is not known is worth a line; then, how many before it were not.
    pub fn admit(&self, source: Source) -> Option<u64> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.by_source.len() >= ADDRESSES && !known.by_source.contains_key(&source) {
            known.by_source.clear();
        }
        let own = known.by_source.entry(source).or_default();
        own.refill(EACH);
        if own.used + 1.0 > EACH {
            own.left_out += 1;
            return None;
        }
        known.all.refill(ALL);
        if known.all.used + 1.0 > ALL {
            known.all.left_out += 1;
            return None;
        }
        known.all.used += 1.0;
        let of_all = std::mem::take(&mut known.all.left_out);
        let own = known.by_source.entry(source).or_default();
        own.used += 1.0;
        Some(std::mem::take(&mut own.left_out) + of_all)
    }
}

impl Bucket {
    fn refill(&mut self, a_minute: f64) {
        let now = Instant::now();
        self.used = (self.used - (now - self.at).as_secs_f64() * a_minute / 60.0).max(0.0);
        self.at = now;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn a_stranger_writes_so_many_lines_and_another_still_writes_his() {
        let refusals = Refusals::default();
        let source = |last: u8| Source::from(IpAddr::from([192, 0, 2, last]));
        let written = (0..10_000).filter(|_| refusals.admit(source(1)).is_some()).count();
        assert!((60..=70).contains(&written), "{written}");
        assert_eq!(refusals.admit(source(2)), Some(0));
        let of_many = (0..5000_u32).filter(|n| refusals.admit(IpAddr::from(n.to_be_bytes()).into()).is_some()).count();
        assert!((500..=620).contains(&of_many), "{of_many}");
    }
}
