// SPDX-License-Identifier: Apache-2.0
//! A piece on its way out of the bucket.

use std::ops::{Range, RangeInclusive};

use bytes::{Bytes, BytesMut};
use contracts::data::Piece;
use futures_util::{Stream, stream};

use super::{Inner, SEAL};
use crate::{
    Error,
    layout::{self, BLOCK, Head},
};

impl Inner {
    /// Reads a part of a piece, each block of which is looked at before it goes out.
    pub async fn blocks(
        &self,
        piece: &Piece,
        range: Range<u64>,
    ) -> Result<impl Stream<Item = Result<Bytes, Error>> + Send + use<>, Error> {
        let Piece { segment, offset, length, .. } = *piece;
        let damaged = move || Error::Damaged { segment, offset };
        let key = self.key(piece);
        let head = layout::head_length(length);
        let mut body = self.get(&key, piece, 0..=head - 1).await?;
        let mut first = BytesMut::new();
        while let Some(run) = body.chunk().await.map_err(s3::Error::from)? {
            first.extend_from_slice(&run);
        }
        let known = Head::read(&first, &SEAL, segment, offset).filter(|head| head.piece(&SEAL, segment, offset) == *piece);
        let known = known.ok_or_else(damaged)?;
        let begin = range.start / BLOCK * BLOCK;
        let end = range.end.next_multiple_of(BLOCK).min(length);
        let body = self.get(&key, piece, head + begin..=head + end - 1).await?;
        let way = (body, BytesMut::new(), begin);
        Ok(stream::try_unfold(way, move |(mut body, mut have, at)| {
            let (sum, range) = (known.sums.get(usize::try_from(at / BLOCK).unwrap_or(usize::MAX)).copied(), range.clone());
            async move {
                if at >= end {
                    return Ok(None);
                }
                let size = usize::try_from(BLOCK.min(end - at)).unwrap_or(usize::MAX);
                while have.len() < size {
                    match body.chunk().await.map_err(s3::Error::from)? {
                        Some(run) => have.extend_from_slice(&run),
                        None => return Err(damaged()),
                    }
                }
                let block = have.split_to(size).freeze();
                if sum != Some(crc32fast::hash(&block)) {
                    return Err(damaged());
                }
                let from = usize::try_from(range.start.saturating_sub(at)).unwrap_or(size).min(size);
                let to = usize::try_from(range.end.saturating_sub(at)).unwrap_or(size).min(size);
                Ok(Some((block.slice(from..to), (body, have, at + size as u64))))
            }
        }))
    }

    pub async fn get(&self, key: &str, piece: &Piece, range: RangeInclusive<u64>) -> Result<web::Body, Error> {
        self.bucket.get(key, Some(range)).await.map_err(|error| match error {
            s3::Error::NoSuchObject(_) => Error::Missing { segment: piece.segment, offset: piece.offset },
            error => error.into(),
        })
    }
}
