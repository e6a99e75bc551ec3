// SPDX-License-Identifier: Apache-2.0
//! The qcow2 header, versions 2 and 3, as QEMU's `docs/interop/qcow2.txt` lays it down. Numbers are big-endian.

use crate::bytes::big::{u32_at, u64_at};

pub(crate) const MAGIC: [u8; 4] = *b"QFI\xfb";
pub(crate) const VERSION_2_LENGTH: u32 = 72;
pub(crate) const VERSION_3_LENGTH: u32 = 104;

/// Incompatible feature bits.
pub(crate) const DIRTY: u64 = 1 << 0;
pub(crate) const CORRUPT: u64 = 1 << 1;
pub(crate) const EXTERNAL_DATA: u64 = 1 << 2;
pub(crate) const COMPRESSION_TYPE: u64 = 1 << 3;
pub(crate) const EXTENDED_L2: u64 = 1 << 4;

/// Header extensions.
pub(crate) const END_OF_EXTENSIONS: u32 = 0;
pub(crate) const BACKING_FORMAT: u32 = 0xe279_2aca;
pub(crate) const ENCRYPTION_HEADER: u32 = 0x0537_be77;
pub(crate) const DATA_FILE_NAME: u32 = 0x4441_5441;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub version: u32,
    pub backing_offset: u64,
    pub backing_length: u32,
    pub cluster_bits: u32,
    pub virtual_size: u64,
    pub encryption: u32,
    pub l1_entries: u32,
    pub l1_offset: u64,
    pub refcount_offset: u64,
    pub refcount_clusters: u32,
    pub snapshots: u32,
    pub snapshots_offset: u64,
    pub incompatible: u64,
    pub refcount_order: u32,
    pub length: u32,
}

impl Header {
    /// The fields, unjudged. `None` if there are too few bytes or the magic is not there.
    pub fn read(head: &[u8]) -> Option<Self> {
        if head.get(..4)? != MAGIC {
            return None;
        }
        let version = u32_at(head, 4)?;
        let version_3 = version >= 3;
        Some(Self {
            version,
            backing_offset: u64_at(head, 8)?,
            backing_length: u32_at(head, 16)?,
            cluster_bits: u32_at(head, 20)?,
            virtual_size: u64_at(head, 24)?,
            encryption: u32_at(head, 32)?,
            l1_entries: u32_at(head, 36)?,
            l1_offset: u64_at(head, 40)?,
            refcount_offset: u64_at(head, 48)?,
            refcount_clusters: u32_at(head, 56)?,
            snapshots: u32_at(head, 60)?,
            snapshots_offset: u64_at(head, 64)?,
            incompatible: if version_3 { u64_at(head, 72)? } else { 0 },
            refcount_order: if version_3 { u32_at(head, 96)? } else { 4 },
            length: if version_3 { u32_at(head, 100)? } else { VERSION_2_LENGTH },
        })
    }
}

/// The guest bytes that one entry of the L1 table stands for. `cluster_bits` must be at most 21.
pub(crate) fn bytes_per_l1_entry(cluster_bits: u32, l2_entry_size: u64) -> u64 {
    let cluster = 1u64 << cluster_bits;
    cluster * (cluster / l2_entry_size)
}
