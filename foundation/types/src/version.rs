// SPDX-License-Identifier: Apache-2.0
//! Microversions of the APIs, and generations of the rows.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A version such as 2.96 that a client asks for and a service answers in. Ordered: 2.9 is before 2.10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Microversion {
    pub major: u16,
    pub minor: u16,
}

impl Microversion {
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }
}

impl fmt::Display for Microversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a version is two numbers with a dot between them, such as 2.96")]
pub struct BadMicroversion;

impl FromStr for Microversion {
    type Err = BadMicroversion;

    /// Strict, as Nova is: no sign, no spaces, no leading zero but in a lone `0`.
    fn from_str(text: &str) -> Result<Self, BadMicroversion> {
        let (major, minor) = text.split_once('.').ok_or(BadMicroversion)?;
        Ok(Self { major: number(major)?, minor: number(minor)? })
    }
}

fn number(digits: &str) -> Result<u16, BadMicroversion> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    if !plain || leading_zero {
        return Err(BadMicroversion);
    }
    digits.parse().map_err(|_| BadMicroversion)
}

/// How often a row was changed. A write names the generation it read; if another came first, it is refused.
/// The same number travels outward (OVN's `external_ids`, the desired state of a node), where the older is refused too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub i64);

impl Generation {
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_number() {
        let early: Microversion = "2.9".parse().unwrap();
        let late: Microversion = "2.10".parse().unwrap();
        assert!(early < late);
        assert_eq!(late.to_string(), "2.10");
    }

    #[test]
    fn sloppy_versions_are_refused() {
        for text in ["", "2", "2.", ".1", "2.01", "+2.1", "2.1 ", "2.1.1", "2.x", "2.99999"] {
            assert_eq!(text.parse::<Microversion>(), Err(BadMicroversion), "{text:?}");
        }
    }
}
