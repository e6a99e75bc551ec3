// SPDX-License-Identifier: Apache-2.0
//! Numbers out of headers. `None` where the bytes end before the number does.

use std::ops::Range;

pub(crate) mod big {
    pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
        super::array(bytes, at).map(u16::from_be_bytes)
    }

    pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
        super::array(bytes, at).map(u32::from_be_bytes)
    }

    pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
        super::array(bytes, at).map(u64::from_be_bytes)
    }
}

pub(crate) mod little {
    pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
        super::array(bytes, at).map(u16::from_le_bytes)
    }

    pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
        super::array(bytes, at).map(u32::from_le_bytes)
    }

    pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
        super::array(bytes, at).map(u64::from_le_bytes)
    }
}

/// The bytes that a table of `entries` takes, from `offset`; `None` if that is beyond all numbers.
pub(crate) fn table(offset: u64, entries: u64, entry: u64) -> Option<Range<u64>> {
    Some(offset..offset.checked_add(entries.checked_mul(entry)?)?)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}
