// SPDX-License-Identifier: Apache-2.0
//! VirtualBox's VDI: one header of 400 bytes, little-endian, then a map of blocks. The bounds are those that QEMU keeps.

use super::{Limits, Refusal, malformed};
use crate::Format;
use crate::bytes::{little, table};

const VERSION_1_1: u32 = 0x0001_0001;
const SECTOR: u64 = 512;
const BLOCK: u64 = 1 << 20;

/// Dynamically grown, and allocated in full. The others are differences to another file.
const WHOLE: [u32; 2] = [1, 2];
const DIFFERENCE: u32 = 4;

struct Header {
    version: u32,
    kind: u32,
    map_offset: u32,
    data_offset: u32,
    sector_size: u32,
    disk_size: u64,
    block_size: u32,
    blocks: u32,
    /// The snapshot that this one is a difference to, and the one that was whole once.
    linked: bool,
}

impl Header {
    fn read(head: &[u8]) -> Option<Self> {
        let uuids = head.get(0x1a8..0x1c8)?;
        Some(Self {
            version: little::u32_at(head, 0x44)?,
            kind: little::u32_at(head, 0x4c)?,
            map_offset: little::u32_at(head, 0x154)?,
            data_offset: little::u32_at(head, 0x158)?,
            sector_size: little::u32_at(head, 0x168)?,
            disk_size: little::u64_at(head, 0x170)?,
            block_size: little::u32_at(head, 0x178)?,
            blocks: little::u32_at(head, 0x180)?,
            linked: uuids.iter().any(|byte| *byte != 0),
        })
    }
}

pub(super) fn judge_head(head: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let header = Header::read(head).ok_or(Refusal::Truncated { length: head.len() as u64 })?;
    if header.version != VERSION_1_1 {
        return Err(Refusal::UnknownVersion { format: Format::Vdi, version: header.version });
    }
    if header.kind == DIFFERENCE || header.linked {
        return Err(Refusal::BackingFile);
    }
    if !WHOLE.contains(&header.kind) {
        return malformed("it is of a kind that is not known");
    }
    limits.check(header.disk_size)?;
    if u64::from(header.sector_size) != SECTOR || u64::from(header.block_size) != BLOCK {
        return malformed("its sectors are not of 512 bytes, or its blocks not of 1 MiB");
    }
    if !u64::from(header.map_offset).is_multiple_of(SECTOR) || !u64::from(header.data_offset).is_multiple_of(SECTOR) {
        return malformed("its block map or its data is not at a sector's beginning");
    }
    if header.disk_size > u64::from(header.blocks) * BLOCK {
        return malformed("its block map is too small for its virtual size");
    }
    Ok(())
}

pub(super) fn judge_whole(head: &[u8], length: u64) -> Result<u64, Refusal> {
    let header = Header::read(head).ok_or(Refusal::Truncated { length })?;
    let map = table(header.map_offset.into(), header.blocks.into(), 4);
    if map.is_none_or(|map| map.end > length) {
        return malformed("its block map lies beyond the end of the file");
    }
    Ok(header.disk_size)
}
