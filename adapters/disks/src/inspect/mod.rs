// SPDX-License-Identifier: Apache-2.0
//! A judge of untrusted image content, fed as it streams by.
//!
//! QEMU's own tools trust what an image says about itself: which file of the host lies beneath it, where its data
//! is. So nothing of QEMU sees an image before it was judged here, in bounded memory: the first 64 KiB, the last
//! 1536 bytes, and the length; of a VHDX the first 320 KiB and its metadata. Whatever is dangerous is refused as early as
//! its bytes are there.

mod container;
mod qcow2;
mod tar;
#[cfg(test)]
mod tests;
mod vdi;
mod vhd;
mod vhdx;
mod vmdk;

pub use container::{Container, ContainerInspector};

use crate::Format;
use crate::format;

/// Enough for the volume descriptor of an ISO at 32 KiB and every header that we read, but for a VHDX's.
const HEAD: usize = 64 << 10;
/// The longest of what a format has at its end.
const TAIL: usize = vmdk::TRAILER;
/// What a fixed VHD or a DMG has at its end.
const FOOTER: usize = 512;

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
    /// Whether an image that was declared as raw is taken for what it turns out to be.
    takes_what_it_finds: bool,
    limits: Limits,
    head: Window,
    /// What else is to be seen, once the head has said where it is.
    metadata: Option<Window>,
    tail: Vec<u8>,
    length: u64,
    judged_head: bool,
}

/// A part of the image that is kept as it streams by.
#[derive(Debug)]
struct Window {
    from: u64,
    length: usize,
    bytes: Vec<u8>,
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

/// The partition table in plain sight; that of an image in any format but raw and iso is not.
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
    #[error("the image was not closed properly, and has a log to be replayed; open and close it once where it was made")]
    NotClosed,
    #[error("the image is marked as corrupt; repair it first (qemu-img check -r all)")]
    Corrupt,
    #[error("the image uses qcow2 features that are not known (bits {bits:#x})")]
    UnknownFeatures { bits: u64 },
    #[error("{format} version {version} is not known")]
    UnknownVersion { format: Format, version: u32 },
    #[error("the image would be a disk of {size} bytes; at most {limit} are allowed")]
    TooLarge { size: u64, limit: u64 },
    #[error("the image's header is not well-formed: {what}")]
    Malformed { what: &'static str },
    #[error("the data is not in a container of the format {}: {what}", container.as_str())]
    NotAContainer { container: Container, what: &'static str },
}

impl Inspector {
    pub fn new(declared: Format, limits: Limits) -> Self {
        let head = Window::new(0, if declared == Format::Vhdx { vhdx::HEAD } else { HEAD });
        Self {
            declared,
            takes_what_it_finds: false,
            limits,
            head,
            metadata: None,
            tail: Vec::new(),
            length: 0,
            judged_head: false,
        }
    }

    /// For an image of which nobody has said what it is: judges it as what its head says that it is. What only a longer look
    /// would tell (a VHDX, a VHD of fixed size) is refused, as if it had been declared as raw.
    pub fn of_anything(limits: Limits) -> Self {
        Self { takes_what_it_finds: true, ..Self::new(Format::Raw, limits) }
    }

    /// Takes the next bytes. Once it has refused, there is no point in sending more.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        let at = self.length;
        self.length += chunk.len() as u64;
        self.head.see(at, chunk);
        self.keep_tail(chunk);
        if self.head.is_full() && !self.judged_head {
            self.judge_head()?;
        }
        // Never before the head's end, so that nothing of it was missed.
        if let Some(metadata) = &mut self.metadata {
            metadata.see(at, chunk);
        }
        if self.is_plain() { self.limits.check(self.length) } else { Ok(()) }
    }

    /// Judges the whole.
    pub fn finish(mut self) -> Result<Inspection, Refusal> {
        // A raw disk may have no bytes yet, as Glance takes it. Of what nobody declared, nothing is no disk.
        if self.length == 0 && (self.declared != Format::Raw || self.takes_what_it_finds) {
            return Err(Refusal::Empty);
        }
        if !self.judged_head {
            self.judge_head()?;
        }
        let footer = &self.tail[self.tail.len().saturating_sub(FOOTER)..];
        if let Some(found) = format::of_tail(footer).filter(|found| *found != self.declared) {
            return Err(Refusal::NotAsDeclared { declared: self.declared, found });
        }
        let virtual_size = self.judge_whole()?.checked_next_multiple_of(512).unwrap_or(u64::MAX);
        self.limits.check(virtual_size)?;
        let partitions = if self.is_plain() { partitions(&self.head.bytes) } else { Partitions::None };
        Ok(Inspection { format: self.declared, length: self.length, virtual_size, partitions })
    }

    /// Formats whose bytes are the guest's bytes.
    fn is_plain(&self) -> bool {
        matches!(self.declared, Format::Raw | Format::Iso)
    }

    fn judge_head(&mut self) -> Result<(), Refusal> {
        self.judged_head = true;
        let found = format::of_head(&self.head.bytes);
        if self.takes_what_it_finds && matches!(found, Format::Qcow2 | Format::Vmdk | Format::Vhd | Format::Vdi) {
            self.declared = found;
        }
        let (head, limits) = (&self.head.bytes, &self.limits);
        match (self.declared, found) {
            // A bootable ISO is also a plain disk, and may be declared as one.
            (Format::Raw, Format::Raw | Format::Iso) | (Format::Iso, Format::Iso) => Ok(()),
            (Format::Qcow2, Format::Qcow2) => qcow2::judge_head(head, limits),
            (Format::Vmdk, Format::Vmdk) => vmdk::judge_head(head, limits),
            // A fixed one begins with the disk itself, and is known by its end.
            (Format::Vhd, Format::Raw) => Ok(()),
            (Format::Vhd, Format::Vhd) => vhd::judge_head(head, limits),
            (Format::Vdi, Format::Vdi) => vdi::judge_head(head, limits),
            (Format::Vhdx, Format::Vhdx) => {
                let (from, length) = vhdx::judge_head(head)?;
                self.metadata = Some(Window::new(from, length));
                Ok(())
            }
            (declared, found) if declared == found => Err(Refusal::NotAccepted { format: declared }),
            (declared, found) => Err(Refusal::NotAsDeclared { declared, found }),
        }
    }

    /// Judges what needs the length or the end of the file, and returns the virtual size.
    fn judge_whole(&self) -> Result<u64, Refusal> {
        let (head, tail, length) = (&self.head.bytes, &self.tail, self.length);
        match self.declared {
            Format::Qcow2 => qcow2::judge_whole(head, length),
            Format::Vmdk => vmdk::judge_whole(head, tail, length),
            Format::Vhd => vhd::judge_whole(head, tail, length),
            Format::Vdi => vdi::judge_whole(head, length),
            Format::Vhdx => {
                let metadata = self.metadata.as_ref().map(|seen| seen.bytes.as_slice()).unwrap_or_default();
                vhdx::judge_whole(head, metadata, length, &self.limits)
            }
            _ => Ok(length),
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

impl Window {
    fn new(from: u64, length: usize) -> Self {
        Self { from, length, bytes: Vec::new() }
    }

    fn is_full(&self) -> bool {
        self.bytes.len() == self.length
    }

    /// Keeps what it wants of a chunk that begins `at` this place of the image. Chunks come in order.
    fn see(&mut self, at: u64, chunk: &[u8]) {
        let next = self.from + self.bytes.len() as u64;
        let skipped = usize::try_from(next.saturating_sub(at)).unwrap_or(usize::MAX).min(chunk.len());
        let wanted = (self.length - self.bytes.len()).min(chunk.len() - skipped);
        self.bytes.extend_from_slice(&chunk[skipped..skipped + wanted]);
    }
}

fn malformed<T>(what: &'static str) -> Result<T, Refusal> {
    Err(Refusal::Malformed { what })
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
