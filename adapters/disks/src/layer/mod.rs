// SPDX-License-Identifier: Apache-2.0
//! The layers of a volume: qcow2 files of which each holds what was written since the one below it was frozen.
//!
//! They are overlays with room to grow: the L1 table, which finds the data, is made as long as one cluster holds, which is enough
//! for 4 TiB. So a layer becomes larger by two numbers in its header, whoever writes them.

#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::error::{Doing, Error};
use crate::overlay::{Base, l1_entries, write};
use crate::qcow2::{CORRUPT, DIRTY, Header, VERSION_3_LENGTH};
use crate::{Format, Result};

/// What one cluster holds.
const ROOMY: u64 = (1 << 16) / 8;
/// Where the header says how large the disk is.
const SIZE_AT: u64 = 24;

/// The size up to which every layer grows.
pub const GROWS_TO: u64 = 4 << 40;

/// Makes an empty layer of `size` bytes that rests on nothing and reads as zeros.
pub fn create_blank(path: &Path, size: u64) -> Result<()> {
    let size = size.next_multiple_of(512);
    write(path, None, size, l1_entries(size).max(ROOMY))
}

/// Makes an empty layer above another or above an image, which must not change as long as it is there.
pub fn create_above(path: &Path, below: Base<'_>, size: u64) -> Result<()> {
    let needed = below.virtual_size()?;
    let size = size.next_multiple_of(512);
    if size < needed {
        return Err(Error::TooSmall { wanted: size, needed });
    }
    write(path, Some(&below), size, l1_entries(size).max(ROOMY))
}

/// The bytes that whoever opens the layer sees.
pub fn size(path: &Path) -> Result<u64> {
    Base { path, format: Format::Qcow2 }.virtual_size()
}

/// Makes a layer larger that nobody has open, durably. One that is as large stays as it is.
pub fn grow(path: &Path, size: u64) -> Result<()> {
    let doing = || format!("make {} larger", path.display());
    let size = size.next_multiple_of(512);
    let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOFOLLOW).open(path).doing(doing)?;
    let header = header_of(&file, path)?;
    if header.virtual_size >= size {
        return Ok(());
    }
    if header.incompatible & (DIRTY | CORRUPT) != 0 {
        return Err(Error::Unusable(format!("{} was not closed well: it is not made larger", path.display())));
    }
    if l1_entries(size) > u64::from(header.l1_entries) {
        let message = format!("{} cannot become larger than {GROWS_TO} bytes: copy it into a new, larger volume", path.display());
        return Err(Error::Unusable(message));
    }
    file.write_all_at(&size.to_be_bytes(), SIZE_AT).doing(doing)?;
    file.sync_all().doing(doing)
}

fn header_of(file: &File, path: &Path) -> Result<Header> {
    let mut head = [0; VERSION_3_LENGTH as usize];
    file.read_exact_at(&mut head, 0).doing(|| format!("read {}", path.display()))?;
    let is_not = || Error::NotAnImage { path: path.to_owned(), format: Format::Qcow2, what: "it has no header".into() };
    Header::read(&head).ok_or_else(is_not)
}
