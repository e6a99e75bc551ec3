// SPDX-License-Identifier: Apache-2.0
//! A judge of untrusted image content, fed as it streams by.
//!
//! QEMU's own tools trust what an image says about itself: which file of the host lies beneath it, where its data
//! is. So nothing of QEMU sees an image before it was judged here, in bounded memory: the first 64 KiB, the last
//! 512 bytes, and the length. Whatever is dangerous is refused as early as its bytes are there.

mod qcow2;
#[cfg(test)]
mod tests;

use crate::Format;
use crate::format;

/// Enough for the volume descriptor of an ISO at 32 KiB and every header that we read.
const HEAD: usize = 64 << 10;
const TAIL: usize = 512;

pub const TIB: u64 = 1 << 40;

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub virtual_size: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { virtual_size: 64 * TIB }
    }
}

impl Limits {
    fn check(&self, size: u64) -> Result<(), Refusal> {
        let limit = self.virtual_size;
        if size > limit { Err(Refusal::TooLarge { size, limit }) } else { Ok(()) }
    }
}

/// Feed it chunks of any size, then ask it to [`finish`](Self::finish).
#[derive(Debug)]
pub struct Inspector {
    declared: Format,
    limits: Limits,
    head: Vec<u8>,
    tail: Vec<u8>,
    length: u64,
    judged_head: bool,
}

/// What an image that passed is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    pub format: Format,
    /// Bytes that were fed.
    pub length: u64,
    /// Bytes that a guest sees, a multiple of 512.
    pub virtual_size: u64,
    pub partitions: Partitions,
}

/// The partition table in plain sight; that of a qcow2 image is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitions {
    None,
    Mbr,
    Gpt,
}

/// Why an image is not accepted, in words that its owner can act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    #[error("the image is empty")]
    Empty,
    #[error("the image was declared as {declared}, but its content is {found}")]
    NotAsDeclared { declared: Format, found: Format },
    #[error("{format} images are not accepted; convert it to qcow2 or raw first")]
    NotAccepted { format: Format },
    #[error("the image ends after {length} bytes, before its header does")]
    Truncated { length: u64 },
    #[error("the image has a backing file; flatten it first (qemu-img convert)")]
    BackingFile,
    #[error("the image keeps its data in another file; flatten it first (qemu-img convert)")]
    ExternalDataFile,
    #[error("the image is encrypted by qcow2, for which there is no key")]
    Encrypted,
    #[error("the image is marked as corrupt; repair it first (qemu-img check -r all)")]
    Corrupt,
    #[error("the image uses qcow2 features that are not known (bits {bits:#x})")]
    UnknownFeatures { bits: u64 },
    #[error("qcow2 version {version} is not known")]
    UnknownVersion { version: u32 },
    #[error("the image would be a disk of {size} bytes; at most {limit} are allowed")]
    TooLarge { size: u64, limit: u64 },
    #[error("the image's header is not well-formed: {what}")]
    Malformed { what: &'static str },
}

impl Inspector {
    pub fn new(declared: Format, limits: Limits) -> Self {
        Self { declared, limits, head: Vec::new(), tail: Vec::new(), length: 0, judged_head: false }
    }

    /// Takes the next bytes. Once it has refused, there is no point in sending more.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        self.length += chunk.len() as u64;
        let wanted = HEAD - self.head.len();
        self.head.extend_from_slice(&chunk[..chunk.len().min(wanted)]);
        self.keep_tail(chunk);
        if self.head.len() == HEAD && !self.judged_head {
            self.judge_head()?;
            self.judged_head = true;
        }
        if self.is_plain() { self.limits.check(self.length) } else { Ok(()) }
    }

    /// Judges the whole.
    pub fn finish(mut self) -> Result<Inspection, Refusal> {
        if self.length == 0 {
            return Err(Refusal::Empty);
        }
        if !self.judged_head {
            self.judge_head()?;
        }
        if let Some(found) = format::of_tail(&self.tail).filter(|found| *found != self.declared) {
            return Err(Refusal::NotAsDeclared { declared: self.declared, found });
        }
        let bytes = if self.is_plain() { self.length } else { qcow2::judge_whole(&self.head, self.length)? };
        let virtual_size = bytes.checked_next_multiple_of(512).unwrap_or(u64::MAX);
        self.limits.check(virtual_size)?;
        let partitions = if self.is_plain() { partitions(&self.head) } else { Partitions::None };
        self.head.clear();
        Ok(Inspection { format: self.declared, length: self.length, virtual_size, partitions })
    }

    /// Formats whose bytes are the guest's bytes.
    fn is_plain(&self) -> bool {
        matches!(self.declared, Format::Raw | Format::Iso)
    }

    fn judge_head(&self) -> Result<(), Refusal> {
        let found = format::of_head(&self.head);
        match (self.declared, found) {
            // A bootable ISO is also a plain disk, and may be declared as one.
            (Format::Raw, Format::Raw | Format::Iso) | (Format::Iso, Format::Iso) => Ok(()),
            (Format::Qcow2, Format::Qcow2) => qcow2::judge_head(&self.head, &self.limits),
            (declared, found) if declared == found => Err(Refusal::NotAccepted { format: declared }),
            (declared, found) => Err(Refusal::NotAsDeclared { declared, found }),
        }
    }

    fn keep_tail(&mut self, chunk: &[u8]) {
        if chunk.len() >= TAIL {
            self.tail.clear();
        } else {
            let surplus = (self.tail.len() + chunk.len()).saturating_sub(TAIL);
            self.tail.drain(..surplus);
        }
        self.tail.extend_from_slice(&chunk[chunk.len().saturating_sub(TAIL)..]);
    }
}

fn partitions(head: &[u8]) -> Partitions {
    let has_boot_signature = head.get(510..512) == Some(&[0x55, 0xaa]);
    let has_gpt = head.get(512..520) == Some(b"EFI PART");
    match (has_boot_signature, has_gpt) {
        (true, true) => Partitions::Gpt,
        (true, false) => Partitions::Mbr,
        (false, _) => Partitions::None,
    }
}
