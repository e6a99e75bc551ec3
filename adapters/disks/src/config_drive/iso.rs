// SPDX-License-Identifier: Apache-2.0
//! An ISO 9660 image with each name three times: a number as plain ISO 9660 demands, the real name by Rock Ridge for
//! Linux and the BSDs, and the real name by Joliet for Windows.
//!
//! ```text
//!   0      nothing (the system area)
//!   16     primary volume descriptor, 17 Joliet's, 18 their end
//!   19     path tables: little- and big-endian, for both
//!          directories: those with Rock Ridge, then Joliet's
//!          the files, which both share
//! ```

use super::tree::{Entry, Kind, Tree};

const SECTOR: usize = 2048;
const FIRST_PATH_TABLE: usize = 19;

/// 1 January 1970, so that the same files make the same image.
const DATE: [u8; 7] = [70, 1, 1, 0, 0, 0, 0];

#[derive(Clone, Copy, PartialEq)]
enum Naming {
    RockRidge,
    Joliet,
}

/// Where something is, and how long.
#[derive(Clone, Copy, Default)]
struct Extent {
    sector: usize,
    bytes: usize,
}

struct Places {
    directories: Vec<Extent>,
    files: Vec<Extent>,
}

impl Places {
    fn of(&self, kind: Kind) -> Extent {
        match kind {
            Kind::Directory(at) => self.directories[at],
            Kind::File(at) => self.files[at],
        }
    }
}

/// One naming's part of the image.
struct Half {
    naming: Naming,
    little_table: Extent,
    big_table: Extent,
    places: Places,
}

pub(super) fn write(tree: &Tree<'_>, label: &str) -> Vec<u8> {
    let mut next = FIRST_PATH_TABLE;
    let mut take = |bytes: usize| {
        let extent = Extent { sector: next, bytes };
        next += bytes.div_ceil(SECTOR);
        extent
    };
    let nowhere =
        Places { directories: vec![Extent::default(); tree.directories.len()], files: vec![Extent::default(); tree.files.len()] };
    let mut halves = [Naming::RockRidge, Naming::Joliet].map(|naming| {
        // How long a table or directory is does not depend on where anything is: first they are measured, then written.
        let path_table_size = path_table(tree, naming, &nowhere, LITTLE_ENDIAN).len();
        let (little_table, big_table) = (take(path_table_size), take(path_table_size));
        let directories = (0..tree.directories.len()).map(|at| take(directory(tree, at, naming, &nowhere).len())).collect();
        Half { naming, little_table, big_table, places: Places { directories, files: Vec::new() } }
    });
    let files: Vec<Extent> = tree.files.iter().map(|file| take(file.len())).collect();
    let end = next;

    let mut image = vec![0; end * SECTOR];
    let mut put = |sector: usize, bytes: &[u8]| image[sector * SECTOR..][..bytes.len()].copy_from_slice(bytes);
    for (half, sector) in halves.iter_mut().zip(16..) {
        half.places.files.clone_from(&files);
        put(sector, &descriptor(half, label, end));
        put(half.little_table.sector, &path_table(tree, half.naming, &half.places, LITTLE_ENDIAN));
        put(half.big_table.sector, &path_table(tree, half.naming, &half.places, BIG_ENDIAN));
        for (at, extent) in half.places.directories.iter().enumerate() {
            put(extent.sector, &directory(tree, at, half.naming, &half.places));
        }
    }
    put(18, b"\xffCD001\x01");
    for (content, extent) in tree.files.iter().zip(&files) {
        put(extent.sector, content);
    }
    image
}

fn descriptor(half: &Half, label: &str, sectors: usize) -> Vec<u8> {
    let joliet = half.naming == Naming::Joliet;
    let mut out = Vec::with_capacity(SECTOR);
    out.push(if joliet { 2 } else { 1 });
    out.extend(b"CD001\x01\0");
    out.extend(text("", 32, half.naming)); // the system
    out.extend(text(label, 32, half.naming));
    out.extend([0; 8]);
    out.extend(both_u32(sectors));
    // The escape sequence says that names are UCS-2, level 3.
    let escape: &[u8] = if joliet { b"%/E" } else { b"" };
    out.extend(padded(escape, 32, 0));
    out.extend(both_u16(1)); // volumes in the set
    out.extend(both_u16(1)); // and which this is
    out.extend(both_u16(SECTOR));
    out.extend(both_u32(half.little_table.bytes));
    out.extend(number(half.little_table.sector).to_le_bytes());
    out.extend([0; 4]);
    out.extend(number(half.big_table.sector).to_be_bytes());
    out.extend([0; 4]);
    out.extend(record(&[0], Kind::Directory(0), &half.places, &[]));
    for width in [128, 128, 128, 128, 37, 37, 37] {
        out.extend(text("", width, half.naming)); // publisher and the like
    }
    for _ in 0..4 {
        out.extend(*b"0000000000000000\0"); // dates that are not given
    }
    out.push(1); // version of the file structure
    padded(&out, SECTOR, 0)
}

type ByteOrder = (fn(u32) -> [u8; 4], fn(u16) -> [u8; 2]);
const LITTLE_ENDIAN: ByteOrder = (u32::to_le_bytes, u16::to_le_bytes);
const BIG_ENDIAN: ByteOrder = (u32::to_be_bytes, u16::to_be_bytes);

fn path_table(tree: &Tree<'_>, naming: Naming, places: &Places, (long, short): ByteOrder) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, directory) in tree.directories.iter().enumerate() {
        let parent = &tree.directories[directory.parent].entries;
        let id = match parent.iter().enumerate().find(|(_, entry)| matches!(entry.kind, Kind::Directory(it) if it == at)) {
            Some((order, entry)) => identifier(order, entry, naming),
            None => vec![0], // the root, which is nobody's child
        };
        out.push(byte(id.len()));
        out.push(0);
        out.extend(long(number(places.directories[at].sector)));
        out.extend(short(number(directory.parent + 1) as u16));
        out.extend(&id);
        out.resize(out.len().next_multiple_of(2), 0);
    }
    out
}

/// The records of a directory, in whole sectors; no record crosses from one sector to the next.
fn directory(tree: &Tree<'_>, at: usize, naming: Naming, places: &Places) -> Vec<u8> {
    let this = &tree.directories[at];
    let mut records = Vec::new();
    for (id, of) in [(0, at), (1, this.parent)] {
        let mut system_use = Vec::new();
        if naming == Naming::RockRidge {
            if at == 0 && id == 0 {
                system_use.extend(b"SP\x07\x01\xbe\xef\0"); // here begins what the system uses
            }
            system_use.extend(attributes(Kind::Directory(of)));
            if at == 0 && id == 0 {
                system_use.extend(b"ER\x12\x01\x0a\0\0\x01RRIP_1991A"); // and it is Rock Ridge
            }
        }
        records.push(record(&[id], Kind::Directory(of), places, &system_use));
    }
    for (order, entry) in this.entries.iter().enumerate() {
        let mut system_use = Vec::new();
        if naming == Naming::RockRidge {
            system_use.extend(attributes(entry.kind));
            system_use.extend([b'N', b'M', byte(5 + entry.name.len()), 1, 0]);
            system_use.extend(entry.name.as_bytes());
        }
        records.push(record(&identifier(order, entry, naming), entry.kind, places, &system_use));
    }
    in_sectors(records)
}

fn in_sectors(records: Vec<Vec<u8>>) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    for record in records {
        if out.len() % SECTOR + record.len() > SECTOR {
            out.resize(out.len().next_multiple_of(SECTOR), 0);
        }
        out.extend(record);
    }
    out.resize(out.len().next_multiple_of(SECTOR), 0);
    out
}

fn record(id: &[u8], kind: Kind, places: &Places, system_use: &[u8]) -> Vec<u8> {
    let extent = places.of(kind);
    let mut out = vec![0, 0];
    out.extend(both_u32(extent.sector));
    out.extend(both_u32(extent.bytes));
    out.extend(DATE);
    out.push(if matches!(kind, Kind::Directory(_)) { 2 } else { 0 });
    out.extend([0, 0]);
    out.extend(both_u16(1));
    out.push(byte(id.len()));
    out.extend(id);
    out.resize(out.len().next_multiple_of(2), 0);
    out.extend(system_use);
    out.resize(out.len().next_multiple_of(2), 0);
    out[0] = byte(out.len());
    out
}

/// Rock Ridge's owner and mode: root's, and read-only as the whole image is.
fn attributes(kind: Kind) -> Vec<u8> {
    let (mode, links) = match kind {
        Kind::Directory(_) => (0o040_555, 2),
        Kind::File(_) => (0o100_444, 1),
    };
    let mut out = b"PX\x24\x01".to_vec();
    for value in [mode, links, 0, 0] {
        out.extend(both_u32(value));
    }
    out
}

/// A plain number for ISO 9660, in the order of the real names so that it is sorted too.
fn identifier(order: usize, entry: &Entry, naming: Naming) -> Vec<u8> {
    match (naming, entry.kind) {
        (Naming::Joliet, _) => ucs2(&entry.name),
        (Naming::RockRidge, Kind::Directory(_)) => format!("{order:08}").into_bytes(),
        (Naming::RockRidge, Kind::File(_)) => format!("{order:08}.;1").into_bytes(),
    }
}

fn text(value: &str, width: usize, naming: Naming) -> Vec<u8> {
    match naming {
        Naming::RockRidge => padded(value.as_bytes(), width, b' '),
        Naming::Joliet => {
            let mut out = ucs2(value);
            while out.len() + 2 <= width {
                out.extend([0, b' ']);
            }
            padded(&out, width, 0)
        }
    }
}

fn ucs2(value: &str) -> Vec<u8> {
    value.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn padded(bytes: &[u8], width: usize, with: u8) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out.resize(width, with);
    out
}

/// Numbers stand in both byte orders.
fn both_u32(value: usize) -> Vec<u8> {
    [number(value).to_le_bytes(), number(value).to_be_bytes()].concat()
}

fn both_u16(value: usize) -> Vec<u8> {
    let value = u16::try_from(value).expect("only small constants stand in 16 bits");
    [value.to_le_bytes(), value.to_be_bytes()].concat()
}

fn number(value: usize) -> u32 {
    u32::try_from(value).expect("the whole image is smaller than 4 GiB")
}

fn byte(value: usize) -> u8 {
    u8::try_from(value).expect("names of at most 64 characters keep a record below 256 bytes")
}
