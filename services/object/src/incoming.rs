// SPDX-License-Identifier: Apache-2.0
//! A body that is read bit by bit, where it holds more than one thing: an archive, or a form.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};

pub struct Incoming<S> {
    chunks: S,
    held: BytesMut,
}

impl<S: Stream<Item = io::Result<Bytes>> + Send + Unpin> Incoming<S> {
    pub fn new(chunks: S) -> Self {
        Self { chunks, held: BytesMut::new() }
    }

    /// What is here and was not taken.
    pub fn held(&self) -> &[u8] {
        &self.held
    }

    /// Waits for more. False: there is none.
    pub async fn more(&mut self) -> io::Result<bool> {
        match self.chunks.next().await.transpose()? {
            None => Ok(false),
            Some(chunk) => {
                self.held.extend_from_slice(&chunk);
                Ok(true)
            }
        }
    }

    /// Waits until so many are here. False: the body is shorter.
    pub async fn fill(&mut self, count: usize) -> io::Result<bool> {
        while self.held.len() < count {
            if !self.more().await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes so many, which are here.
    pub fn take(&mut self, count: usize) -> Bytes {
        self.held.split_to(count.min(self.held.len())).freeze()
    }

    pub fn skip(&mut self, count: usize) {
        self.held.advance(count.min(self.held.len()));
    }

    /// Whatever is here of the next `left`; `left` is less by that.
    pub async fn some_of(&mut self, left: &mut u64) -> io::Result<Option<Bytes>> {
        if *left == 0 {
            return Ok(None);
        }
        if self.held.is_empty() && !self.more().await? {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the body ends too soon"));
        }
        let count = usize::try_from(*left).unwrap_or(usize::MAX).min(self.held.len());
        *left -= count as u64;
        Ok(Some(self.take(count)))
    }

    /// The next `left` bytes, as a stream of their own.
    pub fn part<'a>(&'a mut self, left: &'a mut u64) -> impl Stream<Item = io::Result<Bytes>> + Send + 'a {
        stream::try_unfold((self, left), |(incoming, left)| async move {
            let bytes = incoming.some_of(left).await?;
            Ok(bytes.map(|bytes| (bytes, (incoming, left))))
        })
    }
}
