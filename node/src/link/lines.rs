// SPDX-License-Identifier: Apache-2.0
//! A stream of bytes, cut into lines. What was looked at is not looked at again, however many pieces a line comes in.

use bytes::{Bytes, BytesMut};

#[derive(Default)]
pub(super) struct Lines {
    buffer: BytesMut,
    /// So many of its bytes are no end of a line.
    seen: usize,
}

impl Lines {
    pub fn feed(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next whole line, without its end.
    pub fn next(&mut self) -> Option<Bytes> {
        let Some(end) = self.buffer[self.seen..].iter().position(|byte| *byte == b'\n') else {
            self.seen = self.buffer.len();
            return None;
        };
        let mut line = self.buffer.split_to(self.seen + end + 1);
        self.seen = 0;
        line.truncate(line.len() - 1);
        Some(line.freeze())
    }

    /// The bytes of the line that is not whole yet.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_they_were_cut() {
        let text = b"one\n\ntwo and more\nthe rest";
        for size in 1..text.len() {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for piece in text.chunks(size) {
                lines.feed(piece);
                while let Some(line) = lines.next() {
                    found.push(line);
                }
            }
            assert_eq!(found, ["one", "", "two and more"], "in pieces of {size}");
            assert_eq!(lines.pending(), "the rest".len());
        }
    }

    #[test]
    fn what_was_seen_is_not_looked_at_again() {
        let mut lines = Lines::default();
        lines.feed(b"begun");
        assert_eq!((lines.next(), lines.seen), (None, 5));
        lines.feed(b" and on");
        assert_eq!((lines.next(), lines.seen), (None, 12));
        lines.feed(b"\nmore");
        assert_eq!(lines.next().unwrap(), "begun and on");
        assert_eq!((lines.seen, lines.pending()), (0, 4));
    }
}
