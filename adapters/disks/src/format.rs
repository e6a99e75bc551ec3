// SPDX-License-Identifier: Apache-2.0
//! The formats that an image may be said to have, and how its content gives away which it has.

use std::fmt;
use std::str::FromStr;

/// Named as the image API names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Raw,
    Qcow2,
    Iso,
    Vmdk,
    /// Microsoft's VHD, which QEMU calls vpc.
    Vhd,
    Vhdx,
    Vdi,
    /// Parallels.
    Ploop,
    Qed,
    /// The ancestor of qcow2.
    Qcow,
    Bochs,
    Cloop,
    Dmg,
}

const NAMES: [(Format, &str); 13] = [
    (Format::Raw, "raw"),
    (Format::Qcow2, "qcow2"),
    (Format::Iso, "iso"),
    (Format::Vmdk, "vmdk"),
    (Format::Vhd, "vhd"),
    (Format::Vhdx, "vhdx"),
    (Format::Vdi, "vdi"),
    (Format::Ploop, "ploop"),
    (Format::Qed, "qed"),
    (Format::Qcow, "qcow"),
    (Format::Bochs, "bochs"),
    (Format::Cloop, "cloop"),
    (Format::Dmg, "dmg"),
];

impl Format {
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(format, _)| *format == self).map_or("raw", |(_, name)| name)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;
    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(format, _)| *format).ok_or(UnknownFormat)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("this disk format is not known")]
pub struct UnknownFormat;

/// Bytes at a fixed place that give a format away.
struct Magic {
    format: Format,
    at: usize,
    bytes: &'static [u8],
}

const fn magic(format: Format, at: usize, bytes: &'static [u8]) -> Magic {
    Magic { format, at, bytes }
}

/// In this order: what can name other files of the host comes first, so that an image made to look like two
/// formats at once is taken for the more dangerous one. An ISO leaves its first 32 KiB to whoever wants them.
///
/// LUKS is missing on purpose: a guest may encrypt its whole raw disk, and the header cannot name other files.
const MAGICS: [Magic; 13] = [
    magic(Format::Qcow2, 0, b"QFI\xfb"),
    magic(Format::Qed, 0, b"QED\0"),
    magic(Format::Vmdk, 0, b"KDMV"),
    magic(Format::Vmdk, 0, b"COWD"),
    magic(Format::Vmdk, 0, b"# Disk DescriptorFile"),
    magic(Format::Vhdx, 0, b"vhdxfile"),
    magic(Format::Vhd, 0, b"conectix"),
    magic(Format::Vdi, 0x40, &[0x7f, 0x10, 0xda, 0xbe]),
    magic(Format::Ploop, 0, b"WithoutFreeSpace"),
    magic(Format::Ploop, 0, b"WithouFreSpacExt"),
    magic(Format::Bochs, 0, b"Bochs Virtual HD Image"),
    magic(Format::Cloop, 0, b"#!/bin/sh\n#V2.0 Format"),
    magic(Format::Iso, 0x8001, b"CD001"),
];

/// Formats that are known by their end: the footer of a fixed VHD, the trailer of a DMG.
const TAIL_MAGICS: [Magic; 2] = [magic(Format::Vhd, 0, b"conectix"), magic(Format::Dmg, 0, b"koly")];

/// What the first bytes say. `Raw` when they say nothing.
pub(crate) fn of_head(head: &[u8]) -> Format {
    let found = MAGICS.iter().find(|magic| is_there(magic, head)).map_or(Format::Raw, |magic| magic.format);
    // Version 1 has the magic of its successors, and little else in common.
    let version_1 = head.get(4..8) == Some(&[0, 0, 0, 1]);
    if found == Format::Qcow2 && version_1 { Format::Qcow } else { found }
}

/// What the last 512 bytes say, if anything.
pub(crate) fn of_tail(tail: &[u8]) -> Option<Format> {
    TAIL_MAGICS.iter().find(|magic| is_there(magic, tail)).map(|magic| magic.format)
}

fn is_there(magic: &Magic, bytes: &[u8]) -> bool {
    bytes.get(magic.at..).is_some_and(|rest| rest.starts_with(magic.bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for (format, name) in NAMES {
            assert_eq!((format.as_str(), name.parse::<Format>().unwrap()), (name, format));
        }
        assert!("qcow3".parse::<Format>().is_err());
    }
}
