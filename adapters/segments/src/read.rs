// SPDX-License-Identifier: Apache-2.0
//! Bytes on their way out. A block that does not agree with its checksum is an error, and nothing of it goes out.

use std::{io, ops::Range, os::unix::fs::FileExt, sync::Arc};

use bytes::Bytes;
use contracts::{data::Piece, images::Chunks};
use futures_util::stream;

use crate::{
    Error,
    layout::{self, BLOCK, Head},
    scan,
    segments::Inner,
    sums,
};

/// How many blocks are read at once.
const RUN: u64 = 4;

pub fn read(inner: Arc<Inner>, pieces: Vec<Piece>, range: Range<u64>) -> Chunks {
    let way = Way { inner, parts: parts(&pieces, range).collect::<Vec<_>>().into_iter(), now: None };
    Box::pin(stream::try_unfold(way, |mut way| async move {
        let bytes = way.next().await.map_err(io::Error::from)?;
        Ok(bytes.map(|bytes| (bytes, way)))
    }))
}

/// What of each piece lies in a range of all of them.
pub fn parts(pieces: &[Piece], range: Range<u64>) -> impl Iterator<Item = (Piece, Range<u64>)> {
    let begins = pieces.iter().scan(0_u64, |end, piece| {
        let begin = *end;
        *end = end.saturating_add(piece.length);
        Some((*piece, begin))
    });
    begins.filter_map(move |(piece, begin)| {
        let from = range.start.saturating_sub(begin).min(piece.length);
        let to = range.end.saturating_sub(begin).min(piece.length);
        (from < to).then_some((piece, from..to))
    })
}

struct Way {
    inner: Arc<Inner>,
    parts: std::vec::IntoIter<(Piece, Range<u64>)>,
    now: Option<(Piece, Range<u64>, Option<Arc<Head>>)>,
}

impl Way {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let next = self.now.take().or_else(|| self.parts.next().map(|(piece, range)| (piece, range, None)));
        let Some((piece, range, head)) = next else { return Ok(None) };
        let until = (range.start / BLOCK + RUN) * BLOCK;
        let now = range.start..range.end.min(until);
        let rest = now.end..range.end;
        let (head, bytes) = self.inner.run(move |inner| read_blocks(inner, &piece, head, now)).await?;
        if !rest.is_empty() {
            self.now = Some((piece, rest, Some(head)));
        }
        Ok(Some(bytes))
    }
}

/// Reads the blocks in which the range lies, and looks at each of them.
fn read_blocks(inner: &Inner, piece: &Piece, head: Option<Arc<Head>>, range: Range<u64>) -> Result<(Arc<Head>, Bytes), Error> {
    let Piece { segment, offset, .. } = *piece;
    let damaged = || Error::Damaged { segment, offset };
    let opened = inner.files.get(segment)?.ok_or(Error::Missing { segment, offset })?;
    let head = match head {
        Some(head) => head,
        None => {
            let head = scan::head_at(&opened, segment, offset)?.ok_or(Error::Missing { segment, offset })?;
            if head.piece(&opened.seal, segment, offset) != *piece {
                return Err(damaged());
            }
            Arc::new(head)
        }
    };
    let first = range.start / BLOCK;
    let begin = first * BLOCK;
    let end = range.end.next_multiple_of(BLOCK).min(head.length);
    let mut bytes = vec![0; usize::try_from(end - begin).unwrap_or_default()];
    let at = offset + layout::head_length(head.capacity) + begin;
    opened.file.read_exact_at(&mut bytes, at).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged(),
        _ => Error::Io { doing: format!("read segment {segment:016x} at {at}"), source: error },
    })?;
    let known = head.sums.get(usize::try_from(first).unwrap_or(usize::MAX)..).unwrap_or_default();
    let seen = sums::of(&bytes);
    if known.get(..seen.len()) != Some(&seen) {
        return Err(damaged());
    }
    let part = usize::try_from(range.start - begin).unwrap_or_default()..usize::try_from(range.end - begin).unwrap_or_default();
    Ok((head, Bytes::from(bytes).slice(part)))
}
