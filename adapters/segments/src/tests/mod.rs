// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

mod behaviour;
mod bucket;
mod disk;
mod kill;
mod space;

use std::{io, path::Path};

use bytes::Bytes;
use contracts::{
    Refusal,
    data::{Data, Piece},
};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{Segments, Settings};

/// So much of a tempfile's disk is ours; the rest of the machine may fill it meanwhile.
fn settings() -> Settings {
    Settings { keep_free: 0, ..Settings::default() }
}

fn open(folder: &Path) -> Segments {
    Segments::open(folder.to_owned(), settings()).unwrap()
}

/// Bytes of which no two blocks are alike.
fn content(length: usize, salt: u64) -> Vec<u8> {
    let mut state = salt.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut content = Vec::with_capacity(length + 8);
    while content.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend_from_slice(&state.to_le_bytes());
    }
    content.truncate(length);
    content
}

async fn put(data: &dyn Data, owner: &str, content: &[u8]) -> Result<Vec<Piece>, Refusal> {
    put_in(data, owner, content, Some(content.len() as u64), 70_000).await
}

/// Puts in runs of so many bytes.
async fn put_in(data: &dyn Data, owner: &str, content: &[u8], hint: Option<u64>, run: usize) -> Result<Vec<Piece>, Refusal> {
    let runs: Vec<_> = content.chunks(run).map(|run| Ok(Bytes::copy_from_slice(run))).collect();
    data.put(owner, hint, Box::pin(stream::iter(runs))).await
}

async fn get(data: &dyn Data, pieces: &[Piece]) -> io::Result<Vec<u8>> {
    let all = pieces.iter().map(|piece| piece.length).sum();
    part(data, pieces, 0..all).await
}

async fn part(data: &dyn Data, pieces: &[Piece], range: std::ops::Range<u64>) -> io::Result<Vec<u8>> {
    data.read(pieces.to_vec(), range)
        .try_fold(Vec::new(), |mut all, run| async move {
            all.extend_from_slice(&run);
            Ok(all)
        })
        .await
}

/// An upload that breaks off behind these bytes.
async fn broken_off(data: &dyn Data, owner: &str, content: &[u8]) -> Refusal {
    let runs: Vec<_> = content.chunks(70_000).map(|run| Ok(Bytes::copy_from_slice(run))).collect();
    let gone = stream::once(async { Err(io::Error::new(io::ErrorKind::ConnectionReset, "the client went away")) });
    data.put(owner, None, Box::pin(stream::iter(runs).chain(gone))).await.unwrap_err()
}
