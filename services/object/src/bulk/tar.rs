// SPDX-License-Identifier: Apache-2.0
//! What a tar archive says of the files in it, as they come by.

use std::io;

use bytes::Bytes;
use futures_util::Stream;

use crate::{Error, incoming::Incoming};

const BLOCK: usize = 512;
/// Bytes of a name that stands in a block of its own.
const LONGEST_NAME: u64 = 64 << 10;

/// A file, whose bytes come next; or something else, whose bytes are skipped.
pub struct Member {
    pub name: Vec<u8>,
    pub size: u64,
    pub is_file: bool,
}

fn bad() -> Error {
    Error::invalid("Invalid Tar File: it is no archive, or not a whole one")
}

/// The next one. None at the end of the archive.
pub async fn next<S>(incoming: &mut Incoming<S>) -> Result<Option<Member>, Error>
where
    S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
{
    let mut long_name = None;
    loop {
        if !incoming.fill(BLOCK).await.map_err(Error::BrokenOff)? {
            // Some programs write no blocks of nothing at the end.
            return if incoming.held().is_empty() { Ok(None) } else { Err(bad()) };
        }
        let head = incoming.take(BLOCK);
        if head.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        check(&head)?;
        let size = number(&head[124..136]).ok_or_else(bad)?;
        match head[156] {
            b'L' => long_name = Some(until_nul(&content(incoming, size).await?).to_vec()),
            b'x' => {
                if let Some(path) = path_of(&content(incoming, size).await?) {
                    long_name = Some(path);
                }
            }
            // A long target of a link, what is said of all files.
            b'K' | b'g' => drop(content(incoming, size).await?),
            kind => {
                let name = long_name.take().unwrap_or_else(|| short_name(&head));
                return Ok(Some(Member { name, size, is_file: matches!(kind, b'0' | b'7' | 0) }));
            }
        }
    }
}

/// The rest of a file, with what fills its last block.
pub async fn skip<S>(incoming: &mut Incoming<S>, left: u64, size: u64) -> Result<(), Error>
where
    S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
{
    let mut left = left.checked_add(size.next_multiple_of(BLOCK as u64) - size).ok_or_else(bad)?;
    while incoming.some_of(&mut left).await.map_err(Error::BrokenOff)?.is_some() {}
    Ok(())
}

async fn content<S>(incoming: &mut Incoming<S>, size: u64) -> Result<Bytes, Error>
where
    S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
{
    let length = usize::try_from(size).ok().filter(|_| size <= LONGEST_NAME).ok_or_else(bad)?;
    let blocks = length.next_multiple_of(BLOCK);
    if !incoming.fill(blocks).await.map_err(Error::BrokenOff)? {
        return Err(bad());
    }
    Ok(incoming.take(blocks).slice(..length))
}

/// The head's sum, taken with blanks in its own place.
fn check(head: &[u8]) -> Result<(), Error> {
    let said = number(&head[148..156]).ok_or_else(bad)?;
    let own = |at: usize| (148..156).contains(&at);
    let sum: u64 = head.iter().enumerate().map(|(at, byte)| if own(at) { 32 } else { u64::from(*byte) }).sum();
    if sum == said { Ok(()) } else { Err(bad()) }
}

/// In octal digits, or as bytes where those do not suffice.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let (first, rest) = field.split_first()?;
        let (high, low) = rest.split_at(rest.len().checked_sub(8)?);
        let is_small = first & 0x7f == 0 && high.iter().all(|byte| *byte == 0);
        return Some(u64::from_be_bytes(low.try_into().ok()?)).filter(|number| is_small && i64::try_from(*number).is_ok());
    }
    let digits = field.iter().copied().filter(|byte| !matches!(byte, b' ' | 0));
    digits.into_iter().try_fold(0_u64, |number, digit| match digit {
        b'0'..=b'7' => number.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn short_name(head: &[u8]) -> Vec<u8> {
    let (name, prefix) = (until_nul(&head[..100]), until_nul(&head[345..500]));
    let is_posix = head[257..263] == *b"ustar\0";
    if is_posix && !prefix.is_empty() { [prefix, b"/", name].concat() } else { name.to_vec() }
}

/// `path` among the records of an extended head: `25 path=…\n`.
fn path_of(mut records: &[u8]) -> Option<Vec<u8>> {
    let mut path = None;
    while let Some(blank) = records.iter().position(|byte| *byte == b' ') {
        let length: usize = std::str::from_utf8(&records[..blank]).ok()?.parse().ok()?;
        let record = records.get(blank + 1..length)?.strip_suffix(b"\n")?;
        if let Some(value) = record.strip_prefix(b"path=") {
            path = Some(value.to_vec());
        }
        records = &records[length..];
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_bytes_and_else_none() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"     12 "), Some(0o12));
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]), Some(1 << 33));
        assert_eq!(number(&[0xff; 12]), None);
        assert_eq!(number(b"00009\0\0\0"), None);
    }

    #[test]
    fn long_names_stand_in_records() {
        assert_eq!(path_of(b"12 path=abc\n8 x=y z\n"), Some(b"abc".to_vec()));
        assert_eq!(path_of(b"99 path=abc\n"), None);
        assert_eq!(path_of(b"3 \n"), None);
    }
}
