// SPDX-License-Identifier: Apache-2.0
//! An upload on its way to the disk.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use contracts::data::{Incoming, Piece};
use futures_util::StreamExt;

use crate::{
    Error,
    layout::{LARGEST, OWNER},
    piece::Extent,
    segments::Inner,
};

/// So much is written at once, unless memory is short.
const RUN: u64 = 256 << 10;
/// Up to here an upload is small.
const SMALL: u64 = 256 << 10;

pub async fn put(inner: &Arc<Inner>, owner: &str, length: Option<u64>, mut bytes: Incoming<'_>) -> Result<Vec<Piece>, Error> {
    if owner.len() > OWNER {
        return Err(Error::Owner(owner.to_owned()));
    }
    let mut upload = Upload { inner, length, taken: 0, held: Held::new(inner), now: None, full: Vec::new() };
    while let Some(run) = bytes.next().await {
        upload.held.add(run.map_err(Error::BrokeOff)?);
        if upload.held.bytes >= RUN || inner.held.load(Ordering::Relaxed) > inner.settings.memory {
            upload.write(false).await?;
        }
    }
    upload.write(true).await?;
    upload.finish(owner).await
}

struct Upload<'a> {
    inner: &'a Arc<Inner>,
    length: Option<u64>,
    /// Bytes that were written.
    taken: u64,
    held: Held,
    now: Option<Extent>,
    full: Vec<Extent>,
}

impl Upload<'_> {
    /// Writes what is held; `last` if nothing more comes.
    async fn write(&mut self, last: bool) -> Result<(), Error> {
        let mut runs = self.held.take();
        while !runs.is_empty() {
            let held: u64 = runs.iter().map(|run| run.len() as u64).sum();
            let small = self.taken == 0 && last && held <= SMALL;
            let capacity = self.capacity(held, last);
            let now = self.now.take();
            // If nobody waits any more, the extent goes on its thread, after the write.
            let (extent, rest) = self
                .inner
                .run(move |inner| {
                    let lane = if small { &inner.small } else { &inner.large };
                    let mut extent = now.map_or_else(|| lane.reserve(inner, capacity), Ok)?;
                    let rest = split(&mut runs, extent.left());
                    extent.write(&runs)?;
                    Ok((extent, rest))
                })
                .await?;
            runs = rest;
            self.taken += held - runs.iter().map(|run| run.len() as u64).sum::<u64>();
            if extent.left() > 0 {
                self.now = Some(extent);
                continue;
            }
            if !last {
                // The disk writes while more comes, so that the end has little to wait for.
                let segment = extent.segment().clone();
                tokio::spawn(async move { segment.durable().await });
            }
            self.full.push(extent);
        }
        Ok(())
    }

    /// Room for the next piece: what is said to come, or what has come if nothing more does.
    fn capacity(&self, held: u64, last: bool) -> u64 {
        let rest = match self.length {
            _ if last => held,
            Some(length) => length.saturating_sub(self.taken).max(held),
            None => LARGEST,
        };
        rest.min(LARGEST)
    }

    /// Everything has come: the heads are written, and all of it is made durable.
    async fn finish(self, owner: &str) -> Result<Vec<Piece>, Error> {
        let owner = owner.to_owned();
        let mut extents = self.full;
        extents.extend(self.now);
        let sealing = self.inner.run(move |_| {
            let pieces: Result<Vec<_>, _> = extents.iter_mut().map(|extent| extent.seal(&owner)).collect();
            Ok((pieces?, extents))
        });
        let (pieces, extents) = sealing.await?;
        let segments: BTreeMap<_, _> = extents.iter().map(|extent| (extent.segment().number, extent.segment())).collect();
        for segment in segments.into_values() {
            segment.durable().await?;
        }
        extents.into_iter().for_each(Extent::keep);
        Ok(pieces)
    }
}

/// Leaves in `runs` what has room, and answers the rest.
fn split(runs: &mut Vec<Bytes>, mut room: u64) -> Vec<Bytes> {
    for at in 0..runs.len() {
        let length = runs[at].len() as u64;
        if length > room {
            let mut rest = runs.split_off(at);
            let fits = rest[0].split_to(usize::try_from(room).unwrap_or(usize::MAX));
            runs.push(fits);
            return rest;
        }
        room -= length;
    }
    Vec::new()
}

/// Bytes that wait in memory, counted for all uploads together.
struct Held {
    inner: Arc<Inner>,
    runs: Vec<Bytes>,
    bytes: u64,
}

impl Held {
    fn new(inner: &Arc<Inner>) -> Self {
        Self { inner: inner.clone(), runs: Vec::new(), bytes: 0 }
    }

    fn add(&mut self, run: Bytes) {
        self.bytes += run.len() as u64;
        self.inner.held.fetch_add(run.len() as u64, Ordering::Relaxed);
        if !run.is_empty() {
            self.runs.push(run);
        }
    }

    fn take(&mut self) -> Vec<Bytes> {
        self.inner.held.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
        std::mem::take(&mut self.runs)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.take();
    }
}
