// SPDX-License-Identifier: Apache-2.0
//! What is wrong with a qcow2 header. The bounds are those that QEMU itself keeps, so that nothing which passes
//! here is a surprise to it.

use super::{Limits, Refusal, malformed};
use crate::Format;
use crate::bytes::big::u32_at;
use crate::qcow2::{
    COMPRESSION_TYPE, CORRUPT, DATA_FILE_NAME, DIRTY, ENCRYPTION_HEADER, END_OF_EXTENSIONS, EXTENDED_L2, EXTERNAL_DATA, Header,
    VERSION_3_LENGTH, bytes_per_l1_entry,
};

const CLUSTER_BITS: std::ops::RangeInclusive<u32> = 9..=21;
/// The smallest cluster that may be divided into subclusters.
const EXTENDED_L2_CLUSTER_BITS: u32 = 14;
const LARGEST_L1: u64 = 32 << 20;
const LARGEST_REFCOUNT_TABLE: u64 = 8 << 20;
const MOST_SNAPSHOTS: u32 = 65_536;
const KNOWN_FEATURES: u64 = DIRTY | CORRUPT | EXTERNAL_DATA | COMPRESSION_TYPE | EXTENDED_L2;

/// Judges what the header alone tells.
pub(super) fn judge_head(head: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let truncated = Refusal::Truncated { length: head.len() as u64 };
    let header = Header::read(head).ok_or(truncated)?;
    judge_references(&header)?;
    judge_features(&header)?;
    limits.check(header.virtual_size)?;
    judge_shape(&header)?;
    judge_extensions(head, &header)
}

/// Judges what also needs the length of the file, and returns the virtual size.
pub(super) fn judge_whole(head: &[u8], length: u64) -> Result<u64, Refusal> {
    let header = Header::read(head).ok_or(Refusal::Truncated { length })?;
    let l1_end = header.l1_offset.saturating_add(u64::from(header.l1_entries) * 8);
    if l1_end > length {
        return malformed("its L1 table lies beyond the end of the file");
    }
    let refcounts = u64::from(header.refcount_clusters) << header.cluster_bits;
    if header.refcount_offset.saturating_add(refcounts) > length {
        return malformed("its refcount table lies beyond the end of the file");
    }
    if header.snapshots > 0 && header.snapshots_offset >= length {
        return malformed("its snapshot table lies beyond the end of the file");
    }
    Ok(header.virtual_size)
}

/// What would make QEMU open another file.
fn judge_references(header: &Header) -> Result<(), Refusal> {
    // Either alone is enough: readers differ in which of the two they look at.
    if header.backing_offset != 0 || header.backing_length != 0 {
        return Err(Refusal::BackingFile);
    }
    if header.incompatible & EXTERNAL_DATA != 0 {
        return Err(Refusal::ExternalDataFile);
    }
    Ok(())
}

fn judge_features(header: &Header) -> Result<(), Refusal> {
    if !(2..=3).contains(&header.version) {
        return Err(Refusal::UnknownVersion { format: Format::Qcow2, version: header.version });
    }
    if header.encryption != 0 {
        return Err(Refusal::Encrypted);
    }
    if header.incompatible & CORRUPT != 0 {
        return Err(Refusal::Corrupt);
    }
    match header.incompatible & !KNOWN_FEATURES {
        0 => Ok(()),
        bits => Err(Refusal::UnknownFeatures { bits }),
    }
}

fn judge_shape(header: &Header) -> Result<(), Refusal> {
    if !CLUSTER_BITS.contains(&header.cluster_bits) {
        return malformed("its cluster size is not between 512 bytes and 2 MiB");
    }
    if !header.virtual_size.is_multiple_of(512) {
        return malformed("its virtual size is not in whole sectors");
    }
    let cluster = 1u64 << header.cluster_bits;
    if header.version == 3 && (header.length < VERSION_3_LENGTH || u64::from(header.length) > cluster) {
        return malformed("its length is not that of a version 3 header");
    }
    if header.refcount_order > 6 {
        return malformed("its reference counts are wider than 64 bits");
    }
    let extended = header.incompatible & EXTENDED_L2 != 0;
    if extended && header.cluster_bits < EXTENDED_L2_CLUSTER_BITS {
        return malformed("its clusters are too small for subclusters");
    }
    for (offset, what) in [
        (header.l1_offset, "its L1 table is not at a cluster's beginning"),
        (header.refcount_offset, "its refcount table is not at a cluster's beginning"),
        (if header.snapshots > 0 { header.snapshots_offset } else { 0 }, "its snapshot table is not at a cluster's beginning"),
    ] {
        if !offset.is_multiple_of(cluster) {
            return malformed(what);
        }
    }
    let l1_bytes = u64::from(header.l1_entries) * 8;
    let reached =
        u128::from(header.l1_entries) * u128::from(bytes_per_l1_entry(header.cluster_bits, if extended { 16 } else { 8 }));
    if l1_bytes > LARGEST_L1 {
        return malformed("its L1 table is larger than 32 MiB");
    }
    if reached < u128::from(header.virtual_size) {
        return malformed("its L1 table is too small for its virtual size");
    }
    let refcounts = u64::from(header.refcount_clusters) << header.cluster_bits;
    if refcounts == 0 || header.refcount_offset == 0 || refcounts > LARGEST_REFCOUNT_TABLE {
        return malformed("its refcount table is missing or larger than 8 MiB");
    }
    if header.l1_entries > 0 && header.l1_offset == 0 {
        return malformed("its L1 table is where the header is");
    }
    if header.snapshots > MOST_SNAPSHOTS {
        return malformed("it has more than 65536 snapshots");
    }
    Ok(())
}

/// Walks the extensions after the header: two of them would bring in another file, or a key.
fn judge_extensions(head: &[u8], header: &Header) -> Result<(), Refusal> {
    let cluster = 1usize << header.cluster_bits;
    let area = &head[..head.len().min(cluster)];
    let mut at = header.length as usize;
    while at < cluster {
        let Some(kind) = u32_at(area, at) else { return malformed("its extensions do not end") };
        let Some(length) = u32_at(area, at + 4) else { return malformed("its extensions do not end") };
        match kind {
            END_OF_EXTENSIONS => return Ok(()),
            DATA_FILE_NAME => return Err(Refusal::ExternalDataFile),
            ENCRYPTION_HEADER => return Err(Refusal::Encrypted),
            _ => {}
        }
        // Data is padded to eight bytes. A u32 and two small numbers fit into a usize of 64 bits.
        at += 8 + (length as usize).next_multiple_of(8);
    }
    // QEMU too takes the end of the cluster for the end of the extensions, but only just there.
    if at == cluster { Ok(()) } else { malformed("its extensions do not end") }
}
