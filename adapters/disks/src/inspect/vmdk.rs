// SPDX-License-Identifier: Apache-2.0
//! VMware's VMDK: one sparse extent with its descriptor inside, plain or stream-optimised. Little-endian, in sectors.
//!
//! A descriptor is a text that may name other files of the host, as extents or as a parent (CVE-2022-47951), and QEMU
//! follows it in more cases than one: where the header says a capacity of nothing, and for the parent always. So it has to
//! be where QEMU reads it, whole in what we see, and to name nothing. A header may be at the end instead, for writers that
//! cannot go back; QEMU then believes that one, so the two must agree.

use super::{Limits, Refusal, malformed};
use crate::Format;
use crate::bytes::{little, table};

const MAGIC: &[u8] = b"KDMV";
const DESCRIPTOR_ALONE: &[u8] = b"#";
const SECTOR: u64 = 512;
/// Where QEMU looks for the descriptor, whatever the header says, and how far.
const DESCRIPTOR_SECTOR: u64 = 1;
const DESCRIPTOR_SECTORS: u64 = 20;
const AT_END: u64 = u64::MAX;
const LARGEST_GRAIN: u64 = 0x20_0000;
const MOST_TABLE_ENTRIES: u32 = 512;
const LARGEST_DIRECTORY: u64 = 32 << 20;

/// Footer marker, header, end-of-stream marker.
pub(super) const TRAILER: usize = 3 * SECTOR as usize;
const FOOTER_MARKER: u32 = 3;
const END_OF_STREAM: u32 = 0;

/// The kinds whose data is all in one file.
const WHOLE: [&str; 2] = ["monolithicsparse", "streamoptimized"];
const NO_PARENT: &str = "ffffffff";

#[derive(Debug, PartialEq, Eq)]
struct Header {
    version: u32,
    flags: u32,
    capacity: u64,
    grain: u64,
    descriptor_at: u64,
    descriptor_sectors: u64,
    table_entries: u32,
    directory_at: u64,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(MAGIC) || bytes.len() < SECTOR as usize {
            return None;
        }
        Some(Self {
            version: little::u32_at(bytes, 4)?,
            flags: little::u32_at(bytes, 8)?,
            capacity: little::u64_at(bytes, 12)?,
            grain: little::u64_at(bytes, 20)?,
            descriptor_at: little::u64_at(bytes, 28)?,
            descriptor_sectors: little::u64_at(bytes, 36)?,
            table_entries: little::u32_at(bytes, 44)?,
            directory_at: little::u64_at(bytes, 56)?,
        })
    }

    fn virtual_size(&self) -> u64 {
        self.capacity.saturating_mul(SECTOR)
    }

    /// Bytes of the grain directory.
    fn directory(&self) -> u64 {
        let reached = u64::from(self.table_entries) * self.grain;
        self.capacity.div_ceil(reached.max(1)).saturating_mul(4)
    }
}

pub(super) fn judge_head(head: &[u8], limits: &Limits) -> Result<(), Refusal> {
    if head.starts_with(DESCRIPTOR_ALONE) {
        return Err(Refusal::ExternalDataFile);
    }
    if !head.starts_with(MAGIC) {
        return Err(Refusal::NotAccepted { format: Format::Vmdk });
    }
    let header = Header::read(head).ok_or(Refusal::Truncated { length: head.len() as u64 })?;
    if !(1..=3).contains(&header.version) {
        return Err(Refusal::UnknownVersion { format: Format::Vmdk, version: header.version });
    }
    // QEMU would take the descriptor's word for which files the disk is in.
    if header.capacity == 0 {
        return Err(Refusal::ExternalDataFile);
    }
    limits.check(header.virtual_size())?;
    if header.grain == 0 || header.grain > LARGEST_GRAIN {
        return malformed("its grains are of no size, or larger than 1 GiB");
    }
    if header.table_entries == 0 || header.table_entries > MOST_TABLE_ENTRIES {
        return malformed("its grain tables have no entries, or more than 512");
    }
    if header.directory() > LARGEST_DIRECTORY {
        return malformed("its grain directory is larger than 32 MiB");
    }
    judge_descriptor(head, &header)
}

pub(super) fn judge_whole(head: &[u8], tail: &[u8], length: u64) -> Result<u64, Refusal> {
    let header = Header::read(head).ok_or(Refusal::Truncated { length })?;
    let directory_at = if header.directory_at == AT_END { judge_trailer(tail, &header)? } else { header.directory_at };
    let directory = table(directory_at.saturating_mul(SECTOR), 1, header.directory());
    if directory.is_none_or(|directory| directory.end > length) {
        return malformed("its grain directory lies beyond the end of the file");
    }
    Ok(header.virtual_size())
}

/// The header at the end says where the grain directory is, and nothing else that is new.
fn judge_trailer(tail: &[u8], header: &Header) -> Result<u64, Refusal> {
    let at = tail.len().checked_sub(TRAILER);
    let Some(trailer) = at.map(|at| &tail[at..]) else { return malformed("its footer is missing") };
    let (footer, end) = (marker(&trailer[..512]), marker(&trailer[1024..]));
    if footer != Some((None, 0, FOOTER_MARKER)) || end != Some((Some(0), 0, END_OF_STREAM)) {
        return malformed("its footer is missing");
    }
    let Some(last) = Header::read(&trailer[512..1024]) else { return malformed("its footer holds no header") };
    let directory_at = last.directory_at;
    if directory_at == AT_END || (Header { directory_at: AT_END, ..last }) != *header {
        return malformed("its footer contradicts its header");
    }
    Ok(directory_at)
}

/// A marker's value, size and kind. What a footer's marker has for a value does not matter.
fn marker(bytes: &[u8]) -> Option<(Option<u64>, u32, u32)> {
    let (value, size, kind) = (little::u64_at(bytes, 0)?, little::u32_at(bytes, 8)?, little::u32_at(bytes, 12)?);
    Some(((kind == END_OF_STREAM).then_some(value), size, kind))
}

fn judge_descriptor(head: &[u8], header: &Header) -> Result<(), Refusal> {
    if header.descriptor_at != DESCRIPTOR_SECTOR {
        return malformed("its descriptor is not right after its header");
    }
    let sectors = header.descriptor_sectors.max(DESCRIPTOR_SECTORS);
    let begin = (DESCRIPTOR_SECTOR * SECTOR) as usize;
    if header.descriptor_sectors > (super::HEAD as u64 - begin as u64) / SECTOR {
        return malformed("its descriptor is too long");
    }
    let end = begin + sectors as usize * SECTOR as usize;
    let bytes = &head[begin.min(head.len())..end.min(head.len())];
    // Beyond the text's end too: readers differ in where they take it to be.
    let seen = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    if seen.contains("parentfilenamehint") {
        return Err(Refusal::BackingFile);
    }
    let text = seen.split('\0').next().unwrap_or_default();
    let value = |key: &str| {
        let mut values = text.lines().filter_map(|line| line.split_once('=')).filter(|(name, _)| name.trim() == key);
        values.next().map(|(_, value)| value.trim().trim_matches('"').to_owned())
    };
    if value("parentcid").is_some_and(|parent| parent != NO_PARENT) {
        return Err(Refusal::BackingFile);
    }
    let Some(kind) = value("createtype") else { return malformed("its descriptor says no createType") };
    if !WHOLE.contains(&kind.as_str()) {
        return Err(Refusal::ExternalDataFile);
    }
    let mut extents = text.lines().filter_map(extent_kind);
    match (extents.next(), extents.next()) {
        (Some("sparse"), None) => Ok(()),
        (None, _) => malformed("its descriptor names no extent"),
        _ => Err(Refusal::ExternalDataFile),
    }
}

/// Of a line such as `RW 2048 SPARSE "disk.vmdk"`.
fn extent_kind(line: &str) -> Option<&str> {
    let mut words = line.split_ascii_whitespace();
    matches!(words.next()?, "rw" | "rdonly" | "noaccess").then(|| words.nth(1)).flatten()
}
