// SPDX-License-Identifier: Apache-2.0
//! Microsoft's VHDX ([MS-VHDX]): two headers, two region tables, and a region of metadata, which says what kind of disk it
//! is. Little-endian. The metadata lies further in; it is looked at as it streams by.

use super::{Limits, Refusal, malformed};
use crate::bytes::little;

const KIB: usize = 1 << 10;
const MIB: u64 = 1 << 20;

/// All that comes before the first region.
pub(super) const HEAD: usize = 320 * KIB;
const HEADERS: [usize; 2] = [64 * KIB, 128 * KIB];
const REGION_TABLES: [usize; 2] = [192 * KIB, 256 * KIB];
const MOST_REGIONS: u32 = 2047;
const MOST_ITEMS: u16 = 2047;
/// The metadata's own table takes 64 KiB, its items at most 1 MiB; the two that matter here are small and come first.
const METADATA: u64 = 128 * KIB as u64;

type Guid = [u8; 16];
const fn guid(a: u32, b: u16, c: u16, d: [u8; 8]) -> Guid {
    let (a, b, c) = (a.to_le_bytes(), b.to_le_bytes(), c.to_le_bytes());
    [a[0], a[1], a[2], a[3], b[0], b[1], c[0], c[1], d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]]
}
const METADATA_REGION: Guid = guid(0x8b7c_a206, 0x4790, 0x4b9a, [0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e]);
const BLOCK_TABLE_REGION: Guid = guid(0x2dc2_7766, 0xf623, 0x4200, [0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08]);
const FILE_PARAMETERS: Guid = guid(0xcaa1_6737, 0xfa36, 0x4d43, [0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b]);
const VIRTUAL_SIZE: Guid = guid(0x2fa5_4224, 0xcd1b, 0x4876, [0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8]);
const PARENT_LOCATOR: Guid = guid(0xa8d3_5f2d, 0xb30b, 0x454d, [0xab, 0xf7, 0xd3, 0xd8, 0x48, 0x34, 0xab, 0x0c]);

/// Of the file parameters' flags.
const HAS_PARENT: u32 = 1 << 1;

struct Region {
    offset: u64,
    length: u64,
}

/// Judges the headers; says where the metadata is to be seen.
pub(super) fn judge_head(head: &[u8]) -> Result<(u64, usize), Refusal> {
    if head.len() < HEAD {
        return Err(Refusal::Truncated { length: head.len() as u64 });
    }
    judge_log(head)?;
    let metadata = metadata_region(head)?;
    Ok((metadata.offset, usize::try_from(metadata.length.min(METADATA)).unwrap_or(HEAD)))
}

/// Judges the metadata; returns the virtual size.
pub(super) fn judge_whole(head: &[u8], metadata: &[u8], length: u64, limits: &Limits) -> Result<u64, Refusal> {
    let blocks = region(head, &BLOCK_TABLE_REGION)?;
    if blocks.offset.checked_add(blocks.length).is_none_or(|end| end > length) {
        return malformed("its block table lies beyond the end of the file");
    }
    if !metadata.starts_with(b"metadata") {
        return malformed("its metadata lies beyond the end of the file");
    }
    if item(metadata, &PARENT_LOCATOR)?.is_some() {
        return Err(Refusal::BackingFile);
    }
    let parameters = item(metadata, &FILE_PARAMETERS)?.and_then(|at| little::u32_at(metadata, at + 4));
    match parameters {
        Some(flags) if flags & HAS_PARENT != 0 => return Err(Refusal::BackingFile),
        Some(_) => {}
        None => return malformed("its metadata lacks the file parameters"),
    }
    let size = item(metadata, &VIRTUAL_SIZE)?.and_then(|at| little::u64_at(metadata, at));
    let Some(size) = size else { return malformed("its metadata lacks the virtual size") };
    limits.check(size)?;
    if size.is_multiple_of(512) { Ok(size) } else { malformed("its virtual size is not in whole sectors") }
}

/// A log that has to be replayed first would change all that is judged here.
fn judge_log(head: &[u8]) -> Result<(), Refusal> {
    let headers = HEADERS.iter().filter(|at| head[**at..].starts_with(b"head"));
    let current = headers.max_by_key(|at| little::u64_at(head, **at + 8));
    let Some(at) = current else { return malformed("it has no header") };
    let log = &head[at + 48..at + 64];
    if log.iter().any(|byte| *byte != 0) { Err(Refusal::NotClosed) } else { Ok(()) }
}

fn metadata_region(head: &[u8]) -> Result<Region, Refusal> {
    let metadata = region(head, &METADATA_REGION)?;
    if metadata.offset < MIB || !metadata.offset.is_multiple_of(MIB) {
        return malformed("its metadata is not at a MiB's beginning");
    }
    Ok(metadata)
}

/// Both tables say the same, or there would be two images in one.
fn region(head: &[u8], wanted: &Guid) -> Result<Region, Refusal> {
    let [first, second] = REGION_TABLES.map(|at| &head[at..at + 64 * KIB]);
    if first != second {
        return malformed("its two region tables differ");
    }
    if !first.starts_with(b"regi") {
        return malformed("it has no region table");
    }
    let entries = little::u32_at(first, 8).unwrap_or(0);
    if entries > MOST_REGIONS {
        return malformed("its region table has more than 2047 entries");
    }
    let mut found = first[16..].chunks_exact(32).take(entries as usize).filter(|entry| entry.starts_with(wanted));
    match (found.next(), found.next()) {
        (Some(entry), None) => {
            let (offset, length) = (little::u64_at(entry, 16).unwrap_or(0), little::u32_at(entry, 24).unwrap_or(0));
            Ok(Region { offset, length: length.into() })
        }
        (None, _) => malformed("a region that it must have is missing"),
        (Some(_), Some(_)) => malformed("it has the same region twice"),
    }
}

/// Where in the metadata an item's value is.
fn item(metadata: &[u8], wanted: &Guid) -> Result<Option<usize>, Refusal> {
    let entries = little::u16_at(metadata, 10).unwrap_or(0);
    if entries > MOST_ITEMS {
        return malformed("its metadata has more than 2047 items");
    }
    let table = metadata.get(32..).unwrap_or_default();
    let mut found = table.chunks_exact(32).take(entries.into()).filter(|entry| entry.starts_with(wanted));
    match (found.next(), found.next()) {
        (Some(entry), None) => Ok(little::u32_at(entry, 16).map(|at| at as usize)),
        (None, _) => Ok(None),
        (Some(_), Some(_)) => malformed("its metadata has the same item twice"),
    }
}
