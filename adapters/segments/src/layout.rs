// SPDX-License-Identifier: Apache-2.0
//! How a segment looks on the disk. All numbers are little-endian.
//!
//! ```text
//! page 0            the file's head: magic, number, seal, checksum
//! from any page on  a piece: its head (128 bytes), a checksum for each block, its bytes; then nothing up to the next page
//! ```
//!
//! The seal is 16 random bytes that every head in the file repeats. Nobody outside knows them, so nobody can put bytes that
//! look like a head.

use contracts::data::Piece;

/// What begins on its own page can become a hole without touching its neighbour.
pub const PAGE: u64 = 4096;
/// What has a checksum of its own, so that a part is read without the whole.
pub const BLOCK: u64 = 64 << 10;
/// The most bytes in one piece.
pub const LARGEST: u64 = 8 << 20;
/// The longest name of an owner.
pub const OWNER: usize = 60;

const MAGIC: [u8; 8] = *b"FERROSG1";
const FIXED: usize = 128;

pub type Seal = [u8; 16];

pub fn file_head(number: u64, seal: &Seal) -> [u8; 36] {
    let mut head = [0; 36];
    head[..8].copy_from_slice(&MAGIC);
    head[8..16].copy_from_slice(&number.to_le_bytes());
    head[16..32].copy_from_slice(seal);
    let sum = crc32fast::hash(&head[..32]);
    head[32..].copy_from_slice(&sum.to_le_bytes());
    head
}

/// The seal of a file that is the segment of this number.
pub fn read_file_head(head: &[u8; 36], number: u64) -> Option<Seal> {
    let seal = head[16..32].try_into().ok()?;
    (*head == file_head(number, &seal)).then_some(seal)
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub length: u64,
    /// For how many bytes there is room, which says where they begin.
    pub capacity: u64,
    /// 31 bits of chance: a place that a wrong row names is not taken for another's.
    pub stamp: u32,
    /// When the piece was whole, in microseconds.
    pub at: i64,
    pub owner: String,
    /// Of each block.
    pub sums: Vec<u32>,
}

pub fn blocks(length: u64) -> u64 {
    length.div_ceil(BLOCK)
}

/// How long the head of a piece is that has room for so many bytes.
pub fn head_length(capacity: u64) -> u64 {
    FIXED as u64 + 4 * blocks(capacity)
}

/// How much of the file such a piece takes, in whole pages.
pub fn extent(capacity: u64) -> u64 {
    (head_length(capacity) + capacity).next_multiple_of(PAGE)
}

impl Head {
    pub fn write(&self, seal: &Seal, segment: u64, offset: u64) -> Vec<u8> {
        let mut head = Vec::with_capacity(FIXED + 4 * self.sums.len());
        head.extend_from_slice(seal);
        for number in [segment, offset, self.length, self.capacity] {
            head.extend_from_slice(&number.to_le_bytes());
        }
        head.extend_from_slice(&self.at.to_le_bytes());
        head.extend_from_slice(&self.stamp.to_le_bytes());
        let owner = self.owner.as_bytes();
        let length = owner.len().min(OWNER);
        #[expect(clippy::cast_possible_truncation, reason = "60 at most")]
        head.push(length as u8);
        head.extend_from_slice(&owner[..length]);
        head.resize(FIXED - 4, 0);
        let sum = self.sum(&head);
        head.extend_from_slice(&sum.to_le_bytes());
        head.extend(self.sums.iter().flat_map(|sum| sum.to_le_bytes()));
        head
    }

    /// What stands at this place of this file; none if it is not the head of a piece. `bytes` may be longer.
    pub fn read(bytes: &[u8], seal: &Seal, segment: u64, offset: u64) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        if bytes.get(..16)? != seal || number(16)? != segment || number(24)? != offset {
            return None;
        }
        let (length, capacity) = (number(32)?, number(40)?);
        if length > capacity || capacity > LARGEST {
            return None;
        }
        let at = number(48)?.cast_signed();
        let stamp = u32::from_le_bytes(bytes.get(56..60)?.try_into().ok()?);
        let owner = bytes.get(61..61 + usize::from(*bytes.get(60)?).min(OWNER))?;
        let owner = std::str::from_utf8(owner).ok()?.to_owned();
        let sums = bytes.get(FIXED..FIXED + 4 * usize::try_from(blocks(length)).ok()?)?;
        let sums = sums.chunks_exact(4).filter_map(|sum| Some(u32::from_le_bytes(sum.try_into().ok()?))).collect();
        let head = Self { length, capacity, stamp, at, owner, sums };
        let sum = u32::from_le_bytes(bytes.get(FIXED - 4..FIXED)?.try_into().ok()?);
        (head.sum(bytes.get(..FIXED - 4)?) == sum).then_some(head)
    }

    fn sum(&self, fixed: &[u8]) -> u32 {
        let mut sum = crc32fast::Hasher::new();
        sum.update(fixed);
        self.sums.iter().for_each(|block| sum.update(&block.to_le_bytes()));
        sum.finalize()
    }

    pub fn piece(&self, seal: &Seal, segment: u64, offset: u64) -> Piece {
        let head = self.write(seal, segment, offset);
        let sum = head.get(FIXED - 4..FIXED).and_then(|sum| sum.try_into().ok()).map_or(0, u32::from_le_bytes);
        Piece { segment, offset, length: self.length, checksum: u64::from(self.stamp) << 32 | u64::from(sum) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SEAL: Seal = [7; 16];

    fn head() -> Head {
        Head { length: BLOCK + 1, capacity: BLOCK * 3, stamp: 5, at: 77, owner: "who".into(), sums: vec![1, 2] }
    }

    #[test]
    fn a_head_is_read_as_it_was_written_and_only_at_its_place() {
        let written = head().write(&SEAL, 9, PAGE);
        assert_eq!(Head::read(&written, &SEAL, 9, PAGE), Some(head()));
        assert_eq!(Head::read(&written, &SEAL, 9, PAGE * 2), None);
        assert_eq!(Head::read(&written, &SEAL, 8, PAGE), None);
        assert_eq!(Head::read(&written, &[8; 16], 9, PAGE), None);
        assert!(written.len() as u64 <= head_length(BLOCK * 3));
    }

    #[test]
    fn no_bit_of_a_head_can_flip_unnoticed() {
        let written = head().write(&SEAL, 9, PAGE);
        for bit in 0..written.len() * 8 {
            let mut flipped = written.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Head::read(&flipped, &SEAL, 9, PAGE), None, "bit {bit}");
        }
        for short in 0..written.len() {
            assert_eq!(Head::read(&written[..short], &SEAL, 9, PAGE), None);
        }
    }
}
