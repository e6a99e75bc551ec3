// SPDX-License-Identifier: Apache-2.0
//! How long is waited before something is tried again.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// A pause that doubles with each try and is bounded. Each is shortened by up to half, at random: those who ran into each
/// other, or into the same broken part, do not meet again at the same moment.
pub(crate) struct Growing {
    pub first: Duration,
    pub longest: Duration,
}

impl Growing {
    /// The pause after the `tries`-th try, counted from 1.
    pub fn after(&self, tries: u32) -> Duration {
        let whole = self.first.saturating_mul(1 << tries.saturating_sub(1).min(20)).min(self.longest);
        let half = whole / 2;
        let jitter = RandomState::new().hash_one(tries) % (half.as_micros() as u64).max(1);
        half + Duration::from_micros(jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_have_an_end() {
        let pauses = Growing { first: Duration::from_millis(200), longest: Duration::from_secs(5) };
        for tries in [1, 2, 3, 40, u32::MAX] {
            let whole = Duration::from_millis(200).saturating_mul(1 << (tries - 1).min(20)).min(Duration::from_secs(5));
            let pause = pauses.after(tries);
            assert!(pause >= whole / 2 && pause <= whole, "{pause:?} after {tries} tries");
        }
    }
}
