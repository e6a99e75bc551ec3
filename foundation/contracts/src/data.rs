// SPDX-License-Identifier: Apache-2.0
//! Where the bytes of objects lie: what the object room needs of whatever keeps them. Which object they are, and whether
//! anybody has them, only the room's tables know.

use std::{io, ops::Range, pin::Pin};

use bytes::Bytes;
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use types::Timestamp;

use crate::{BoxFuture, Refusal, images::Chunks};

/// Bytes on their way in, from somebody who may be slow or go away.
pub type Incoming<'a> = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send + 'a>>;

/// A run of bytes and where it lies. It never moves, and its place is never used again. Each number fits into 63 bits; what
/// they mean, `length` aside, is the business of whoever keeps the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Piece {
    pub segment: u64,
    pub offset: u64,
    pub length: u64,
    /// Binds whoever has the place to the bytes that were put there.
    pub checksum: u64,
}

pub trait Data: Send + Sync {
    /// Takes bytes, which are durable when this answers. A row of the room notes the `owner` beforehand and goes in the
    /// transaction that takes the pieces into the tables; so what a crash leaves between the two is found by name. What
    /// fails or is dropped gives its space back by itself.
    ///
    /// The `length` is a hint, if it is known: bytes that are fewer or more are the room's to judge. Bytes that break off
    /// are `Invalid`; a disk that is full is `Exhausted`.
    fn put<'a>(&'a self, owner: &'a str, length: Option<u64>, bytes: Incoming<'a>) -> BoxFuture<'a, Result<Vec<Piece>, Refusal>>;

    /// A part of what the pieces are one after the other. Nothing goes out that does not agree with its checksum: the
    /// stream ends with an error before that.
    fn read(&self, pieces: Vec<Piece>, range: Range<u64>) -> Chunks;

    /// Sees to it that these are gone, of which no row tells any more; fine if they are.
    fn give_up<'a>(&'a self, pieces: &'a [Piece]) -> BoxFuture<'a, Result<(), Refusal>>;

    /// Sees to it that whatever was put under these owners since then is gone. Nothing of theirs is under way any more.
    fn abandon<'a>(&'a self, owners: &'a [String], since: Timestamp) -> BoxFuture<'a, Result<(), Refusal>>;

    /// What lies there behind a segment and an offset, by both, for the audit; not what came after `until`, since the row of
    /// it may be on its way. The checksum is 0 where finding it out would mean to read each piece.
    fn survey(&self, after: Option<(u64, u64)>, until: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Piece>, Refusal>>;
}
