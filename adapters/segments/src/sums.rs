// SPDX-License-Identifier: Apache-2.0
//! The checksum of each block, taken while the bytes go by.

use crate::layout::BLOCK;

#[derive(Default)]
pub struct Sums {
    whole: Vec<u32>,
    block: crc32fast::Hasher,
    filled: u64,
}

impl Sums {
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let left = usize::try_from(BLOCK - self.filled).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(bytes.len().min(left));
            self.block.update(now);
            self.filled += now.len() as u64;
            if self.filled == BLOCK {
                self.end_block();
            }
            bytes = later;
        }
    }

    fn end_block(&mut self) {
        self.whole.push(std::mem::take(&mut self.block).finalize());
        self.filled = 0;
    }

    pub fn take(&mut self) -> Vec<u32> {
        if self.filled > 0 {
            self.end_block();
        }
        std::mem::take(&mut self.whole)
    }
}

/// Of bytes that lie there as a whole.
pub fn of(bytes: &[u8]) -> Vec<u32> {
    let mut sums = Sums::default();
    sums.update(bytes);
    sums.take()
}
