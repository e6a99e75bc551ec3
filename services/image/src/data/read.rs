// SPDX-License-Identifier: Apache-2.0
//! Reads the data of an image, from the store that it is best read from. If that one fails, be it in the middle, the next
//! one goes on from there: the same bytes are in all of them.
//!
//! Invariant: what one store that has an image can read, is read, whatever the others do (test: `data_is_read_from_whichever_store_answers`).

use std::{collections::VecDeque, io};

use bytes::Bytes;
use futures_util::{StreamExt, stream::try_unfold};

use crate::{Error, Image, StoreSettings, image::Row, stores::place::Chunks};

/// A part of a blob, that much of it which is still to be read.
struct Reading {
    room: Image,
    owner: String,
    blob: String,
    /// The one that is read from, and those that have not failed yet.
    from: StoreSettings,
    next: VecDeque<StoreSettings>,
    chunks: Chunks,
    at: u64,
    end: u64,
}

impl Image {
    /// The image's data, a part of it, read for `owner`. None if it has none.
    pub(crate) async fn read_data(&self, owner: &str, image: &Row, first: u64, length: u64) -> Result<Option<Chunks>, Error> {
        let Some(blob) = image.place.blob.clone() else { return Ok(None) };
        // Those that failed a moment ago come last.
        let (well, ailing): (Vec<_>, Vec<_>) = self.stores_of(image).into_iter().partition(|id| !self.ailing.is(id));
        let stores = well.iter().chain(&ailing).filter_map(|id| self.settings.store(id));
        let mut next: VecDeque<StoreSettings> = stores.cloned().collect();
        let Some(from) = next.pop_front() else { return Ok(None) };
        let chunks: Chunks = Box::pin(futures_util::stream::empty());
        let mut reading =
            Reading { room: self.clone(), owner: owner.to_owned(), blob, from, next, chunks, at: first, end: first + length };
        // Whether there is anybody to read from is to be known before the first byte is sent on.
        reading.open().await?;
        Ok(Some(Box::pin(try_unfold(
            reading,
            |mut reading| async move { Ok(reading.chunk().await?.map(|chunk| (chunk, reading))) },
        ))))
    }
}

impl Reading {
    async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        while self.at < self.end {
            match self.chunks.next().await {
                Some(Ok(mut chunk)) => {
                    chunk.truncate(usize::try_from(self.end - self.at).unwrap_or(usize::MAX));
                    self.at += chunk.len() as u64;
                    return Ok(Some(chunk));
                }
                Some(Err(error)) => self.turn_away(error).await?,
                None => self.turn_away(Error::BrokenOff(io::ErrorKind::UnexpectedEof.into())).await?,
            }
        }
        Ok(None)
    }

    /// Opens the blob where it is to be read on.
    async fn open(&mut self) -> Result<(), Error> {
        loop {
            match self.from.place.open(&self.owner, &self.blob, self.at, self.end - self.at).await {
                Ok(chunks) => {
                    self.chunks = chunks;
                    return Ok(());
                }
                Err(error) => self.take_next(error)?,
            }
        }
    }

    async fn turn_away(&mut self, error: Error) -> Result<(), Error> {
        self.take_next(error)?;
        self.open().await
    }

    /// Fails with the error of the last store, if there is none that could be tried.
    fn take_next(&mut self, error: Error) -> Result<(), Error> {
        self.room.ailing.note(&self.from.id);
        let Some(next) = self.next.pop_front() else { return Err(error) };
        let (failed, blob) = (&self.from.id, &self.blob[..12]);
        tracing::warn!(store = failed, next = next.id, blob, error = error.chain(), "a store cannot be read; the next one is");
        self.from = next;
        Ok(())
    }
}
