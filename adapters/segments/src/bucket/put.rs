// SPDX-License-Identifier: Apache-2.0
//! An upload on its way to the bucket.

use std::sync::{Arc, atomic::Ordering};

use bytes::{Bytes, BytesMut};
use contracts::data::Piece;
use types::Timestamp;

use super::{Inner, SEAL, number, segment_of};
use crate::{Error, error::Doing, layout::Head, sums};

/// The most bytes in one piece, which is in memory as a whole on its way.
const LARGEST: u64 = 4 << 20;
/// An upload sends as much at least, if more is to come, when memory is short.
const SMALLEST: u64 = 256 << 10;
/// How many bytes of uploads may wait in memory before they go in smaller pieces.
const MEMORY: u64 = 64 << 20;

/// What an upload has put, which goes again unless it is kept.
pub struct Upload<'a> {
    inner: &'a Arc<Inner>,
    owner: &'a str,
    held: Vec<Bytes>,
    bytes: u64,
    pieces: Vec<Piece>,
}

impl<'a> Upload<'a> {
    pub fn new(inner: &'a Arc<Inner>, owner: &'a str) -> Self {
        Self { inner, owner, held: Vec::new(), bytes: 0, pieces: Vec::new() }
    }

    pub async fn take(&mut self, run: Bytes) -> Result<(), Error> {
        self.bytes += run.len() as u64;
        self.inner.held.fetch_add(run.len() as u64, Ordering::Relaxed);
        self.held.push(run);
        while self.bytes >= LARGEST {
            self.send().await?;
        }
        if self.bytes >= SMALLEST && self.inner.held.load(Ordering::Relaxed) > MEMORY {
            self.send().await?;
        }
        Ok(())
    }

    /// Sends what is left; all of it is there when this returns, and stays.
    pub async fn finish(mut self) -> Result<Vec<Piece>, Error> {
        while self.bytes > 0 {
            self.send().await?;
        }
        Ok(std::mem::take(&mut self.pieces))
    }

    /// Puts the first bytes that are held as a piece.
    async fn send(&mut self) -> Result<(), Error> {
        let _turn = self.inner.turns.acquire().await.map_err(|_| Error::CutOff)?;
        let all = std::mem::take(&mut self.held).into_iter().fold(BytesMut::new(), |mut all, run| {
            all.extend_from_slice(&run);
            all
        });
        let mut all = all.freeze();
        let content = all.split_to(all.len().min(usize::try_from(LARGEST).unwrap_or(usize::MAX)));
        self.held.extend(Some(all).filter(|rest| !rest.is_empty()));
        let length = content.len() as u64;
        let mut chance = [0; 12];
        getrandom::fill(&mut chance).map_err(std::io::Error::other).doing(|| "get chance from the kernel".into())?;
        let (segment, offset) = (segment_of(self.owner), number(&chance[4..]) >> 1);
        let stamp = u32::try_from(number(&chance[..4]) >> 1).unwrap_or_default();
        let head = Head {
            length,
            capacity: length,
            stamp,
            at: Timestamp::now().micros(),
            owner: self.owner.to_owned(),
            sums: sums::of(&content),
        };
        let piece = head.piece(&SEAL, segment, offset);
        let mut body = BytesMut::from(&*head.write(&SEAL, segment, offset));
        body.extend_from_slice(&content);
        // It is known before it is there, so that it goes also if the answer is lost.
        self.pieces.push(piece);
        self.inner.bucket.put_bytes(&self.inner.key(&piece), body.freeze()).await?;
        self.bytes -= length;
        self.inner.held.fetch_sub(length, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        self.inner.held.fetch_sub(self.bytes, Ordering::Relaxed);
        let pieces = std::mem::take(&mut self.pieces);
        if pieces.is_empty() {
            return;
        }
        let inner = self.inner.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = inner.delete(&pieces).await {
                    tracing::warn!(%error, "pieces of an upload that ended stay until its owner is abandoned");
                }
            });
        }
    }
}
