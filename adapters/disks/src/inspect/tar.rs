// SPDX-License-Identifier: Apache-2.0
//! Walks a tar as it streams by: each header has its checksum, each file is as long as its header says, and the end is
//! where the archive says it is. POSIX's format with pax records, and what GNU added for long names and large files.

const BLOCK: usize = 512;
/// Names and pax records beyond that are nobody's honest archive.
const LONGEST_RECORD: u64 = 1 << 20;

/// Errors are what is wrong, in words.
type Judged<T = ()> = Result<T, &'static str>;

#[derive(Debug, Default)]
pub(super) struct Tar {
    /// How the name of the first file has to end.
    first: Option<&'static str>,
    state: State,
    block: Vec<u8>,
    /// What the records before a header say about it.
    name: Option<Vec<u8>>,
    size: Option<u64>,
    entries: u64,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Header,
    /// Bytes of a file, and what fills its last block.
    Skip(u64),
    /// A record of its own, which says something of the header after it.
    Record {
        kind: Record,
        left: u64,
        padding: u64,
        bytes: Vec<u8>,
    },
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Record {
    Pax,
    LongName,
}

impl Tar {
    pub fn beginning_with(first: &'static str) -> Self {
        Self { first: Some(first), ..Self::default() }
    }

    pub fn feed(&mut self, mut chunk: &[u8]) -> Judged {
        while !chunk.is_empty() {
            let taken = match &mut self.state {
                State::Header => {
                    let taken = (BLOCK - self.block.len()).min(chunk.len());
                    self.block.extend_from_slice(&chunk[..taken]);
                    if self.block.len() == BLOCK {
                        let block = std::mem::take(&mut self.block);
                        self.state = self.header(&block)?;
                    }
                    taken
                }
                State::Skip(left) => {
                    let taken = least(*left, chunk);
                    *left -= taken as u64;
                    if *left == 0 {
                        self.state = State::Header;
                    }
                    taken
                }
                State::Record { kind, left, padding, bytes } => {
                    let taken = least(*left, chunk);
                    *left -= taken as u64;
                    bytes.extend_from_slice(&chunk[..taken]);
                    if *left == 0 {
                        let (kind, padding, bytes) = (*kind, *padding, std::mem::take(bytes));
                        self.note(kind, bytes)?;
                        self.state = skip(padding);
                    }
                    taken
                }
                State::End if chunk.iter().any(|byte| *byte != 0) => return Err("there is something after its end"),
                State::End => chunk.len(),
            };
            chunk = &chunk[taken..];
        }
        Ok(())
    }

    pub fn finish(self) -> Judged {
        match self.state {
            State::End if self.entries == 0 => Err("it is empty"),
            State::End => Ok(()),
            _ => Err("it ends before the archive does"),
        }
    }

    fn header(&mut self, block: &[u8]) -> Judged<State> {
        if block.iter().all(|byte| *byte == 0) {
            return Ok(State::End);
        }
        if number(&block[148..156]) != Some(checksum(block)) || &block[257..262] != b"ustar" {
            return Err("a header of the tar is not one");
        }
        let said = number(&block[124..136]).ok_or("a file's size is no number")?;
        match block[156] {
            kind @ (b'x' | b'L') => {
                if said > LONGEST_RECORD {
                    return Err("a record about a file is too long");
                }
                let kind = if kind == b'x' { Record::Pax } else { Record::LongName };
                let padding = padded(said)? - said;
                Ok(if said == 0 { State::Header } else { State::Record { kind, left: said, padding, bytes: Vec::new() } })
            }
            // Of all files that follow, or the target of a link: nothing that changes how it is read.
            b'g' | b'K' => Ok(skip(padded(said)?)),
            kind @ (b'0'..=b'7' | 0) => {
                let is_file = matches!(kind, b'0' | b'7' | 0);
                let name = self.name.take().unwrap_or_else(|| text(&block[..100]).to_vec());
                let size = self.size.take().unwrap_or(said);
                self.entries += 1;
                if self.entries == 1 && self.first.is_some_and(|end| !is_file || !name.ends_with(end.as_bytes())) {
                    return Err("its first file is not the description (.ovf) of an appliance");
                }
                Ok(skip(if is_file { padded(size)? } else { 0 }))
            }
            _ => Err("the tar has an entry of a kind that is not known"),
        }
    }

    fn note(&mut self, kind: Record, bytes: Vec<u8>) -> Judged {
        if kind == Record::LongName {
            self.name = Some(text(&bytes).to_vec());
            return Ok(());
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (record, after) = pax_record(rest).ok_or("a pax record is not well-formed")?;
            match record {
                (b"path", value) => self.name = Some(value.to_vec()),
                (b"size", value) => self.size = Some(decimal(value).ok_or("a file's size is no number")?),
                _ => {}
            }
            rest = after;
        }
        Ok(())
    }
}

fn skip(bytes: u64) -> State {
    if bytes == 0 { State::Header } else { State::Skip(bytes) }
}

fn padded(size: u64) -> Judged<u64> {
    size.checked_next_multiple_of(BLOCK as u64).ok_or("a file's size is beyond all numbers")
}

fn least(left: u64, chunk: &[u8]) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len())
}

/// Up to the first zero.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The sum of a header's bytes, those of the sum itself taken for spaces.
fn checksum(block: &[u8]) -> u64 {
    let bytes = block.iter().enumerate();
    bytes.map(|(at, byte)| u64::from(if (148..156).contains(&at) { b' ' } else { *byte })).sum()
}

/// In octal digits, or, as GNU writes what is too large for them, as it is.
fn number(field: &[u8]) -> Option<u64> {
    if let [0x80, 0, 0, 0, low @ ..] = field {
        return Some(low.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)));
    }
    let digits = std::str::from_utf8(text(field)).ok()?.trim_matches(' ');
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, 8).ok() }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

type Pair<'a> = (&'a [u8], &'a [u8]);

/// `27 path=appliance/disk.vmdk\n`, the length being that of all of it.
fn pax_record(bytes: &[u8]) -> Option<(Pair<'_>, &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&bytes[..space])?).ok()?;
    let (record, rest) = bytes.split_at_checked(length)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some(((&record[..equals], &record[equals + 1..]), rest))
}
