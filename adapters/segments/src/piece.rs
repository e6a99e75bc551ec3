// SPDX-License-Identifier: Apache-2.0
//! A piece that is being written.

use std::{os::unix::fs::FileExt, sync::Arc};

use bytes::Bytes;
use contracts::data::Piece;
use types::Timestamp;

use crate::{
    Error,
    error::Doing,
    layout::{self, Head},
    scan,
    segment::Segment,
    sums::Sums,
};

/// A run of a segment that one upload has for itself. It gives its space back, unless it was kept.
pub struct Extent {
    segment: Arc<Segment>,
    offset: u64,
    capacity: u64,
    length: u64,
    sums: Sums,
    kept: bool,
}

impl Extent {
    pub fn new(segment: Arc<Segment>, offset: u64, capacity: u64) -> Self {
        Self { segment, offset, capacity, length: 0, sums: Sums::default(), kept: false }
    }

    pub fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    pub fn left(&self) -> u64 {
        self.capacity - self.length
    }

    /// Appends; the caller has looked that there is room.
    pub fn write(&mut self, bytes: &[Bytes]) -> Result<(), Error> {
        let opened = self.segment.file()?;
        let begin = self.offset + layout::head_length(self.capacity);
        for run in bytes {
            opened.file.write_all_at(run, begin + self.length).map_err(|error| self.segment.failed(error))?;
            self.sums.update(run);
            self.length += run.len() as u64;
        }
        Ok(())
    }

    /// Says on the disk what the bytes are. They are not there for good before the segment is durable.
    pub fn seal(&mut self, owner: &str) -> Result<Piece, Error> {
        let mut chance = [0; 4];
        getrandom::fill(&mut chance).map_err(std::io::Error::other).doing(|| "get chance from the kernel".into())?;
        let head = Head {
            length: self.length,
            capacity: self.capacity,
            stamp: u32::from_le_bytes(chance) >> 1,
            at: Timestamp::now().micros(),
            owner: owner.to_owned(),
            sums: self.sums.take(),
        };
        let (number, seal) = (self.segment.number, &self.segment.seal);
        let opened = self.segment.file()?;
        let written = opened.file.write_all_at(&head.write(seal, number, self.offset), self.offset);
        written.map_err(|error| self.segment.failed(error))?;
        Ok(head.piece(seal, number, self.offset))
    }

    pub fn keep(mut self) {
        self.kept = true;
    }

    fn return_space(segment: &Segment, offset: u64, bytes: u64) {
        let punched = segment.file().and_then(|opened| scan::punch(&opened.file, offset, bytes));
        if let Err(error) = punched {
            let segment = format!("{:016x}", segment.number);
            tracing::warn!(segment, offset, %error, "the space of an upload that ended stays taken until the next start");
        }
    }
}

impl Drop for Extent {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let (segment, offset, bytes) = (self.segment.clone(), self.offset, layout::extent(self.capacity));
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || Self::return_space(&segment, offset, bytes))),
            Err(_) => Self::return_space(&segment, offset, bytes),
        }
    }
}
