// SPDX-License-Identifier: Apache-2.0
//! The ways in which the bearer of a token proved who they are: one bit each.

/// A set of methods. The first six bits are those of Keystone's default configuration, in its order; what Keystone
/// leaves to the operator to add follows. A new method goes to the end: tokens that are sealed already stay readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Methods(u32);

const NAMES: [&str; 9] =
    ["external", "password", "token", "oauth1", "mapped", "application_credential", "totp", "oauth2_credential", "ec2credential"];

impl Methods {
    pub const EXTERNAL: Self = Self(1);
    pub const PASSWORD: Self = Self(1 << 1);
    pub const TOKEN: Self = Self(1 << 2);
    pub const OAUTH1: Self = Self(1 << 3);
    pub const MAPPED: Self = Self(1 << 4);
    pub const APPLICATION_CREDENTIAL: Self = Self(1 << 5);
    pub const TOTP: Self = Self(1 << 6);
    pub const OAUTH2_CREDENTIAL: Self = Self(1 << 7);
    /// No method of a login: the mark of tokens that were given for an EC2 or S3 signature.
    pub const EC2_CREDENTIAL: Self = Self(1 << 8);

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The method with this name.
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().position(|known| *known == name).map(|bit| Self(1 << bit))
    }

    /// Highest bit first, as Keystone lists them.
    pub fn names(self) -> Vec<&'static str> {
        let set = |bit: &usize| self.0 & (1 << bit) != 0;
        (0..NAMES.len()).rev().filter(set).map(|bit| NAMES[bit]).collect()
    }

    pub(super) fn bits(self) -> u64 {
        u64::from(self.0)
    }

    pub(super) fn from_bits(bits: u64) -> Option<Self> {
        u32::try_from(bits).ok().map(Self)
    }
}
