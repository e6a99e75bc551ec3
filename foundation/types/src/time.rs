// SPDX-License-Identifier: Apache-2.0
//! Instants in whole microseconds, and the three ways in which OpenStack's services spell them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Microseconds since 1970, UTC: what the tables hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_microsecond())
    }

    pub fn micros(self) -> i64 {
        self.0
    }

    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    pub fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)))
    }

    pub fn minus(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)))
    }

    /// `2026-11-22T23:05:00Z`: Nova, Glance, Neutron, Placement.
    pub fn zulu(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%SZ")
    }

    /// `2026-11-22T23:05:00.123456Z`: Keystone.
    pub fn zulu_micros(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%S.%6fZ")
    }

    /// `2026-11-22T23:05:00.123456`, without a zone: Nova's extended attributes and Cinder.
    pub fn naive_micros(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%S.%6f")
    }

    /// Reads any ISO 8601 instant; one without a zone is taken as UTC, as the OpenStack services do.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Some(Self(instant.as_microsecond()));
        }
        let local = text.parse::<jiff::civil::DateTime>().ok()?;
        Some(Self(local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_microsecond()))
    }

    fn format(self, pattern: &str) -> String {
        let instant = jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        instant.strftime(pattern).to_string()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_three_spellings() {
        let at = Timestamp(1_795_388_700_123_456);
        assert_eq!(at.zulu(), "2026-11-22T23:05:00Z");
        assert_eq!(at.zulu_micros(), "2026-11-22T23:05:00.123456Z");
        assert_eq!(at.naive_micros(), "2026-11-22T23:05:00.123456");
    }

    #[test]
    fn reads_what_it_writes() {
        let at = Timestamp(1_795_388_700_123_456);
        assert_eq!(Timestamp::parse(&at.zulu_micros()).unwrap(), at);
        assert_eq!(Timestamp::parse(&at.naive_micros()).unwrap(), at);
        assert!(Timestamp::parse("yesterday").is_none());
    }
}
