// SPDX-License-Identifier: Apache-2.0
//! What lies in a segment, and the making of holes.

use std::{fs::File, os::unix::fs::FileExt};

use nix::{
    errno::Errno,
    fcntl::{FallocateFlags, fallocate},
    unistd::{Whence, lseek},
};

use crate::{
    Error,
    error::Doing,
    files::Opened,
    layout::{self, Head, LARGEST, PAGE},
};

/// The longest head.
pub const LONGEST_HEAD: usize = 128 + 4 * (LARGEST / layout::BLOCK) as usize;

/// Where data begin at or behind `from`; none if the rest is hole.
pub fn data_from(file: &File, from: u64) -> Result<Option<u64>, Error> {
    match lseek(file, from.cast_signed(), Whence::SeekData) {
        Ok(at) => Ok(Some(at.unsigned_abs())),
        Err(Errno::ENXIO) => Ok(None),
        Err(error) => Err(error).doing(|| "find the data in a segment".into()),
    }
}

/// Turns whole pages into a hole.
pub fn punch(file: &File, offset: u64, bytes: u64) -> Result<(), Error> {
    let how = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    fallocate(file, how, offset.cast_signed(), bytes.cast_signed()).doing(|| "give space of a segment back".into())
}

/// The head at this place, if one is there.
pub fn head_at(opened: &Opened, segment: u64, offset: u64) -> Result<Option<Head>, Error> {
    let mut bytes = [0; LONGEST_HEAD];
    let mut read = 0;
    while read < bytes.len() {
        let doing = || format!("read segment {segment:016x} at {offset}");
        match opened.file.read_at(&mut bytes[read..], offset + read as u64).doing(doing)? {
            0 => break,
            more => read += more,
        }
    }
    Ok(Head::read(&bytes[..read], &opened.seal, segment, offset))
}

/// What is found on the way through a segment.
pub enum Found {
    Piece {
        offset: u64,
        head: Head,
    },
    /// A page that no head claims.
    Unclaimed {
        offset: u64,
    },
}

/// Goes through a segment from a page on, until `each` says that it is enough.
pub fn walk(opened: &Opened, segment: u64, from: u64, mut each: impl FnMut(Found) -> Result<bool, Error>) -> Result<(), Error> {
    let mut at = from.max(PAGE);
    while let Some(data) = data_from(&opened.file, at)? {
        // A file system may begin its data in the middle of ours.
        let offset = (data - data % PAGE).max(at);
        let (found, next) = match head_at(opened, segment, offset)? {
            Some(head) => {
                let next = offset + layout::extent(head.capacity);
                (Found::Piece { offset, head }, next)
            }
            None => (Found::Unclaimed { offset }, offset + PAGE),
        };
        if !each(found)? {
            return Ok(());
        }
        at = next;
    }
    Ok(())
}
