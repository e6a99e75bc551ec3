// SPDX-License-Identifier: Apache-2.0
//! Microsoft's VHD, which QEMU calls vpc. Big-endian. A fixed one is the disk itself and a footer after it; a dynamic one
//! begins with a copy of the footer, and its second header says where the table of blocks is.

use super::{FOOTER, Limits, Refusal, malformed};
use crate::bytes::{big, table};

const COOKIE: &[u8] = b"conectix";
const DYNAMIC_COOKIE: &[u8] = b"cxsparse";
const SECTOR: u64 = 512;

mod kind {
    pub(super) const FIXED: u32 = 2;
    pub(super) const DYNAMIC: u32 = 3;
    pub(super) const DIFFERENCE: u32 = 4;
}

/// Cylinders, heads and sectors at their ends: the disk is larger than they can say.
const LARGEST_GEOMETRY: u64 = 65_535 * 16 * 255;

/// Those who write the true size and a geometry that only comes near it. For all others QEMU believes the geometry.
const TRUE_SIZE_WRITERS: [&[u8]; 5] = [b"win ", b"qem2", b"d2v ", b"tap\0", b"CTXS"];

struct Footer {
    kind: u32,
    dynamic_offset: u64,
    virtual_size: u64,
}

impl Footer {
    fn read(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(COOKIE) {
            return None;
        }
        let size = big::u64_at(bytes, 48)?;
        let [heads, sectors] = *bytes.get(58..60)? else { return None };
        let by_geometry = u64::from(big::u16_at(bytes, 56)?) * u64::from(heads) * u64::from(sectors);
        let writer = bytes.get(28..32)?;
        let exact = TRUE_SIZE_WRITERS.contains(&writer) || by_geometry == LARGEST_GEOMETRY;
        Some(Self {
            kind: big::u32_at(bytes, 60)?,
            dynamic_offset: big::u64_at(bytes, 16)?,
            virtual_size: if exact { size / SECTOR * SECTOR } else { by_geometry * SECTOR },
        })
    }
}

/// The second header of a dynamic one.
struct Table {
    offset: u64,
    entries: u32,
    block_size: u32,
    has_parent: bool,
}

impl Table {
    fn read(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(DYNAMIC_COOKIE) {
            return None;
        }
        let parent = bytes.get(40..56)?;
        let locators = bytes.get(576..768)?;
        Some(Self {
            offset: big::u64_at(bytes, 16)?,
            entries: big::u32_at(bytes, 28)?,
            block_size: big::u32_at(bytes, 32)?,
            has_parent: parent.iter().chain(locators).any(|byte| *byte != 0),
        })
    }
}

/// Judges one that begins with a footer; a fixed one is judged by its end alone.
pub(super) fn judge_head(head: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let (footer, table) = dynamic(head)?;
    limits.check(footer.virtual_size)?;
    if !table.block_size.is_power_of_two() || u64::from(table.block_size) < SECTOR {
        return malformed("its block size is not a power of two of sectors");
    }
    if u64::from(table.entries) * u64::from(table.block_size) < footer.virtual_size {
        return malformed("its block table is too small for its virtual size");
    }
    Ok(())
}

pub(super) fn judge_whole(head: &[u8], tail: &[u8], length: u64) -> Result<u64, Refusal> {
    if !head.starts_with(COOKIE) {
        return judge_fixed(tail, length);
    }
    let (footer, blocks) = dynamic(head)?;
    if table(blocks.offset, blocks.entries.into(), 4).is_none_or(|blocks| blocks.end > length) {
        return malformed("its block table lies beyond the end of the file");
    }
    Ok(footer.virtual_size)
}

fn dynamic(head: &[u8]) -> Result<(Footer, Table), Refusal> {
    let footer = Footer::read(head).ok_or(Refusal::Truncated { length: head.len() as u64 })?;
    match footer.kind {
        kind::DYNAMIC => {}
        kind::DIFFERENCE => return Err(Refusal::BackingFile),
        _ => return malformed("it begins with a footer, but is not dynamic"),
    }
    let at = usize::try_from(footer.dynamic_offset).unwrap_or(usize::MAX);
    let table = head.get(at..).and_then(Table::read);
    let Some(table) = table else { return malformed("its dynamic header is not near its beginning") };
    if table.has_parent { Err(Refusal::BackingFile) } else { Ok((footer, table)) }
}

fn judge_fixed(tail: &[u8], length: u64) -> Result<u64, Refusal> {
    let footer = tail.len().checked_sub(FOOTER).and_then(|at| Footer::read(&tail[at..]));
    let Some(footer) = footer else { return malformed("it has no footer") };
    match footer.kind {
        kind::FIXED => {}
        kind::DIFFERENCE => return Err(Refusal::BackingFile),
        _ => return malformed("its footer is not that of a fixed disk, and it does not begin as a dynamic one"),
    }
    if footer.virtual_size > length - FOOTER as u64 {
        return malformed("it is shorter than its footer says");
    }
    Ok(footer.virtual_size)
}
