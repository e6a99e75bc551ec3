// SPDX-License-Identifier: Apache-2.0
//! Pieces as objects of any service that speaks S3.
//!
//! A piece is an object of its own, with the same head before its bytes that it has in a segment, so that the service's word
//! on them is not all there is. Its key is two numbers: one that its owner's name makes, so that what an owner put is found
//! by it, and one by chance.

mod put;
mod read;

use std::{
    ops::Range,
    sync::{Arc, atomic::AtomicU64},
};

use contracts::{
    BoxFuture, Refusal,
    data::{Data, Incoming, Piece},
    images::Chunks,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use types::Timestamp;

use self::put::Upload;
use crate::{
    Error,
    layout::{self, BLOCK, Head, OWNER, Seal},
    read::parts,
};

/// How many pieces are on their way to the bucket at once.
const AT_ONCE: usize = 8;
/// Nobody else writes to the bucket: a head needs no secret there.
const SEAL: Seal = [0; 16];

/// Bytes in a bucket, under a prefix that is ours alone.
#[derive(Clone)]
pub struct Bucket {
    inner: Arc<Inner>,
}

struct Inner {
    bucket: s3::Bucket,
    prefix: String,
    held: AtomicU64,
    turns: Semaphore,
}

impl Bucket {
    /// Asks nothing yet. The client of the bucket must take bodies of more than 4 MiB.
    pub fn new(bucket: s3::Bucket, prefix: String) -> Self {
        Self { inner: Arc::new(Inner { bucket, prefix, held: AtomicU64::new(0), turns: Semaphore::new(AT_ONCE) }) }
    }

    /// Whether the bucket is there and the keys are right.
    pub async fn check(&self) -> Result<(), Error> {
        Ok(self.inner.bucket.check().await?)
    }
}

impl Inner {
    fn key(&self, piece: &Piece) -> String {
        format!("{}{}", self.prefix, name(piece.segment, piece.offset))
    }

    async fn delete(&self, pieces: &[Piece]) -> Result<(), Error> {
        let keys: Vec<String> = pieces.iter().map(|piece| self.key(piece)).collect();
        let deleting = keys.into_iter().map(|key| async move { self.bucket.delete(&key).await });
        Ok(stream::iter(deleting).buffer_unordered(AT_ONCE).try_collect::<()>().await?)
    }

    /// The pieces behind a key, with when they came.
    async fn page(&self, under: &str, after: &str, most: usize) -> Result<Vec<(String, Piece, Timestamp)>, Error> {
        let page = self.bucket.page(under, after, most).await?;
        let piece = |listed: s3::Listed| {
            let (segment, offset) = listed.key.strip_prefix(&self.prefix).and_then(numbers).unwrap_or_default();
            // The head is the longer, the more bytes there are.
            let blocks = (listed.size.saturating_sub(128)).div_ceil(BLOCK + 4);
            let length = listed.size.saturating_sub(128 + 4 * blocks);
            (listed.key, Piece { segment, offset, length, checksum: 0 }, listed.changed)
        };
        Ok(page.into_iter().map(piece).collect())
    }

    async fn abandon(&self, owner: &str) -> Result<(), Error> {
        let segment = segment_of(owner);
        let under = format!("{}{segment:016x}/", self.prefix);
        let mut after = String::new();
        loop {
            let page = self.page(&under, &after, 1000).await?;
            let Some((last, ..)) = page.last() else { return Ok(()) };
            after.clone_from(last);
            for (key, piece, _) in &page {
                // Two owners may have the same number, if only in theory.
                let head = self.get(key, piece, 0..=layout::head_length(piece.length) - 1).await?;
                let head = head.bytes().await.map_err(s3::Error::from)?;
                if Head::read(&head, &SEAL, piece.segment, piece.offset).is_some_and(|head| head.owner == owner) {
                    self.bucket.delete(key).await?;
                }
            }
        }
    }
}

/// 63 bits of the owner's name.
fn segment_of(owner: &str) -> u64 {
    number(&Sha256::digest(owner)[..8]) >> 1
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn name(segment: u64, offset: u64) -> String {
    format!("{segment:016x}/{offset:016x}")
}

fn numbers(name: &str) -> Option<(u64, u64)> {
    let (segment, offset) = name.split_once('/')?;
    Some((u64::from_str_radix(segment, 16).ok()?, u64::from_str_radix(offset, 16).ok()?))
}

impl Data for Bucket {
    fn put<'a>(
        &'a self,
        owner: &'a str,
        _length: Option<u64>,
        mut bytes: Incoming<'a>,
    ) -> BoxFuture<'a, Result<Vec<Piece>, Refusal>> {
        Box::pin(async move {
            if owner.len() > OWNER {
                return Err(Error::Owner(owner.to_owned()).into());
            }
            let mut upload = Upload::new(&self.inner, owner);
            while let Some(run) = bytes.next().await {
                upload.take(run.map_err(Error::BrokeOff)?).await?;
            }
            Ok(upload.finish().await?)
        })
    }

    fn read(&self, pieces: Vec<Piece>, range: Range<u64>) -> Chunks {
        let inner = self.inner.clone();
        let each = parts(&pieces, range).collect::<Vec<_>>();
        let each = stream::iter(each).then(move |(piece, range)| {
            let inner = inner.clone();
            async move { inner.blocks(&piece, range).await }
        });
        Box::pin(each.try_flatten().map_err(std::io::Error::from))
    }

    fn give_up<'a>(&'a self, pieces: &'a [Piece]) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move { Ok(self.inner.delete(pieces).await?) })
    }

    fn abandon<'a>(&'a self, owners: &'a [String], _since: Timestamp) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            for owner in owners {
                self.inner.abandon(owner).await?;
            }
            Ok(())
        })
    }

    fn survey(&self, after: Option<(u64, u64)>, until: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Piece>, Refusal>> {
        Box::pin(async move {
            let mut after =
                after.map_or_else(String::new, |(segment, offset)| format!("{}{}", self.inner.prefix, name(segment, offset)));
            let mut pieces = Vec::new();
            while pieces.len() < limit {
                let page = self.inner.page(&self.inner.prefix, &after, limit).await?;
                let Some((last, ..)) = page.last() else { break };
                after.clone_from(last);
                pieces.extend(page.into_iter().filter(|(_, _, at)| *at <= until).map(|(_, piece, _)| piece));
            }
            Ok(pieces)
        })
    }
}
