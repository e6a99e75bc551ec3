// SPDX-License-Identifier: Apache-2.0
//! Giving space back, and telling what takes it.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use contracts::data::Piece;
use types::Timestamp;

use crate::{
    Error,
    error::Doing,
    files::{CLOSED, OPEN},
    layout::{self, Head, PAGE},
    scan::{self, Found},
    segments::Inner,
};

/// A segment was last written before the clock was put back by as much as this.
const SLACK: Duration = Duration::from_secs(60);

pub async fn give_up(inner: &Arc<Inner>, pieces: Vec<Piece>) -> Result<(), Error> {
    let mut by_segment = BTreeMap::<u64, Vec<Piece>>::new();
    for piece in pieces {
        by_segment.entry(piece.segment).or_default().push(piece);
    }
    for (segment, pieces) in by_segment {
        inner.run(move |inner| give_up_in(inner, segment, &pieces)).await?;
    }
    Ok(())
}

fn give_up_in(inner: &Inner, segment: u64, pieces: &[Piece]) -> Result<(), Error> {
    let Some(opened) = inner.files.get(segment)? else { return Ok(()) };
    for piece in pieces {
        // The head knows how much room there was. Without one the piece is gone already, or damaged where it lies.
        let capacity = match scan::head_at(&opened, segment, piece.offset)? {
            Some(head) if piece.checksum != 0 && head.piece(&opened.seal, segment, piece.offset) != *piece => {
                tracing::warn!(segment, offset = piece.offset, "what was given up is not what lies there, which stays");
                continue;
            }
            Some(head) => head.capacity,
            None => piece.length,
        };
        scan::punch(&opened.file, piece.offset, layout::extent(capacity))?;
    }
    // The row that gave them up goes when this returns: the hole must not close again with a loss of power.
    opened.file.sync_data().doing(|| format!("sync segment {segment:016x}"))?;
    if inner.underway.remove_if_empty(segment)? {
        inner.files.sync_folder()?;
    }
    Ok(())
}

pub async fn abandon(inner: &Arc<Inner>, owners: Vec<String>, since: Timestamp) -> Result<(), Error> {
    if owners.is_empty() {
        return Ok(());
    }
    let owners: Arc<HashSet<String>> = Arc::new(owners.into_iter().collect());
    let segments = inner.run(move |inner| changed_since(inner, since.minus(SLACK))).await?;
    for segment in segments {
        let owners = owners.clone();
        inner
            .run(move |inner| {
                let theirs = |head: &Head| owners.contains(&head.owner);
                let pieces = pieces_of(inner, segment, PAGE, usize::MAX, theirs)?;
                if pieces.is_empty() { Ok(()) } else { give_up_in(inner, segment, &pieces) }
            })
            .await?;
    }
    Ok(())
}

pub async fn survey(inner: &Arc<Inner>, after: Option<(u64, u64)>, until: Timestamp, limit: usize) -> Result<Vec<Piece>, Error> {
    let (first, offset) = after.unwrap_or_default();
    let segments = inner.run(all).await?;
    let mut pieces = Vec::new();
    for segment in segments.into_iter().filter(|segment| *segment >= first) {
        let from = if segment == first { offset + PAGE } else { PAGE };
        let left = limit - pieces.len();
        let old = move |head: &Head| head.at <= until.micros();
        pieces.extend(inner.run(move |inner| pieces_of(inner, segment, from, left, old)).await?);
        if pieces.len() >= limit {
            break;
        }
    }
    Ok(pieces)
}

fn all(inner: &Inner) -> Result<Vec<u64>, Error> {
    let mut numbers = inner.files.list(OPEN)?;
    numbers.extend(inner.files.list(CLOSED)?);
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

fn changed_since(inner: &Inner, since: Timestamp) -> Result<Vec<u64>, Error> {
    let mut changed = Vec::new();
    for number in all(inner)? {
        let Some(opened) = inner.files.get(number)? else { continue };
        let meta = opened.file.metadata().doing(|| format!("look at segment {number:016x}"))?;
        let seconds = std::os::unix::fs::MetadataExt::mtime(&meta);
        if Timestamp::from_seconds(seconds) >= since {
            changed.push(number);
        }
    }
    Ok(changed)
}

fn pieces_of(inner: &Inner, segment: u64, from: u64, limit: usize, wanted: impl Fn(&Head) -> bool) -> Result<Vec<Piece>, Error> {
    let mut pieces = Vec::new();
    let Some(opened) = inner.files.get(segment)? else { return Ok(pieces) };
    scan::walk(&opened, segment, from, |found| {
        if let Found::Piece { offset, head } = found
            && wanted(&head)
            && pieces.len() < limit
        {
            pieces.push(head.piece(&opened.seal, segment, offset));
        }
        Ok(pieces.len() < limit)
    })?;
    Ok(pieces)
}
