// SPDX-License-Identifier: Apache-2.0
//! A machine's own disk: an empty qcow2 file over a cached base that it shares with others.
//!
//! It is written here rather than by `qemu-img create`, which would cost a server's creation some 20 ms. An empty
//! overlay is three tables: nothing but the header says anything.
//!
//! ```text
//!   cluster 0   header, the base's name and format
//!   cluster 1   refcount table: its first entry points at cluster 2
//!   cluster 2   refcounts: one for each of these clusters
//!   cluster 3…  L1 table, all zero: every byte is read from the base
//! ```

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::{Doing, Error};
use crate::qcow2::{BACKING_FORMAT, Header, MAGIC, VERSION_3_LENGTH, bytes_per_l1_entry};
use crate::{Format, Result, durable};

const CLUSTER_BITS: u32 = 16;
const CLUSTER: u64 = 1 << CLUSTER_BITS;
/// Sixteen-bit reference counts, as QEMU makes them.
const REFCOUNT_ORDER: u32 = 4;
/// The longest name that QEMU reads.
const LONGEST_NAME: usize = 1023;
const LARGEST: u64 = 64 << 40;

/// An image that overlays rest on: it must not change as long as there are any.
#[derive(Debug, Clone, Copy)]
pub struct Base<'a> {
    pub path: &'a Path,
    pub format: Format,
}

impl Base<'_> {
    /// The bytes that a guest sees.
    pub fn virtual_size(&self) -> Result<u64> {
        let doing = || format!("read {}", self.path.display());
        let mut file = File::open(self.path).doing(doing)?;
        let length = file.metadata().doing(doing)?.len();
        match self.format {
            Format::Raw | Format::Iso => Ok(length.next_multiple_of(512)),
            Format::Qcow2 => {
                let mut head = [0; VERSION_3_LENGTH as usize];
                file.read_exact(&mut head).doing(doing)?;
                let header = Header::read(&head).ok_or_else(|| self.is_not("it has no header"))?;
                Ok(header.virtual_size)
            }
            _ => Err(self.is_not("nothing rests on such an image")),
        }
    }

    fn is_not(&self, what: &str) -> Error {
        Error::NotAnImage { path: self.path.to_owned(), format: self.format, what: what.into() }
    }

    /// QEMU's name of the format.
    fn driver(&self) -> Result<&'static [u8]> {
        match self.format {
            Format::Raw | Format::Iso => Ok(b"raw"),
            Format::Qcow2 => Ok(b"qcow2"),
            _ => Err(self.is_not("nothing rests on such an image")),
        }
    }
}

/// Makes an overlay of `size` bytes at `path`, readable by its owner only. With no size it is as large as its base. A power cut may
/// take it away until [`settle`] has returned, so that a machine can be started on it meanwhile.
pub fn create(path: &Path, base: Base<'_>, size: Option<u64>) -> Result<()> {
    let needed = base.virtual_size()?;
    let size = size.unwrap_or(needed).next_multiple_of(512);
    if size < needed {
        return Err(Error::TooSmall { wanted: size, needed });
    }
    let entries = l1_entries(size);
    let head = header_of(Some(&base), size, entries)?;
    durable::write_unsettled(path, 0o600, |file| write_tables(file, &head, entries).doing(|| format!("write {}", path.display())))
}

/// The overlay is on the disk when this returns.
pub fn settle(path: &Path) -> Result<()> {
    durable::settle(path)
}

/// Makes an empty disk of `size` bytes that rests on nothing, readable by its owner only.
pub fn create_blank(path: &Path, size: u64) -> Result<()> {
    let size = size.next_multiple_of(512);
    write(path, None, size, l1_entries(size))
}

/// Makes an empty image of `size` bytes with so many entries in its L1 table, of which those beyond its end are for later.
pub(crate) fn write(path: &Path, base: Option<&Base<'_>>, size: u64, l1_entries: u64) -> Result<()> {
    let head = header_of(base, size, l1_entries)?;
    durable::write(path, 0o600, |file| write_tables(file, &head, l1_entries).doing(|| format!("write {}", path.display())))
}

fn header_of(base: Option<&Base<'_>>, size: u64, l1_entries: u64) -> Result<Vec<u8>> {
    if size > LARGEST {
        return Err(Error::Unusable(format!("a disk of {size} bytes is larger than {LARGEST}")));
    }
    header(base, size, l1_entries)
}

fn write_tables(file: &File, head: &[u8], l1_entries: u64) -> std::io::Result<()> {
    let l1_clusters = (l1_entries * 8).div_ceil(CLUSTER);
    let used = 3 + l1_clusters;
    // What is not written is zero, and takes no space.
    file.set_len(used * CLUSTER)?;
    file.write_all_at(head, 0)?;
    file.write_all_at(&(2 * CLUSTER).to_be_bytes(), CLUSTER)?;
    // At 64 TiB these are 19 clusters: one block of refcounts, which holds 32,768, is always enough.
    let refcounts: Vec<u8> = (0..used).flat_map(|_| 1u16.to_be_bytes()).collect();
    file.write_all_at(&refcounts, 2 * CLUSTER)
}

pub(crate) fn l1_entries(size: u64) -> u64 {
    size.div_ceil(bytes_per_l1_entry(CLUSTER_BITS, 8)).max(1)
}

fn header(base: Option<&Base<'_>>, size: u64, l1_entries: u64) -> Result<Vec<u8>> {
    let mut extension = Vec::new();
    let mut name: &[u8] = &[];
    if let Some(base) = base {
        name = base.path.as_os_str().as_bytes();
        // A name that is not absolute would be looked for beside the overlay, or taken for a protocol.
        if !base.path.is_absolute() || name.len() > LONGEST_NAME {
            return Err(Error::Unusable(format!("{} cannot be the name of a base", base.path.display())));
        }
        let driver = base.driver()?;
        extension = [BACKING_FORMAT.to_be_bytes(), (driver.len() as u32).to_be_bytes()].concat();
        extension.extend_from_slice(driver);
        extension.resize(extension.len().next_multiple_of(8), 0);
    }
    extension.extend([0; 8]); // the end of the extensions
    let name_offset = if base.is_some() { VERSION_3_LENGTH as usize + extension.len() } else { 0 };

    let mut head = Vec::with_capacity(name_offset + name.len());
    head.extend(MAGIC);
    head.extend(3u32.to_be_bytes());
    head.extend((name_offset as u64).to_be_bytes());
    head.extend((name.len() as u32).to_be_bytes());
    head.extend(CLUSTER_BITS.to_be_bytes());
    head.extend(size.to_be_bytes());
    head.extend(0u32.to_be_bytes()); // no encryption
    head.extend((l1_entries as u32).to_be_bytes());
    head.extend((3 * CLUSTER).to_be_bytes());
    head.extend(CLUSTER.to_be_bytes()); // the refcount table
    head.extend(1u32.to_be_bytes()); // and its clusters
    head.extend([0; 4 + 8]); // no snapshots
    head.extend([0; 8 + 8 + 8]); // no features
    head.extend(REFCOUNT_ORDER.to_be_bytes());
    head.extend(VERSION_3_LENGTH.to_be_bytes());
    head.extend(extension);
    head.extend_from_slice(name);
    Ok(head)
}
