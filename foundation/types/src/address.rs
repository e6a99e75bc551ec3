// SPDX-License-Identifier: Apache-2.0
//! Ethernet addresses.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// An address in OpenStack's customary range, `fa:16:3e`, with three random bytes.
    pub fn generate() -> Self {
        let [a, b, c, ..] = *uuid::Uuid::new_v4().as_bytes();
        Self([0xfa, 0x16, 0x3e, a, b, c])
    }

    /// Neither a group address nor all zero: such an address cannot be a machine's own.
    pub fn is_unicast(self) -> bool {
        self.0[0] & 1 == 0 && self.0 != [0; 6]
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an Ethernet address is six pairs of hex digits with colons between them, such as fa:16:3e:00:00:01")]
pub struct BadMac;

impl FromStr for Mac {
    type Err = BadMac;

    /// All spellings that people use: six pairs, three fours, two sixes or all twelve digits, with `:`, `-` or `.` between
    /// them. A pair may lack its leading zero.
    fn from_str(text: &str) -> Result<Self, BadMac> {
        let groups: Vec<&str> = match text.chars().find(|c| matches!(c, ':' | '-' | '.')) {
            Some(separator) => text.split(separator).collect(),
            None => vec![text],
        };
        let (least, width) = match groups.len() {
            6 => (1, 2),
            3 => (4, 4),
            2 => (6, 6),
            1 => (12, 12),
            _ => return Err(BadMac),
        };
        let mut bits = 0;
        for group in groups {
            if !(least..=width).contains(&group.len()) || !group.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(BadMac);
            }
            bits = (bits << (4 * width)) | u64::from_str_radix(group, 16).map_err(|_| BadMac)?;
        }
        let [_, _, a, b, c, d, e, f] = bits.to_be_bytes();
        Ok(Self([a, b, c, d, e, f]))
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        let mac: Mac = "FA:16:3e:00:01:02".parse().unwrap();
        assert_eq!(mac.to_string(), "fa:16:3e:00:01:02");
        assert!(mac.is_unicast());
        for spelling in
            ["fa-16-3e-00-01-02", "fa:16:3e:0:1:2", "FA163E000102", "fa16.3e00.0102", "fa163e-000102", "fa16:3e00:0102"]
        {
            assert_eq!(spelling.parse::<Mac>(), Ok(mac), "{spelling}");
        }
        assert!(Mac::generate().is_unicast());
    }

    #[test]
    fn refuses_what_is_no_address() {
        for text in [
            "",
            "fa:16:3e:00:01",
            "fa:16:3e:00:01:02:03",
            "fa:16:3e:00:01:0g",
            "fa163e00010",
            "0xfa163e0001",
            "fa:16:3e:00:01:+2",
            "fa:16:3e:00:01:",
            "fa:16:3e",
            "fa:16:3e:00:01:002",
            "fa:16-3e:00:01:02",
        ] {
            assert_eq!(text.parse::<Mac>(), Err(BadMac), "{text:?}");
        }
        assert!(!"01:00:5e:00:00:01".parse::<Mac>().unwrap().is_unicast());
    }
}
